package array

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/live"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// AssembleRequest asks to put an array together from devices and start it.
type AssembleRequest struct {
	Array    string   // as the user gave it: "/dev/md0", "/dev/md/home"
	Devices  []string // paths, or "major:minor"
	Identity Identity
	Version  *md.Version // look for this superblock format only
	Newest1  bool        // look for format 1 only, and take the newest of its versions
	Home     Home

	Run        bool // start even if members are missing
	NoDegraded bool // do not start if members are missing
	Force      bool // bring members up to date that fell behind, if that makes it start
	ReadOnly   bool
	DryRun     bool
	Report     Reporter
}

// AssembleResult tells what an AssembleRequest did, or would do.
type AssembleResult struct {
	Array   string           // what the array is called now
	Kernel  string           // the kernel's name
	UUID    md.UUID          // of the array
	Started bool             // or would be
	Members []AssembleMember // in the order given
	Steps   []StepInfo       // in order; of a failed request those up to the failure
}

// AssembleMember is one device and what became of it.
type AssembleMember struct {
	Device string `json:"device"`
	Slot   int    `json:"slot"` // -1 for spares and journals
	Events uint64 `json:"events"`
	In     bool   `json:"in"`               // as recent as the freshest
	Forced bool   `json:"forced,omitempty"` // made so by raising its event count
	Why    string `json:"why,omitempty"`    // of one that is not in
}

// Failures of an assembly. Everything about them has been reported.
var (
	// ErrNotStarted is an array whose members do not suffice.
	ErrNotStarted = errors.New("the array was not started")
	// ErrNoMembers is a list of devices none of which matches.
	ErrNoMembers = errors.New("no device belongs to the array")
)

// Assemble carries the request out. What a failed start has changed on the
// members is put back, and no half-assembled array stays behind.
//
// The error matches ErrNoMembers if no device was found to begin with.
func Assemble(ctx context.Context, req AssembleRequest) (*AssembleResult, error) {
	req.Report.say(Chatty, "looking for devices for %s", req.Array)
	sel := &selector{
		id: req.Identity, home: req.Home, version: req.Version, newest1: req.Newest1, say: req.Report,
		probe: probeDevice, claim: claimDevice,
	}
	found, err := sel.run(req.Devices)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &Said{ErrNoMembers}
	}
	a := &assembler{AssembleRequest: req, found: found, fs: sysfs.Host}
	if err := a.decide(); err != nil {
		return nil, err
	}
	return a.result, a.carryOut(ctx)
}

// assembler works through one request.
type assembler struct {
	AssembleRequest
	fs     sysfs.FS
	found  []*contender
	node   *Node
	s      *settled
	result *AssembleResult

	working int // in-sync members the kernel has taken
	spares  int
	log     *live.KernelLog
}

// decide makes the plan: nothing has been changed when it returns.
func (a *assembler) decide() error {
	first := infoOf(a.found[0].member)
	if err := a.alreadyThere(first.UUID); err != nil {
		return err
	}
	node, err := PlanNode(a.fs, NodeRequest{Device: a.Array, Name: plainName(first.Name), Trust: TrustLocal}, a.Report)
	if err != nil {
		return &Said{err}
	}
	a.node = node
	infos := make([]memberInfo, len(a.found))
	members := make([]*md.Member, len(a.found))
	for i, c := range a.found {
		members[i] = c.member
		infos[i] = infoOf(c.member)
		infos[i].Major, infos[i].Minor = c.major, c.minor
		a.Report.say(Chatty, "%s is identified as a member of %s, slot %d%s.",
			c.path, node.Chosen, infos[i].kernelSlot(), replacementWord(infos[i].State.Replacement))
	}
	c, err := choose(infos, a.Force)
	if err != nil {
		a.reportTwins(err)
		return &Said{err}
	}
	for _, d := range c.dropped {
		a.Report.say(Normal, "ignoring %s as it reports %s as failed", d.Device, d.Reports)
	}
	a.s = c.settle(members, settleOptions{Run: a.Run, NoDegraded: a.NoDegraded, Force: a.Force})
	if a.s == nil {
		a.Report.say(Always, "No suitable drives found for %s", node.Chosen)
		return &Said{ErrNotStarted}
	}
	a.result = a.describe(first.UUID)
	return nil
}

