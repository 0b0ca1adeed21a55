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
)

// Identity says which array is meant. Nil and empty fields match any.
type Identity struct {
	UUID       *md.UUID
	Name       string
	SuperMinor *int // the minor number in a 0.90 superblock
}

// named reports whether anything is given; devices without a superblock are
// then passed over instead of ending the command.
func (id *Identity) named() bool { return id.UUID != nil || id.Name != "" || id.SuperMinor != nil }

// mismatch says what of a member does not match, in mdadm's words, or "".
func (id *Identity) mismatch(m *memberInfo, home Home) string {
	switch {
	case id.UUID != nil && *id.UUID != m.UUID && !m.UUID.IsZero():
		return "has wrong uuid."
	case id.Name != "" && !home.nameMatches(m.Name, id.Name):
		return "has wrong name."
	case id.SuperMinor != nil && *id.SuperMinor != m.SuperMinor:
		return "has wrong super-minor."
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

// contender is a device from the command line and what was found on it.
type contender struct {
	path   string
	member *md.Member
	major  uint32
	minor  uint32
	usable bool // of the array
	asides []string
}

// selector goes through devices and keeps those that make up one array, as
// mdadm does (Assemble.c, select_devices): the first one found decides which
// array that is.
type selector struct {
	id      Identity
	home    Home
	version *md.Version // the only one looked for, if given
	newest1 bool        // of format 1, until a version is known
	say     Reporter
	probe   func(path string, v *md.Version, newest1 bool) (*contender, *probeError)
	claim   func(path string) error // nil if nobody holds the device

	first *md.Member
	found []*contender
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

// run selects. The result is in the order given.
func (s *selector) run(paths []string) ([]*contender, error) {
	for _, path := range paths {
		if err := s.consider(path); err != nil {
			return nil, err
		}
	}
	var out []*contender
	for _, c := range s.found {
		if c.usable {
			out = append(out, c)
		}
	}
	return out, nil
}

func (s *selector) sayAll(notes []string) {
	for _, n := range notes {
		s.say.say(Normal, "%s", n)
	}
}

func (s *selector) consider(path string) error {
	want := s.version
	if s.first != nil {
		want = &s.first.Version
	}
	c, bad := s.probe(path, want, s.newest1)
	if c != nil {
		s.sayAll(c.asides)
	}
	if bad != nil {
		for _, n := range bad.loud {
			s.say.say(Always, "%s", n)
		}
		s.sayAll(bad.notes)
		if bad.extra != "" {
			s.say.extra(Normal, "%s", bad.extra)
		}
		if s.id.named() {
			return nil
		}
		s.say.say(Always, "%s has no superblock - assembly aborted", path)
		return fmt.Errorf("%s: %w", path, errSelect)
	}
	info := infoOf(c.member)
	if why := s.id.mismatch(&info, s.home); why != "" {
		s.say.say(Normal, "%s %s", path, why)
		return nil
	}
	if err := s.claim(path); err != nil {
		s.say.say(Normal, "%s is busy - skipping", path)
		s.say.holders(Normal, path, err)
		return nil
	}
	c.usable = true
	switch {
	case s.first == nil:
		s.first = c.member
	case !sameArray(s.first, c.member):
		return s.resolve(c)
	}
	s.found = append(s.found, c)
	return nil
}

// resolve settles a clash between two arrays if exactly one of them is this
// host's.
func (s *selector) resolve(c *contender) error {
	first, this := s.home.owns(s.first), s.home.owns(c.member)
	switch {
	case first && !this:
		s.say.say(Normal, "%s misses out due to wrong homehost", c.path)
		return nil
	case this && !first:
		s.say.say(Normal, "%s overrides previous devices due to good homehost", c.path)
		for _, o := range s.found {
			o.usable = false
		}
		s.first = c.member
		s.found = append(s.found, c)
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

// claimDevice tries whether the device is free.
func claimDevice(path string) error {
	d, err := openDevice(path, block.ForReading|block.Exclusive)
	if err != nil {
		return err
	}
	return d.Close()
}
