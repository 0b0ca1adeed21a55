package recover

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
)

// MaxMembers is how many members Search can put in order.
const MaxMembers = 16

// Errors of Search.
var (
	// ErrNothingKnown means that the members hold nothing whose place in an
	// array could be determined: no ext4 filesystem, or not its beginning.
	ErrNothingKnown = errors.New("no ext4 filesystem begins on any of the members")
	// ErrMembers marks a number of members that Search cannot handle.
	ErrMembers = errors.New("between 1 and 16 members can be put in order")
)

// Options of Search.
type Options struct {
	// RaidDevices is how many slots the array has; 0 tries as many as there are
	// members, and one more.
	RaidDevices int
	// Progress is told how many of the geometries have been looked at; it may
	// be nil.
	Progress func(done, total int)
	// Keep is how many candidates to return at most; 0 means 10.
	Keep int
}

// Tally counts what was looked at and how much of it was right.
type Tally struct {
	Good int `json:"good"`
	Bad  int `json:"bad"`
}

// ratio is the share that was right, 0 if nothing was looked at.
func (t Tally) ratio() float64 {
	if t.Good+t.Bad == 0 {
		return 0
	}
	return float64(t.Good) / float64(t.Good+t.Bad)
}

func (t *Tally) count(good bool) {
	if good {
		t.Good++
	} else {
		t.Bad++
	}
}

// Candidate is a way in which the members may have been an array.
type Candidate struct {
	Geometry
	Order []int // for each slot the index of its member, -1 for a missing one
	// Orders is how many orders explain what was found on the members equally
	// well: the members of mirrors are alike, and some slots may hold nothing
	// whose place is known.
	Orders int
	Label  string // of the filesystem
	Size   int64  // of the filesystem, bytes

	Members    Tally // places looked up on the members themselves
	Content    Tally // the same places, read through the array
	Redundancy Tally // samples of parity, or of copies
}

// Missing is how many slots have no member.
func (c *Candidate) Missing() int {
	n := 0
	for _, m := range c.Order {
		if m < 0 {
			n++
		}
	}
	return n
}

// Score ranks candidates: the share of the content that is in its place, for
// levels that keep parity or copies adjusted by how well these agree.
func (c *Candidate) Score() float64 {
	score := c.Content.ratio()
	if c.Redundancy.Good+c.Redundancy.Bad > 0 {
		score += 0.3 * (2*c.Redundancy.ratio() - 1)
	}
	return score
}

// plainness ranks levels that explain the same evidence equally well.
var plainness = []md.Level{md.LevelRAID1, md.LevelRAID10, md.LevelRAID5, md.LevelRAID4, md.LevelRAID6, md.LevelRAID0}

// better compares candidates, the better one first.
func better(a, b *Candidate) int {
	return cmp.Or(
		cmp.Compare(b.Score(), a.Score()),
		cmp.Compare(a.Missing(), b.Missing()),
		cmp.Compare(b.Content.Good, a.Content.Good),
		cmp.Compare(slices.Index(plainness, a.Level), slices.Index(plainness, b.Level)),
	)
}

// searcher is one search.
type searcher struct {
	members []block.Device
	opt     Options
	done    int
	total   int
	buf     []byte
	elected []match
	found   []*Candidate
}

// match is a candidate whose members fit, and the facts known about it.
type match struct {
	*Candidate
	facts []fact
}

// Limits on which matches are tried out: not much worse than the best one,
// judged on the members alone, and not too many.
const (
	trials     = 48
	trialShare = 0.3
)

// Search ranks the geometries in which the members can have been an array, the
// best first. It reads the beginning of each member and what the filesystem
// says is worth reading, and keeps nothing but counts. If ctx ends, it ends
// early, with ctx's error. All members are assumed to have their data at the
// same offset.
func Search(ctx context.Context, members []block.Device, opt Options) ([]*Candidate, error) {
	if len(members) == 0 || len(members) > MaxMembers || opt.RaidDevices > MaxMembers {
		return nil, ErrMembers
	}
	if opt.RaidDevices > 0 && opt.RaidDevices < len(members) {
		return nil, fmt.Errorf("%d members for %d slots: %w", len(members), opt.RaidDevices, ErrMembers)
	}
	if opt.Keep <= 0 {
		opt.Keep = 10
	}
	s := &searcher{members: members, opt: opt}
	origins, err := s.origins(ctx)
	if err != nil {
		return nil, err
	}
	if len(origins) == 0 {
		return nil, ErrNothingKnown
	}
	var all []Geometry
	for slots := len(members); slots <= len(members)+1 && slots <= MaxMembers; slots++ {
		if opt.RaidDevices > 0 && slots != opt.RaidDevices {
			continue
		}
		for _, g := range shapes(slots) {
			if slots == len(members) || redundant(g.Level) {
				all = append(all, g)
			}
		}
	}
	s.total = len(all) * len(origins)
	for _, o := range origins {
		for _, g := range all {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s.try(o, g)
			if s.done++; opt.Progress != nil {
				opt.Progress(s.done, s.total)
			}
		}
	}
	if err := s.judge(ctx); err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.found, better)
	return s.found[:min(len(s.found), opt.Keep)], nil
}

// origin is a place on the members where an array can begin.
type origin struct {
	off int64 // bytes
	fs  *filesystem
}

// How far into a member an array's data is looked for, and in what steps: mdadm
// leaves at most a little more than 128 MiB, and never less than a page.
const (
	originLimit = 192 << 20
	originStep  = 4 << 10
	originPiece = 1 << 20
	originMax   = 8 // further ones are files that hold filesystems
)

