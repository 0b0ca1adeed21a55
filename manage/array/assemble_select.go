package array

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/mdconf"
)

// Identity says which array is meant. Nil and empty fields match any.
type Identity struct {
	UUID       *md.UUID
	Name       string
	SuperMinor *int   // the minor number in a 0.90 superblock
	Devices    string // patterns for its members, with commas between them
	Level      *md.Level
	RaidDisks  *int
	Container  string // path or uuid of the container it is in
	Member     string // its name there
}

// IdentityOf takes the identity from an ARRAY line.
func IdentityOf(a *mdconf.Array) Identity {
	return Identity{
		UUID: a.UUID, Name: a.Name, SuperMinor: a.SuperMinor, Devices: a.Devices,
		Level: a.Level, RaidDisks: a.RaidDisks, Container: a.Container, Member: a.Member,
	}
}

// named reports whether anything is given that only one array has; devices
// without a superblock are then passed over instead of ending the command.
func (id *Identity) named() bool { return id.UUID != nil || id.Name != "" || id.SuperMinor != nil }

// single reports whether one array is meant, be it one in a container.
func (id *Identity) single() bool { return id.named() || id.Container != "" && id.Member != "" }

// mismatch says what of a member does not match, in mdadm's words, or "". What
// an update is about to change need not match (Assemble.c, ident_matches).
func (id *Identity) mismatch(m *memberInfo, home Home, update string) string {
	switch {
	case id.UUID != nil && update != "uuid" && *id.UUID != m.UUID && !m.UUID.IsZero():
		return "has wrong uuid."
	case id.Name != "" && update != "name" && !home.nameMatches(m.Name, id.Name):
		return "has wrong name."
	case id.SuperMinor != nil && *id.SuperMinor != m.SuperMinor:
		return "has wrong super-minor."
	case id.Level != nil && *id.Level != m.Level:
		return "has wrong raid level."
	case id.RaidDisks != nil && m.RaidDisks != 0 && *id.RaidDisks != m.RaidDisks:
		return "requires wrong number of drives."
	case id.Member != "":
		return "is not a container and one is required."
	}
	return ""
}

// Home is the host that arrays may belong to.
type Home struct {
	Host    string // "" for none
	Ignored bool   // names match whatever host is in front of them
}

// nameMatches compares an array's name with the one that is wanted; "host:" in
// front of it may be left out for arrays of this host (Assemble.c,
// name_matches).
func (h Home) nameMatches(found, want string) bool {
	if found == want {
		return true
	}
	host, name, ok := strings.Cut(found, ":")
	if !ok || name != want {
		return false
	}
	return host == "any" || h.Host == "any" || h.Ignored || h.Host != "" && host == h.Host
}

// owns reports whether the superblock says that the array is this host's: by
// the name in format 1, by a hash in the uuid in 0.90 (match_home in super1.c
// and super0.c).
func (h Home) owns(m *md.Member) bool {
	if h.Host == "" {
		return false
	}
	if m.Super0 != nil {
		sum := sha1.Sum([]byte(h.Host))
		return m.Super0.SetUUID2 == binary.NativeEndian.Uint32(sum[:]) &&
			m.Super0.SetUUID3 == binary.NativeEndian.Uint32(sum[4:])
	}
	return len(h.Host) < 32 && strings.HasPrefix(name1(m.Super1), h.Host+":")
}

// contender is a device and what was found on it.
type contender struct {
	path     string
	member   *md.Member
	major    uint32
	minor    uint32
	included bool // in the array already, by way of --incremental
	asides   []string
}

// pool is the devices that assemblies choose from. Those that one assembly has
// taken, successful or not, are not for the next one.
type pool []*poolDevice

type poolDevice struct {
	path string
	used usage
}

// usage is what became of a device in a pool.
type usage int

const (
	unused  usage = iota
	chosen        // by the assembly that is going on
	useless       // for this and all further assemblies
)

func newPool(paths []string) pool {
	p := make(pool, len(paths))
	for i, path := range paths {
		p[i] = &poolDevice{path: path}
	}
	return p
}

// selector goes through devices and keeps those that make up one array, as
// mdadm does (Assemble.c, select_devices): the first one found decides which
// array that is.
type selector struct {
	id      Identity
	home    Home
	version *md.Version // the only one looked for, if given
	newest1 bool        // of format 1, until a version is known
	update  string      // what is about to be updated
	auto    bool        // no particular array is looked for
	listed  bool        // the devices were named one by one
	conf    *mdconf.Config
	say     Reporter
	probe   func(path string, v *md.Version, newest1 bool) (*contender, *probeError)
	claim   func(path string) error // nil if nobody holds the device

	first *md.Member
	found map[*poolDevice]*contender
}

