package assemble

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
)

// Identity says which array is meant. Nil and empty fields match any array.
type Identity struct {
	UUID       *md.UUID
	Name       string
	SuperMinor *int   // the minor number in a 0.90 superblock
	Devices    string // patterns for its members, separated by commas
	Level      *md.Level
	RaidDisks  *int
	Container  string // path or uuid of the container it is in
	Member     string // its name in the container
}

// IdentityOf returns the identity that an ARRAY line gives.
func IdentityOf(a *mdconf.Array) Identity {
	return Identity{
		UUID: a.UUID, Name: a.Name, SuperMinor: a.SuperMinor, Devices: a.Devices,
		Level: a.Level, RaidDisks: a.RaidDisks, Container: a.Container, Member: a.Member,
	}
}

// named reports whether the identity includes something that only one array has; devices
// without a superblock are then passed over instead of ending the command.
func (id *Identity) named() bool { return id.UUID != nil || id.Name != "" || id.SuperMinor != nil }

// single reports whether one array is meant, including one in a container.
func (id *Identity) single() bool { return id.named() || id.Container != "" && id.Member != "" }

// mismatch says what of a member does not match. What an update is about to change need
// not match (Assemble.c, ident_matches).
func (id *Identity) mismatch(m *md.Member, home node.Home, update string) note.Sentence {
	switch {
	case id.UUID != nil && update != "uuid" && *id.UUID != m.UUID() && !m.UUID().IsZero():
		return note.Of("assemble.has-wrong-uuid")
	case id.Name != "" && update != "name" && !home.NameMatches(m.SetName(), id.Name):
		return note.Of("assemble.has-wrong-name")
	case id.SuperMinor != nil && *id.SuperMinor != m.SuperMinor():
		return note.Of("assemble.has-wrong-super-minor")
	case id.Level != nil && *id.Level != m.Level():
		return note.Of("assemble.has-wrong-level")
	case id.RaidDisks != nil && m.Slots() != 0 && *id.RaidDisks != m.Slots():
		return note.Of("assemble.has-wrong-number-of-devices")
	case id.Member != "":
		return note.Of("assemble.not-a-container")
	}
	return note.Sentence{}
}

// FoundMember is a member and where it was found.
type FoundMember struct {
	Path     string
	Member   *md.Member
	Major    uint32
	Minor    uint32
	Included bool // already in the array, by --incremental
	Asides   []note.Sentence

	sectors uint64 // of the device; 0 if nobody has asked
}

// DiskInfo returns the argument of ADD_NEW_DISK for the member in the given state.
func (c *FoundMember) DiskInfo(state md.DeviceState) mdctl.DiskInfo {
	return mdctl.DiskInfo{
		Number: int32(c.Member.DevNumber()), Major: int32(c.Major), Minor: int32(c.Minor),
		RaidDisk: int32(c.Member.KernelSlot()), State: mdctl.DiskState(md.DiskBits0(state)),
	}
}

// pool is the devices that assemblies choose from. Devices that one assembly has taken,
// successful or not, are not available to the next one.
type pool []*poolDevice

type poolDevice struct {
	path string
	used usage
}

// usage is how a device of a pool has been used.
type usage int

const (
	unused  usage = iota
	chosen        // by the assembly in progress
	useless       // for this and all later assemblies
)

func newPool(paths []string) pool {
	p := make(pool, len(paths))
	for i, path := range paths {
		p[i] = &poolDevice{path: path}
	}
	return p
}

// selector examines devices and keeps those that make up one array, as mdadm does
// (Assemble.c, select_devices): the first one found decides which array that is.
type selector struct {
	id      Identity
	home    node.Home
	version *md.Version // if given, only this version is looked for
	newest1 bool        // the newest of format 1, until a version is known
	update  string      // what is about to be changed
	auto    bool        // no particular array is looked for
	listed  bool        // the devices were named one by one
	conf    *mdconf.Config
	say     note.Reporter
	probe   func(path string, v *md.Version, newest1 bool) (*FoundMember, *probeError)
	claim   func(path string) error // returns nil if the device is free

	first *md.Member
	found map[*poolDevice]*FoundMember
}

// probeError says why nothing usable was found on a device.
type probeError struct {
	Notes []note.Sentence // normally hidden by -q
	loud  []note.Sentence // shown at any verbosity
	extra error           // what mdadm does not report

	passOver bool // something else on the list will do in its place
}

// errSelect ends an assembly whose devices do not belong together. It has been reported.
var errSelect error = &note.Reported{Err: errors.New("the devices do not make up one array")}

// run selects members. The result is in the order of the pool.
func (s *selector) run(devices pool) ([]*FoundMember, error) {
	s.found = make(map[*poolDevice]*FoundMember)
	for _, d := range devices {
		if d.used != unused {
			d.used = useless
		}
	}
	for _, d := range devices {
		if d.used == useless {
			continue
		}
		if err := s.consider(d); err != nil {
			return nil, err
		}
	}
	var out []*FoundMember
	for _, d := range devices {
		if d.used == chosen {
			out = append(out, s.found[d])
		}
	}
	return out, nil
}