// origins finds the beginnings of filesystems: on the members, and on a missing
// one, which the xor of the others may yield.
func (s *searcher) origins(ctx context.Context) ([]origin, error) {
	var list []origin
	pieces := make([][]byte, len(s.members))
	for at := int64(0); at < originLimit; at += originPiece {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		shortest := int64(originPiece)
		for i, m := range s.members {
			n := max(0, min(originPiece, m.Size()-at))
			shortest = min(shortest, n)
			pieces[i] = append(pieces[i][:0], make([]byte, n)...)
			if block.ReadFull(m, pieces[i], at) != nil {
				clear(pieces[i]) // what cannot be read holds no evidence
			}
		}
		if !slices.ContainsFunc(pieces, func(p []byte) bool { return len(p) > 0 }) {
			break
		}
		for off := int64(superOff); off+superLen <= originPiece; off += originStep {
			for _, b := range supersAt(pieces, off, off+superLen <= shortest) {
				fs, group, err := parseSuper(b)
				known := func(k origin) bool { return k.off == at+off-superOff && k.fs.uuid == fs.uuid }
				if err == nil && group == 0 && len(list) < originMax && !slices.ContainsFunc(list, known) {
					list = append(list, origin{at + off - superOff, fs})
				}
			}
		}
	}
	return list, nil
}

// supersAt lists what could be a superblock at an offset of the pieces: what
// each member has there and, if all of them reach that far, the xor of all, and
// of all but one.
func supersAt(pieces [][]byte, off int64, parity bool) [][]byte {
	const magic = 0x38
	var list [][]byte
	sum := uint16(0)
	for _, p := range pieces {
		if off+superLen > int64(len(p)) {
			continue
		}
		word := le.Uint16(p[off+magic:])
		sum ^= word
		if word == extMagic {
			list = append(list, p[off:off+superLen])
		}
	}
	if !parity || len(pieces) < 2 {
		return list
	}
	for except := -1; except < len(pieces); except++ {
		word := sum
		if except >= 0 {
			word ^= le.Uint16(pieces[except][off+magic:])
		}
		if word != extMagic {
			continue
		}
		all := make([]byte, superLen)
		for i, p := range pieces {
			if i != except {
				subtle.XORBytes(all, all, p[off:off+superLen])
			}
		}
		list = append(list, all)
	}
	return list
}

// promising is the share of the first facts that must be in place for a
// geometry to be examined more closely.
const promising = 0.5

// try checks whether the filesystem fits one geometry, on the members alone.
func (s *searcher) try(o origin, g Geometry) {
	g.DataOffset = o.off
	var err error
	if g.Used, err = s.used(g); err != nil {
		return // the members are too small for it
	}
	m, err := g.mapper()
	if err != nil || m.size < o.fs.size() {
		return // it is impossible, or has no room for the filesystem
	}
	b := newBallot(s, g, m)
	first := append(o.fs.supers(), o.fs.descs()...)
	for _, f := range first {
		b.vote(f)
	}
	order, tally, _ := b.elect()
	if tally.Good+tally.Bad > 0 && tally.ratio() < promising {
		return // if all of them lie on a missing member they decide nothing
	}
	facts := first
	if groups, ok := b.groups(o.fs, order); ok {
		more := append(o.fs.bitmaps(groups), o.fs.tables(groups)...)
		for _, f := range more {
			b.vote(f)
		}
		order, _, _ = b.elect()
		inside := o.fs.directories(groups, func(f fact) ([]byte, bool) { return b.holder(f, order) })
		for _, f := range inside {
			b.vote(f)
		}
		facts = slices.Concat(first, more, inside)
	}
	c := &Candidate{Geometry: g, Label: o.fs.label, Size: o.fs.size()}
	c.Order, c.Members, c.Orders = b.elect()
	if c.Members.ratio() >= promising {
		s.elected = append(s.elected, match{c, facts})
	}
}

// judge tries out the matches that are worth it.
func (s *searcher) judge(ctx context.Context) error {
	slices.SortStableFunc(s.elected, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.Members.Good, a.Members.Good), cmp.Compare(b.Members.ratio(), a.Members.ratio()))
	})
	for _, c := range s.elected[:min(len(s.elected), trials)] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if float64(c.Members.Good) < trialShare*float64(s.elected[0].Members.Good) {
			break
		}
		if s.trial(c.Candidate, c.facts) == nil && c.Score() > promising {
			s.found = append(s.found, c.Candidate)
		}
	}
	return nil
}

// used is how much of each member the array can use.
func (s *searcher) used(g Geometry) (int64, error) {
	least := s.members[0].Size()
	for _, m := range s.members[1:] {
		least = min(least, m.Size())
	}
	sectors, err := fresh.UsableSectors(g.Version(), uint64(least/md.SectorSize), uint64(g.DataOffset/md.SectorSize), false)
	if err != nil {
		return 0, err
	}
	used := int64(sectors) * md.SectorSize
	if g.Chunk > 0 {
		used = used / g.Chunk * g.Chunk
	}
	return used, nil
}

// Version is the superblock format that leaves the data where it is: 1.2 if
// there is room before it, otherwise 1.0, which lies at the end.
func (g Geometry) Version() md.Version {
	if off, _ := md.V12.SuperOffset(1 << 40); g.DataOffset >= off+super1Room {
		return md.V12
	}
	return md.V10
}

// super1Room is what a 1.x superblock takes at most, in bytes.
const super1Room = 4096