// probeError is why nothing usable was found on a device.
type probeError struct {
	notes []string // in mdadm's words; normally hidden by -q
	loud  []string // shown whatever the verbosity
	extra string   // what mdadm does not say
}

// errSelect ends an assembly whose devices do not fit together. It has been
// reported.
var errSelect error = &Said{errors.New("the devices do not make up one array")}

// run selects. The result is in the order of the pool.
func (s *selector) run(devices pool) ([]*contender, error) {
	s.found = make(map[*poolDevice]*contender)
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
	var out []*contender
	for _, d := range devices {
		if d.used == chosen {
			out = append(out, s.found[d])
		}
	}
	return out, nil
}

// because says why a device is passed over. Unless it was named that is of
// little interest.
func (s *selector) because(format string, args ...any) {
	l := Chatty
	if s.listed {
		l = Normal
	}
	s.say.say(l, format, args...)
}

func (s *selector) consider(d *poolDevice) error {
	if why := s.misplaced(d.path); why != "" {
		s.because("%s", why)
		return nil
	}
	want := s.version
	if s.first != nil {
		want = &s.first.Version
	}
	c, bad := s.probe(d.path, want, s.newest1)
	if c != nil {
		for _, n := range c.asides {
			s.because("%s", n)
		}
		bad = s.forbidden(c)
	}
	if bad != nil {
		d.used = useless
		return s.noMember(d, bad)
	}
	info := infoOf(c.member)
	if why := s.id.mismatch(&info, s.home, s.update); why != "" {
		s.because("%s %s", d.path, why)
		return nil
	}
	if s.auto && s.conflicts(&info) {
		return nil
	}
	if err := s.claim(d.path); err != nil {
		s.because("%s is busy - skipping", d.path)
		if s.listed {
			s.say.holders(Normal, d.path, err)
		}
		return nil
	}
	switch {
	case s.first == nil:
		s.first = c.member
	case sameArray(s.first, c.member):
	case s.auto:
		return nil // its turn comes
	default:
		return s.resolve(d, c)
	}
	d.used, s.found[d] = chosen, c
	return nil
}

// misplaced says why a device cannot be meant, by its name alone.
func (s *selector) misplaced(path string) string {
	switch {
	case strings.HasPrefix(s.id.Container, "/"):
		return fmt.Sprintf("%s is not the container required (%s)", path, s.id.Container)
	case s.id.Container == "" && s.id.Devices != "" && !mdconf.MatchOne(s.id.Devices, path):
		return fmt.Sprintf("%s is not one of %s", path, s.id.Devices)
	}
	return ""
}

// forbidden holds AUTO and POLICY against what nobody asked for by name.
func (s *selector) forbidden(c *contender) *probeError {
	if !s.auto || s.first != nil || s.conf == nil {
		return nil
	}
	format := formatFamily(c.member.Version)
	if policiesOf(s.conf, c.major, c.minor).AutoAllowed(format, s.home.owns(c.member)) {
		return nil
	}
	return &probeError{notes: []string{fmt.Sprintf(
		"%s has metadata type %s for which auto-assembly is disabled", c.path, format)}}
}

// noMember passes over a device that is of no use, or ends the assembly.
func (s *selector) noMember(d *poolDevice, bad *probeError) error {
	for _, n := range bad.loud {
		s.say.say(Always, "%s", n)
	}
	for _, n := range bad.notes {
		s.because("%s", n)
	}
	if bad.extra != "" && s.listed {
		s.say.extra(Normal, "%s", bad.extra)
	}
	if s.auto || !s.listed || s.id.named() {
		return nil
	}
	s.say.say(Always, "%s has no superblock - assembly aborted", d.path)
	return fmt.Errorf("%s: %w", d.path, errSelect)
}