// because reports why a device is passed over: quietly, unless the device was named.
func (s *selector) because(id note.ID, args ...any) {
	l := note.Chatty
	if s.listed {
		l = note.Normal
	}
	s.say.Say(l, id, args...)
}

func (s *selector) consider(d *poolDevice) error {
	if why := s.misplaced(d.path); !why.None() {
		s.because(note.Reason, why)
		return nil
	}
	want := s.version
	if s.first != nil {
		want = &s.first.Version
	}
	c, bad := s.probe(d.path, want, s.newest1)
	if c != nil {
		for _, n := range c.Asides {
			s.because(note.Reason, n)
		}
		if bad = c.tooSmall(); bad == nil || s.update == "devicesize" {
			bad = s.forbidden(c)
		}
	}
	if bad != nil {
		d.used = useless
		return s.noMember(d, bad)
	}
	if why := s.id.mismatch(c.Member, s.home, s.update); !why.None() {
		s.because(note.About, d.path, why)
		return nil
	}
	if s.auto && s.conflicts(c.Member) {
		return nil
	}
	if err := s.claim(d.path); err != nil {
		s.because("assemble.busy-skipping", d.path)
		if s.listed {
			s.say.Holders(note.Normal, d.path, err)
		}
		return nil
	}
	switch {
	case s.first == nil:
		s.first = c.Member
	case SameArray(s.first, c.Member):
	case s.auto:
		return nil // it is looked at later
	default:
		return s.resolve(d, c)
	}
	d.used, s.found[d] = chosen, c
	return nil
}

// misplaced says why a device cannot be meant, judging by its name alone.
func (s *selector) misplaced(path string) note.Sentence {
	switch {
	case strings.HasPrefix(s.id.Container, "/"):
		return note.Of("assemble.not-the-container", path, s.id.Container)
	case s.id.Container == "" && s.id.Devices != "" && !mdconf.MatchOne(s.id.Devices, path):
		return note.Of("assemble.not-one-of-the-devices", path, s.id.Devices)
	}
	return note.Sentence{}
}

// forbidden applies AUTO and POLICY to devices that were not named.
func (s *selector) forbidden(c *FoundMember) *probeError {
	if !s.auto || s.first != nil || s.conf == nil {
		return nil
	}
	format := node.FormatFamily(c.Member.Version)
	if node.PoliciesOf(s.conf, c.Major, c.Minor).AutoAllowed(format, s.home.Owns(c.Member)) {
		return nil
	}
	return &probeError{Notes: []note.Sentence{note.Of("assemble.auto-assembly-disabled", c.Path, format)}}
}

// noMember passes over a device that is unusable, or ends the assembly.
func (s *selector) noMember(d *poolDevice, bad *probeError) error {
	for _, n := range bad.loud {
		s.say.Say(note.Always, note.Reason, n)
	}
	for _, n := range bad.Notes {
		s.because(note.Reason, n)
	}
	if bad.extra != nil && s.listed {
		s.say.Extra(note.Normal, note.Reason, bad.extra)
	}
	if s.auto || !s.listed || s.id.named() || bad.passOver {
		return nil
	}
	s.say.Say(note.Always, "assemble.has-no-superblock-assembly-aborted", d.path)
	return fmt.Errorf("%s: %w", d.path, errSelect)
}

// conflicts checks a member that was not asked for by name against the ARRAY lines of
// the configuration.
func (s *selector) conflicts(m *md.Member) bool {
	if s.conf == nil {
		return false
	}
	line, two := s.conf.Match(mdconf.Facts{
		UUID: m.UUID(), Name: m.SetName(), SuperMinor: m.SuperMinor(), Device: m.Name,
	}, func(why string) { s.say.Say(note.VeryChatty, note.Reason, why) })
	switch {
	case two != nil && line.Device != "" && two.Device != "":
		s.because("assemble.we-match-both-and-cannot-decide-which-use", line.Device, two.Device)
		return true
	case two != nil:
		s.because("assemble.multiple-lines-mdadm-conf-match")
		return true
	case line == nil:
		return false
	case line.Ignored():
		s.because("assemble.member-explicitly-ignored-array", m.Name)
		return true
	}
	id := IdentityOf(line)
	if why := id.mismatch(m, s.home, s.update); !why.None() {
		s.because(note.About, m.Name, why)
		return true
	}
	return false
}

// resolve settles a conflict between two arrays if exactly one of them belongs to this
// host.
func (s *selector) resolve(d *poolDevice, c *FoundMember) error {
	first, this := s.home.Owns(s.first), s.home.Owns(c.Member)
	switch {
	case first && !this:
		s.because("assemble.misses-out-due-wrong-homehost", c.Path)
		return nil
	case this && !first:
		s.because("assemble.overrides-previous-devices-due-good-homehost", c.Path)
		for o := range s.found {
			o.used = unused
		}
		s.first = c.Member
		d.used, s.found[d] = chosen, c
		return nil
	}
	s.say.Say(note.Always, "assemble.superblock-on-doesnt-match-others-assembly-aborted", c.Path)
	return fmt.Errorf("%s: %w", c.Path, errSelect)
}

