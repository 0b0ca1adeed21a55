// Package assemble puts arrays together from their members: by device, by identity or by
// configuration. It updates the superblocks before, if asked.
package assemble

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/reshape"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// AssembleRequest asks to put an array together from devices and start it.
type AssembleRequest struct {
	Array    string   // as the user gave it: "/dev/md0", "/dev/md/home"; "" for any array
	Devices  []string // paths, or "major:minor"; empty to use List
	List     func() []string
	Identity Identity
	Version  *md.Version // look only for superblocks of this format
	Swapped  bool        // look only for 0.90 superblocks of the other byte order
	Newest1  bool        // look only for format 1, and take the newest of its versions
	Home     node.Home
	Conf     *mdconf.Config // nil for none
	Update   *Update        // of the superblocks, before the assembly; nil for none

	Run        bool // start even if members are missing
	NoDegraded bool // do not start if members are missing
	Force      bool // update members that fell behind, if the array then starts
	ReadOnly   bool
	DryRun     bool
	BackupDir  string // where to save what is overwritten; see plan.Backup

	BackupFile     string // where --grow kept the critical section of a reshape
	InvalidBackup  bool   // start even if there is no usable backup
	AllowOldBackup bool   // accept a backup of any age
	FreezeReshape  bool   // leave a reshape in place at its position, until GrowRequest.Continue
	// Background continues a reshape that needs a process to accompany it, while
	// Assemble returns; if it is nil, Assemble does that itself.
	Background func(reshape.GrowRequest) error

	Report note.Reporter

	pool   pool // nil to use Devices, or what List returns
	probes *probes
}

// AssembleResult says what an AssembleRequest did, or would do.
type AssembleResult struct {
	Array   string           // the path of the array
	Kernel  string           // the kernel's name
	UUID    md.UUID          // of the array
	Started bool             // or would be started
	Members []AssembleMember // in the order given
	Steps   []plan.StepInfo  // in order; if the request failed, those up to the failure

	applied bool // the array exists now
}

// AssembleMember is a device and what the assembly did with it.
type AssembleMember struct {
	Device string        `json:"device"`
	Slot   int           `json:"slot"` // -1 for spares and journals
	Events uint64        `json:"events"`
	In     bool          `json:"in"`               // as recent as the freshest member
	Forced bool          `json:"forced,omitempty"` // brought in by raising its event count
	Why    note.Sentence `json:"-"`                // why it is not in
}

// Failures of an assembly. They have been reported in full.
var (
	// ErrNotStarted marks an array that was not started, mostly for lack of members.
	ErrNotStarted = errors.New("the array was not started")
	// ErrNoMembers marks a list of devices none of which matches.
	ErrNoMembers = errors.New("no device belongs to the array")
)

// Assemble carries out the request. If the start fails, what was changed on the members
// is put back, and no half-assembled array is left.
//
// The error matches ErrNoMembers if no device was found.
func Assemble(ctx context.Context, req AssembleRequest) (*AssembleResult, error) {
	label := req.Array
	if label == "" {
		label = "further assembly"
	}
	auto := req.Array == "" && !req.Identity.single()
	listed := len(req.Devices) > 0 && req.Array != ""
	if req.pool == nil && len(req.Devices) == 0 {
		if !req.Identity.single() && req.Identity.Devices == "" {
			return nil, req.Report.Fail(ErrNotStarted, "assemble.no-identity-information-available-for-cannot-assemble", label)
		}
		req.pool = newPool(req.List())
	} else if req.pool == nil {
		req.pool = newPool(req.Devices)
	}
	if req.probes == nil {
		req.probes = &probes{}
	}
	for {
		req.Report.Say(note.Chatty, "assemble.looking-for-devices", label)
		sel := &selector{
			id: req.Identity, home: req.Home, version: req.Version, newest1: req.Newest1,
			update: req.Update.word(), auto: auto, listed: listed, conf: req.Conf, say: req.Report,
			probe: req.probes.probe, claim: req.probes.claim,
		}
		if req.Swapped {
			sel.probe = probeSwapped
		}
		found, err := sel.run(req.pool)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &note.Reported{Err: ErrNoMembers}
		}
		a := &assembler{AssembleRequest: req, found: found, fs: sysfs.Host, auto: auto, listed: listed}
		a.runner.DryRun = req.DryRun
		result, again, err := a.run(ctx)
		if !again {
			return result, err
		}
	}
}