// plainName is an array's name without the host in front of it.
func plainName(name string) string {
	if _, rest, ok := strings.Cut(name, ":"); ok {
		return rest
	}
	return name
}

func replacementWord(is bool) string {
	if is {
		return " replacement"
	}
	return ""
}

func (a *assembler) reportTwins(err error) {
	var twins *errTwins
	if errors.As(err, &twins) {
		a.Report.say(Always, "WARNING %s and %s appear to have very similar superblocks.\n"+
			"      If they are really different, please --zero the superblock on one\n"+
			"      If they are the same or overlap, please remove one from the list.",
			twins.First, twins.Second)
	}
}

// alreadyThere refuses if an array with that uuid is set up.
func (a *assembler) alreadyThere(uuid md.UUID) error {
	stat, err := sysmd.ReadMdstat(a.fs)
	if err != nil {
		return nil // without md there is no array
	}
	entries, err := Map{}.Read()
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.UUID != mapUUID(a.found[0].member) || stat.Array(e.Name) == nil {
			continue
		}
		a.Report.say(Always, "Found some drive for an array that is already active: %s", e.Path)
		a.Report.say(Always, "giving up.")
		return &Said{fmt.Errorf("array %v is %s already: %w", uuid, e.Path, ErrArrayExists)}
	}
	return nil
}

// mapUUID is a member's array uuid as mdadm's map has it.
func mapUUID(m *md.Member) MapUUID {
	if s := m.Super0; s != nil {
		return MapUUID{s.SetUUID0, s.SetUUID1, s.SetUUID2, s.SetUUID3}
	}
	return MapUUIDFromBytes(m.Super1.SetUUID)
}

// describe fills in what is known before anything is done.
func (a *assembler) describe(uuid md.UUID) *AssembleResult {
	r := &AssembleResult{Array: a.node.Chosen, Kernel: a.node.Kernel, UUID: uuid, Started: a.s.start == startNow}
	taken := make(map[int]bool)
	for _, j := range a.s.best {
		if j >= 0 {
			taken[j] = true
		}
	}
	for j := range a.s.cands {
		c := &a.s.cands[j]
		m := AssembleMember{Device: c.Device, Slot: c.Slot, Events: c.Events, In: taken[j] && c.upToDate, Forced: c.forced}
		if !m.In {
			m.Why = a.s.whyOut(j, taken[j])
		}
		r.Members = append(r.Members, m)
	}
	return r
}

// whyOut says in one line why a device is not in.
func (s *settled) whyOut(j int, placed bool) string {
	c := &s.cands[j]
	ref := &s.cands[s.mostRecent]
	for _, d := range s.dropped {
		if d.Device == c.Device {
			return "its superblock says that " + d.Reports + " has failed"
		}
	}
	switch {
	case !placed:
		return "another device in the same place is more recent"
	case c.State.Faulty:
		return "its superblock says that it has failed"
	case c.Events > ref.Events:
		return fmt.Sprintf("its event count %d is above that of the array, %d", c.Events, ref.Events)
	}
	return fmt.Sprintf("its event count is %d, that of the array %d", c.Events, ref.Events)
}

// kernelSlot is the slot as the kernel and mdadm number it: journals have one
// of their own.
func (m *memberInfo) kernelSlot() int {
	if m.State.Journal && m.Slot == slotNone {
		return int(md.RoleJournal)
	}
	return m.Slot
}

// diskInfo is the argument of ADD_NEW_DISK for a candidate.
func (c *candidate) diskInfo() mdctl.DiskInfo {
	return mdctl.DiskInfo{
		Number: int32(c.Number), Major: int32(c.Major), Minor: int32(c.Minor),
		RaidDisk: int32(c.kernelSlot()), State: mdctl.DiskState(diskState0(c.State)),
	}
}

// mayBeInvalid reports whether err is the kernel's word for a layout of raid0
// that it does not know.
func mayBeInvalid(err error, info *memberInfo) bool {
	return errors.Is(err, unix.EINVAL) && info.Level == md.LevelRAID0 && info.Layout != 0
}