// SameArray compares what is the same on all members of an array (compare_super in
// super1.c and super0.c).
func SameArray(a, b *md.Member) bool {
	switch {
	case a.Version != b.Version:
		return false
	case a.Super0 != nil && b.Super0 != nil:
		x, y := a.Super0, b.Super0
		return x.UUID() == y.UUID() && x.MinorVersion == y.MinorVersion &&
			x.PatchVersion == y.PatchVersion && x.GValidWords == y.GValidWords && x.CTime == y.CTime &&
			x.Level == y.Level && x.Size == y.Size && x.RaidDisks == y.RaidDisks
	case a.Super1 != nil && b.Super1 != nil:
		x, y := a.Super1, b.Super1
		return x.SetUUID == y.SetUUID && x.CTime == y.CTime && x.Level == y.Level &&
			x.Layout == y.Layout && x.Size == y.Size && x.ChunkSize == y.ChunkSize && x.RaidDisks == y.RaidDisks
	}
	return false
}

// ProbeDevice looks for a superblock on the device at path: of version v or, if v is
// nil, the newest of any version, or of format 1 if newest1 is set.
func ProbeDevice(path string, v *md.Version, newest1 bool) (*FoundMember, *probeError) {
	d, err := device.Open(path, block.ForReading)
	if errors.Is(err, block.ErrNotDevice) {
		// mdadm needs direct access, which only devices and files have.
		return nil, &probeError{
			Notes: []note.Sentence{note.Of("assemble.cannot-open-device", path, note.Errno{Err: unix.EINVAL})},
			extra: err,
		}
	}
	if err != nil {
		return nil, &probeError{Notes: []note.Sentence{note.Of("assemble.cannot-open-device", path, note.Errno{Err: err})}}
	}
	defer d.Close()
	c := &FoundMember{Path: path, Major: d.Major, Minor: d.Minor, sectors: uint64(d.Size()) / md.SectorSize}
	if !d.IsBlockDevice() {
		return nil, &probeError{loud: []note.Sentence{note.Of("assemble.not-block-device", path)}}
	}
	switch {
	case v == nil && newest1:
		var why []*md.LoadError
		c.Member, why = md.LoadNewest(d)
		for _, w := range why {
			c.Asides = append(c.Asides, note.Unloaded(w))
		}
		if c.Member == nil {
			return nil, &probeError{Notes: append(c.Asides, note.Of("assemble.no-superblock", path))}
		}
		c.Member.Name = path
		return c, nil
	case v == nil:
		if c.Member, err = md.GuessSuper(d); err != nil {
			return nil, &probeError{Notes: []note.Sentence{note.Of("assemble.no-superblock-recognised", path)}}
		}
	default:
		var bad *md.LoadError
		if c.Member, bad = md.LoadSuper(d, *v); bad != nil {
			return nil, &probeError{Notes: []note.Sentence{note.Unloaded(bad), note.Of("assemble.no-superblock", path)}}
		}
	}
	c.Member.Name = path
	return c.unlessShared(d)
}

// Truncated reports whether the member's data does not fit on its device.
func (c *FoundMember) Truncated() bool {
	s := c.Member.Super1
	return s != nil && c.sectors > 0 && s.Lacks(c.sectors) > 0
}

// tooSmall refuses a truncated member: the kernel does not take it (super_1_load), and
// --update=devicesize is the only way to make it fit.
func (c *FoundMember) tooSmall() *probeError {
	if !c.Truncated() {
		return nil
	}
	return &probeError{
		loud:  []note.Sentence{note.Of("assemble.not-large-enough", c.Path)},
		Notes: []note.Sentence{note.Of("assemble.no-superblock", c.Path)},
	}
}

// unlessShared passes over a disk whose superblock is that of a partition as well.
func (c *FoundMember) unlessShared(d *device.Device) (*FoundMember, *probeError) {
	p, err := c.Member.SharedWith(d)
	switch {
	case err != nil:
		return nil, &probeError{Notes: []note.Sentence{note.Of("assemble.no-superblock", c.Path)}, extra: err}
	case p != nil:
		return nil, &probeError{loud: []note.Sentence{note.Of("assemble.superblock-of-partition", c.Path, p.Number)}, passOver: true}
	}
	return c, nil
}

// probeSwapped looks for a 0.90 superblock of the other byte order.
func probeSwapped(path string, _ *md.Version, _ bool) (*FoundMember, *probeError) {
	d, err := device.Open(path, block.ForReading)
	if err != nil {
		return nil, &probeError{Notes: []note.Sentence{note.Of("assemble.cannot-open-device", path, note.Errno{Err: err})}}
	}
	defer d.Close()
	if !d.IsBlockDevice() {
		return nil, &probeError{loud: []note.Sentence{note.Of("assemble.not-block-device", path)}}
	}
	m, bad := md.LoadSwapped(d)
	if bad != nil {
		return nil, &probeError{Notes: []note.Sentence{note.Unloaded(bad), note.Of("assemble.no-superblock", path)}}
	}
	m.Name = path
	return &FoundMember{Path: path, Member: m, Major: d.Major, Minor: d.Minor}, nil
}