// assembler carries out one request.
type assembler struct {
	AssembleRequest
	runner plan.Runner
	auto   bool // no particular array was requested
	listed bool // the members were listed one by one
	fs     sysfs.FS
	arrays node.Map
	found  []*FoundMember
	node   *node.Node
	merges bool // the array is one that --incremental has begun
	s      *md.Settlement
	result *AssembleResult

	update  *updated
	restore *restored // nil if there is no reshape that could need it
	working int       // in-sync members that the kernel has accepted
	spares  int
	log     *note.KernelLog
}

// run assembles, and waits until udev has made the name of the array. again asks for
// another attempt with other devices.
func (a *assembler) run(ctx context.Context) (_ *AssembleResult, again bool, _ error) {
	again, err := a.runLocked(ctx)
	if a.result != nil && a.result.applied && a.s.Start == md.StartNow {
		// The lock is free again: what is on the array may be a member of another one, and
		// udev makes the name only after its mdadm --incremental, which needs the lock.
		node.WaitForName(ctx, a.node.Chosen, a.Report)
	}
	return a.result, again, err
}

// runLocked decides and acts under the lock on the map of arrays.
func (a *assembler) runLocked(ctx context.Context) (again bool, _ error) {
	release, err := a.arrays.Hold(ctx, &a.runner, a.Home, a.Conf)
	defer release()
	if err != nil {
		a.Report.Say(note.Always, "assemble.failed-get-exclusive-lock-on-mapfile-continue-anyway")
	}
	a.reread(ctx)
	if err := a.chooseNode(); err != nil {
		return a.auto && errors.Is(err, errNode), err
	}
	if err := a.decide(); err != nil {
		a.result = nil
		return false, err
	}
	return false, a.carryOut(ctx)
}

// errNode marks an array for which no md device was available.
var errNode = errors.New("no device for the array")

// chooseNode chooses the md device of the array: the one that --incremental has begun,
// or a new one.
func (a *assembler) chooseNode() error {
	begun, err := a.alreadyThere()
	if err != nil {
		return err
	}
	if begun != nil {
		return a.merge(begun)
	}
	first := a.found[0].Member
	if rest, ok := strings.CutPrefix(a.Array, node.NamesDir+"/"); ok || a.Array != "" && !strings.HasPrefix(a.Array, "/") {
		if !ok {
			rest = a.Array
		}
		if node.NameTaken(a.fs, a.arrays, rest) && !ok {
			return a.Report.Fail(node.ErrArrayExists, "assemble.cannot-create-device-with-because-use", a.Array)
		}
	}
	name, trust := a.trust(first)
	node, err := node.PlanNode(a.fs, node.NodeRequest{Device: a.Array, Name: name, Trust: trust, Create: CreateOf(a.Conf)}, a.Report)
	if err != nil {
		return &note.Reported{Err: errors.Join(errNode, err)}
	}
	a.node = node
	return nil
}

// CreateOf returns what the configuration says about new nodes.
func CreateOf(cf *mdconf.Config) *mdconf.Create {
	if cf == nil {
		return nil
	}
	return &cf.Create
}

// trust returns the name of the array on this host, and how far to trust it: fully if
// the array was requested, or belongs to this host or to any host.
func (a *assembler) trust(m *md.Member) (name string, trust node.Trust) {
	return TrustName(m, a.Home, a.Conf, !a.auto)
}

// TrustName returns the name of an array on this host, and how far to trust it; known
// says whether the array was requested.
func TrustName(m *md.Member, home node.Home, cf *mdconf.Config, known bool) (name string, trust node.Trust) {
	name, trust = m.SetName(), node.TrustForeign
	if home.Owns(m) || (node.Home{Host: "any"}).Owns(m) {
		name, trust = plainName(name), node.TrustLocal
	}
	if known {
		trust = node.TrustLocal
	}
	if name != "" && trust != node.TrustLocal && home.Ignored && (cf == nil || cf.NameIsFree(name)) {
		trust = node.TrustLocal
	}
	if trust == node.TrustLocal {
		name = plainName(name)
	}
	return name, trust
}