// conflicts holds what nobody asked for by name against the ARRAY lines of the
// configuration.
func (s *selector) conflicts(info *memberInfo) bool {
	if s.conf == nil {
		return false
	}
	line, two := s.conf.Match(mdconf.Facts{
		UUID: info.UUID, Name: info.Name, SuperMinor: info.SuperMinor, Device: info.Device,
	}, func(why string) { s.say.say(veryChatty, "%s", why) })
	switch {
	case two != nil && line.Device != "" && two.Device != "":
		s.because("we match both %s and %s - cannot decide which to use.", line.Device, two.Device)
		return true
	case two != nil:
		s.because("multiple lines in mdadm.conf match")
		return true
	case line == nil:
		return false
	case line.Ignored():
		s.because("%s is a member of an explicitly ignored array", info.Device)
		return true
	}
	id := IdentityOf(line)
	if why := id.mismatch(info, s.home, s.update); why != "" {
		s.because("%s %s", info.Device, why)
		return true
	}
	return false
}

// resolve settles a clash between two arrays if exactly one of them is this
// host's.
func (s *selector) resolve(d *poolDevice, c *contender) error {
	first, this := s.home.owns(s.first), s.home.owns(c.member)
	switch {
	case first && !this:
		s.because("%s misses out due to wrong homehost", c.path)
		return nil
	case this && !first:
		s.because("%s overrides previous devices due to good homehost", c.path)
		for o := range s.found {
			o.used = unused
		}
		s.first = c.member
		d.used, s.found[d] = chosen, c
		return nil
	}
	s.say.say(Always, "superblock on %s doesn't match others - assembly aborted", c.path)
	return fmt.Errorf("%s: %w", c.path, errSelect)
}

// sameArray compares what all members of an array have in common
// (compare_super in super1.c and super0.c).
func sameArray(a, b *md.Member) bool {
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

// probeDevice looks for a superblock on the device at path: of version v or, if
// v is nil, the newest there is, of format 1 if only that will do.
func probeDevice(path string, v *md.Version, newest1 bool) (*contender, *probeError) {
	d, err := openDevice(path, block.ForReading)
	if errors.Is(err, block.ErrNotDevice) {
		// mdadm asks for direct access, which nothing but devices and files has.
		return nil, &probeError{
			notes: []string{fmt.Sprintf("cannot open device %s: %s", path, errnoText(unix.EINVAL))},
			extra: err.Error(),
		}
	}
	if err != nil {
		return nil, &probeError{notes: []string{fmt.Sprintf("cannot open device %s: %s", path, errnoText(err))}}
	}
	defer d.Close()
	c := &contender{path: path, major: d.major, minor: d.minor}
	if !d.IsBlockDevice() {
		return nil, &probeError{loud: []string{path + " is not a block device."}}
	}
	switch {
	case v == nil && newest1:
		var why []*loadError
		c.member, why = loadNewest(d)
		for _, w := range why {
			c.asides = append(c.asides, w.text)
		}
		if c.member == nil {
			return nil, &probeError{notes: append(c.asides, "no RAID superblock on "+path)}
		}
		c.member.Name = path
		return c, nil
	case v == nil:
		if c.member, err = guessSuper(d); err != nil {
			return nil, &probeError{notes: []string{"no recogniseable superblock on " + path}}
		}
		c.member.Name = path
		return c, nil
	}
	var bad *loadError
	if c.member, bad = loadSuper(d, *v); bad != nil {
		return nil, &probeError{notes: []string{bad.text, "no RAID superblock on " + path}}
	}
	c.member.Name = path
	return c, nil
}

// probeSwapped looks for a 0.90 superblock of the other byte order.
func probeSwapped(path string, _ *md.Version, _ bool) (*contender, *probeError) {
	d, err := openDevice(path, block.ForReading)
	if err != nil {
		return nil, &probeError{notes: []string{fmt.Sprintf("cannot open device %s: %s", path, errnoText(err))}}
	}
	defer d.Close()
	if !d.IsBlockDevice() {
		return nil, &probeError{loud: []string{path + " is not a block device."}}
	}
	m, bad := loadSwapped(d)
	if bad != nil {
		return nil, &probeError{notes: []string{bad.text, "no RAID superblock on " + path}}
	}
	m.Name = path
	return &contender{path: path, member: m, major: d.major, minor: d.minor}, nil
}

// claimDevice tries whether the device is free.
func claimDevice(path string) error {
	if _, _, byNumber := parseDevNumber(path); !byNumber {
		d, err := block.OpenFile(path, block.ForReading|block.Exclusive) // what is cached of it may stay
		if err != nil {
			return err
		}
		return d.Close()
	}
	d, err := openDevice(path, block.ForReading|block.Exclusive)
	if err != nil {
		return err
	}
	return d.Close()
}