// decide makes the plan. It changes nothing.
func (a *assembler) decide() error {
	if err := a.planUpdate(); err != nil {
		return err
	}
	members := make([]*md.Member, len(a.found))
	for i, c := range a.found {
		m := c.Member
		members[i] = m
		a.Report.Say(note.Chatty, "assemble.identified-as-member-slot",
			c.Path, a.node.Chosen, m.KernelSlot(), replacementWord(m.State().Replacement))
	}
	policy := md.AsMdadm
	if a.Force {
		policy = md.Forced
	}
	asm := md.Assess(members, policy)
	if asm.Twins != nil {
		a.reportTwins(asm.Twins)
		return &note.Reported{Err: asm.Twins}
	}
	for _, v := range asm.Verdicts {
		if v.Rule == md.RuleSplit {
			a.Report.Say(note.Normal, "assemble.ignoring-as-it-reports-as-failed", v.Member.Name, asm.Freshest.Name)
		}
	}
	a.s = asm.Settle(md.Wishes{Run: a.Run, NoDegraded: a.NoDegraded, Partial: !a.NoDegraded && (a.Force || !a.listed)})
	if a.s == nil {
		a.Report.Say(note.Always, "assemble.no-suitable-drives-found", a.node.Chosen)
		return &note.Reported{Err: ErrNotStarted}
	}
	if err := a.planRestore(); err != nil {
		return err
	}
	a.result = a.describe(a.found[0].Member.UUID())
	return nil
}

// plainName returns an array's name without the host in front of it.
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

func (a *assembler) reportTwins(twins *md.TwinsError) {
	from := "the\n      DEVICE list in mdadm.conf"
	if a.listed {
		from = "the list"
	}
	a.Report.Say(note.Always, "assemble.warning-and-appear-have-very-similar-superblocks",
		twins.First.Name, twins.Second.Name, from)
}

// describe returns what is known before anything is done.
func (a *assembler) describe(uuid md.UUID) *AssembleResult {
	r := &AssembleResult{Array: a.node.Chosen, Kernel: a.node.Kernel, UUID: uuid, Started: a.s.Start == md.StartNow}
	for i := range a.s.Verdicts {
		v := &a.s.Verdicts[i]
		m := AssembleMember{Device: v.Member.Name, Slot: v.Member.Slot(), Events: v.Events, In: v.In, Forced: v.Raised}
		if !v.In {
			m.Why = whyOut(v, a.s.Freshest)
		}
		r.Members = append(r.Members, m)
	}
	return r
}

// whyOut says in one line why a device is not in.
func whyOut(v *md.Verdict, freshest *md.Member) note.Sentence {
	switch v.Rule {
	case md.RuleSplit:
		return note.Of("assemble.out-reports-failed", freshest.Name)
	case md.RuleFaulty:
		return note.Of("assemble.out-failed")
	case md.RuleAhead:
		return note.Of("assemble.out-events-above", v.Events, freshest.Events())
	case md.RuleStale:
		return note.Of("assemble.out-events-below", v.Events, freshest.Events())
	}
	return note.Of("assemble.out-older")
}

// mayBeInvalid reports whether err is how the kernel refuses a layout of raid0 that it
// does not know.
func mayBeInvalid(err error, m *md.Member) bool {
	return errors.Is(err, unix.EINVAL) && m.Level() == md.LevelRAID0 && m.Layout() != 0
}

// ForLine turns the request into one for the array of a line of the configuration. It
// fails if the line asks for what mdkit does not know.
func (r *AssembleRequest) ForLine(line *mdconf.Array) error {
	r.Array, r.Identity, r.Devices = line.Device, IdentityOf(line), nil
	if line.Bitmap != "" {
		return fmt.Errorf("%s, line %d: a bitmap in a file (%s) is not supported by this build of mdkit; remove bitmap= to start the array without",
			line.File, line.Line, line.Bitmap)
	}
	if line.Metadata == "" || r.Version != nil || r.Newest1 {
		return nil
	}
	if line.Metadata == "1" {
		r.Newest1 = true
		return nil
	}
	v, err := md.ParseVersion(line.Metadata)
	if err != nil {
		return fmt.Errorf("%s, line %d: metadata %s is not supported: %w", line.File, line.Line, line.Metadata, err)
	}
	r.Version = &v
	return nil
}
