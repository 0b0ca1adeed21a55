package assemble

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
)

// newMember makes the superblock of a member of a three-letter kind of array: of
// n slots, by version 1.2, all of whose slots it believes to be in use.
func newMember(name string, level md.Level, n, slot int, events uint64) *md.Member {
	s := &md.Super1{
		Magic: md.SuperMagic, MajorVersion: 1, SetUUID: md.UUID{1}, Level: level, RaidDisks: uint32(n),
		Size: 2048, ChunkSize: 128, DataOffset: 2048, SuperOffset: 8, DevNumber: uint32(slot),
		Events: events, ResyncOffset: md.MaxSector,
	}
	if level == md.LevelRAID10 {
		s.Layout = 0x102
	}
	for i := range n {
		s.DevRoles = append(s.DevRoles, md.Role(i))
	}
	return &md.Member{Name: name, Version: md.V12, Offset: 4096, Super1: s}
}

func spare(name string, level md.Level, n, number int, events uint64) *md.Member {
	m := newMember(name, level, n, 0, events)
	m.Super1.DevNumber = uint32(number)
	for len(m.Super1.DevRoles) <= number {
		m.Super1.DevRoles = append(m.Super1.DevRoles, md.RoleSpare)
	}
	return m
}

// believes makes a member's table say that slots have failed.
func believes(m *md.Member, failed ...int) *md.Member {
	for _, slot := range failed {
		m.Super1.DevRoles[slot] = md.RoleFaulty
	}
	return m
}

// damaged makes the kernel refuse a member.
func damaged(m *md.Member) *md.Member {
	m.Err = errors.New("bad checksum")
	return m
}

func dirty(m *md.Member) *md.Member {
	m.Super1.ResyncOffset = 0
	return m
}

// rebuilding has a member that has only just been added.
func rebuilding(m *md.Member) *md.Member {
	m.Super1.FeatureMap |= md.FeatureRecoveryOffset
	m.Super1.RecoveryOffset = 0
	return m
}

// last6 has Q on the last member alone.
func last6(m *md.Member) *md.Member {
	m.Super1.Layout = md.LayoutLeftSymmetric6
	return m
}

// settleAll runs the whole decision.
func settleAll(t *testing.T, members []*md.Member, opt settleOptions) *settled {
	t.Helper()
	infos := make([]md.Info, len(members))
	for i, m := range members {
		infos[i] = md.InfoOf(m)
	}
	c, err := choose(infos, opt.Force)
	if err != nil {
		t.Fatal(err)
	}
	s := c.settle(members, opt)
	if s == nil {
		t.Fatal("no suitable member")
	}
	return s
}

// in lists the devices that take part, sorted.
func (s *settled) in() string {
	var names []string
	for i, j := range s.best {
		if j >= 0 && s.cands[j].upToDate && i < len(s.avail)*2 {
			names = append(names, s.cands[j].Device)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// written lists the devices whose superblocks change, sorted.
func (s *settled) written() string {
	var names []string
	for _, j := range s.writes() {
		names = append(names, s.cands[j].Device)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// orders yields every order of the members.
func orders(members []*md.Member) func(func([]*md.Member) bool) {
	var rec func(done, left []*md.Member, yield func([]*md.Member) bool) bool
	rec = func(done, left []*md.Member, yield func([]*md.Member) bool) bool {
		if len(left) == 0 {
			return yield(done)
		}
		for i := range left {
			rest := slices.Concat(left[:i], left[i+1:])
			if !rec(append(slices.Clone(done), left[i]), rest, yield) {
				return false
			}
		}
		return true
	}
	return func(yield func([]*md.Member) bool) { rec(nil, members, yield) }
}

func TestDecideAssembly(t *testing.T) {
	const r1, r5, r6, r10 = md.LevelRAID1, md.LevelRAID5, md.LevelRAID6, md.LevelRAID10
	force := settleOptions{Force: true, Partial: true}
	for _, tc := range []struct {
		name    string
		members []*md.Member
		opt     settleOptions
		start   startVerdict
		in      string
		written string
	}{
		{
			name: "all there", start: startNow, in: "a b c",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), newMember("b", r5, 3, 1, 9), newMember("c", r5, 3, 2, 9)},
		}, {
			name: "one event behind is current", start: startNow, in: "a b c",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), newMember("b", r5, 3, 1, 8), newMember("c", r5, 3, 2, 9)},
		}, {
			name: "degraded since it ran", start: startNeedRun, in: "a b",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), newMember("b", r5, 3, 1, 9)},
		}, {
			name: "degraded since it ran, run", opt: settleOptions{Run: true}, start: startNow, in: "a b",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), newMember("b", r5, 3, 1, 9)},
		}, {
			name: "known to be degraded", start: startNow, in: "a b",
			members: []*md.Member{believes(newMember("a", r5, 3, 0, 9), 2), believes(newMember("b", r5, 3, 1, 9), 2)},
		}, {
			name: "stale member stays out", start: startNow, in: "a b",
			members: []*md.Member{
				believes(newMember("a", r5, 3, 0, 9), 2), believes(newMember("b", r5, 3, 1, 9), 2), newMember("c", r5, 3, 2, 4),
			},
		}, {
			name: "too few", start: startTooFew, in: "a",
			members: []*md.Member{newMember("a", r5, 3, 0, 9)},
		}, {
			name: "too few, force has nobody to take", opt: force, start: startTooFew, in: "a",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), spare("s", r5, 3, 3, 9)},
		}, {
			name: "force takes the newest that fell behind", opt: force, start: startNow, in: "a b c", written: "a c",
			members: []*md.Member{
				believes(newMember("a", r5, 4, 0, 20), 2, 3), believes(newMember("b", r5, 4, 1, 20), 2, 3),
				believes(newMember("c", r5, 4, 2, 15), 3), newMember("d", r5, 4, 3, 10),
			},
		}, {
			name: "force that does not suffice changes nothing", opt: force, start: startTooFew, in: "a",
			members: []*md.Member{newMember("a", r6, 5, 0, 20), newMember("b", r6, 5, 1, 15)},
		}, {
			name: "force takes all of one vintage", opt: force, start: startNow, in: "a b c d", written: "a b c d",
			members: []*md.Member{
				believes(newMember("a", r6, 4, 0, 20), 1, 2, 3), newMember("b", r6, 4, 1, 10), newMember("c", r6, 4, 2, 10), newMember("d", r6, 4, 3, 10),
			},
		}, {
			name: "force without need changes nothing", opt: force, start: startNow, in: "a b c",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), newMember("b", r5, 3, 1, 9), newMember("c", r5, 3, 2, 9)},
		}, {
			name: "dirty and degraded", start: startDirty, in: "a b",
			members: []*md.Member{dirty(believes(newMember("a", r5, 3, 0, 9), 2)), dirty(believes(newMember("b", r5, 3, 1, 9), 2))},
		}, {
			name: "dirty and degraded, force marks one clean", opt: force, start: startNow, in: "a b", written: "a",
			members: []*md.Member{dirty(believes(newMember("a", r5, 3, 0, 9), 2)), dirty(believes(newMember("b", r5, 3, 1, 9), 2))},
		}, {
			name: "damaged superblocks are not forced", opt: force, start: startTooFew, in: "a",
			members: []*md.Member{believes(newMember("a", r5, 3, 0, 20), 1, 2), damaged(newMember("b", r5, 3, 1, 15))},
		}, {
			name: "damaged superblock is not the measure", start: startNow, in: "a b",
			members: []*md.Member{
				believes(newMember("a", r5, 3, 0, 9), 2), believes(newMember("b", r5, 3, 1, 9), 2), damaged(newMember("c", r5, 3, 2, 1<<40)),
			},
		}, {
			name: "reports the freshest as failed", start: startNow, in: "b",
			members: []*md.Member{believes(newMember("a", r1, 2, 0, 9), 1), believes(newMember("b", r1, 2, 1, 10), 0)},
		}, {
			name: "cut while a new member's superblock was written first", start: startNow, in: "a b",
			members: []*md.Member{
				believes(newMember("a", r1, 3, 0, 9), 2), believes(newMember("b", r1, 3, 1, 9), 2), rebuilding(newMember("c", r1, 3, 2, 10)),
			},
		}, {
			name: "two updates after which a new member is the only one", start: startTooFew, in: "c",
			members: []*md.Member{
				believes(newMember("a", r1, 3, 0, 9), 2), believes(newMember("b", r1, 3, 1, 9), 2), rebuilding(newMember("c", r1, 3, 2, 11)),
			},
		}, {
			name: "dirty, without a member that is parity alone", start: startNow, in: "a b c d",
			members: []*md.Member{
				dirty(last6(newMember("a", r6, 4, 0, 9))), dirty(last6(newMember("b", r6, 4, 1, 9))), dirty(last6(newMember("c", r6, 4, 2, 9))),
				dirty(last6(rebuilding(newMember("d", r6, 4, 3, 9)))),
			},
		}, {
			name: "dirty, without a member that has data", start: startDirty, in: "a b c d",
			members: []*md.Member{
				dirty(last6(newMember("a", r6, 4, 0, 9))), dirty(last6(newMember("b", r6, 4, 1, 9))),
				dirty(last6(rebuilding(newMember("c", r6, 4, 2, 9)))), dirty(last6(newMember("d", r6, 4, 3, 9))),
			},
		}, {
			name: "one of each raid10 pair", opt: settleOptions{Run: true}, start: startNow, in: "a d",
			members: []*md.Member{newMember("a", r10, 4, 0, 9), newMember("d", r10, 4, 3, 9)},
		}, {
			name: "half a raid10", start: startTooFew, in: "a b",
			members: []*md.Member{newMember("a", r10, 4, 0, 9), newMember("b", r10, 4, 1, 9)},
		}, {
			name: "no degraded", opt: settleOptions{NoDegraded: true}, start: startNotWanted, in: "a b",
			members: []*md.Member{newMember("a", r5, 3, 0, 9), newMember("b", r5, 3, 1, 9)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for order := range orders(tc.members) {
				s := settleAll(t, order, tc.opt)
				if s.start != tc.start || s.in() != tc.in || s.written() != tc.written {
					t.Errorf("%s: start %v in %q written %q, want %v %q %q",
						namesOf(order), s.start, s.in(), s.written(), tc.start, tc.in, tc.written)
				}
			}
		})
	}
}

func namesOf(members []*md.Member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// TestForceInEveryOrder is the case of mdadm's force_array: a raid5 of four of
// which one failed, all data was rewritten, and then a second one failed. Only
// the second may come back, in whatever order the devices are named. Extra
// devices in front of them must not matter either.
func TestForceInEveryOrder(t *testing.T) {
	members := []*md.Member{
		newMember("stale", md.LevelRAID5, 4, 0, 19),
		believes(newMember("b", md.LevelRAID5, 4, 1, 32), 0, 2),
		believes(newMember("newest", md.LevelRAID5, 4, 2, 24), 0),
		believes(newMember("d", md.LevelRAID5, 4, 3, 32), 0, 2),
		spare("s", md.LevelRAID5, 4, 4, 19),
	}
	tried := 0
	for order := range orders(members) {
		tried++
		s := settleAll(t, order, settleOptions{Force: true, Partial: true})
		if got := s.in(); got != "b d newest" || s.start != startNow || s.working != 3 {
			t.Fatalf("%s: in %q, %d working, start %v", namesOf(order), got, s.working, s.start)
		}
		for _, j := range s.writes() {
			if name := s.cands[j].Device; name == "stale" || name == "d" || name == "s" {
				t.Fatalf("%s: %s would be written", namesOf(order), name)
			}
		}
	}
	t.Logf("%d orders", tried)
}

// TestForceWritesWhatItSays reads the planned superblocks back.
func TestForceWritesWhatItSays(t *testing.T) {
	members := []*md.Member{
		believes(newMember("a", md.LevelRAID5, 3, 0, 32), 1),
		newMember("b", md.LevelRAID5, 3, 1, 24),
	}
	s := settleAll(t, members, settleOptions{Force: true, Partial: true})
	for _, j := range s.writes() {
		parsed, err := md.ParseSuper1(append(s.edits[j].Bytes(), make([]byte, md.Super1Size)...))
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Events != 32 || parsed.DevRoles[0] != 0 || parsed.DevRoles[1] != 1 {
			t.Errorf("%s: events %d, roles %v", members[j].Name, parsed.Events, parsed.DevRoles)
		}
	}
	if got := s.written(); got != "a b" {
		t.Errorf("written %q", got)
	}
	if members[1].Super1.Events != 24 {
		t.Error("planning has changed what was read")
	}
}

// TestRecoveryOffsetIs64Bit: the low 32 bits of the offset may be all ones.
func TestRecoveryOffsetIs64Bit(t *testing.T) {
	m := newMember("a", md.LevelRAID1, 2, 0, 9)
	m.Super1.FeatureMap |= md.FeatureRecoveryOffset
	m.Super1.RecoveryOffset = 5 << 32
	if got := md.InfoOf(m).RecoveryStart; got != 5<<32 {
		t.Errorf("recovery starts at %d", got)
	}
}

func TestTwinSuperblocks(t *testing.T) {
	member0 := func(name string, slot int) *md.Member {
		s := &md.Super0{MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID1, RaidDisks: 2, Events: 7, State: md.Super0Clean}
		for i := range s.RaidDisks {
			s.Disks[i] = md.Disk0{Number: i, Major: 1, Minor: i, RaidDisk: i, State: md.DiskActive | md.DiskSync}
		}
		s.ThisDisk = s.Disks[slot]
		return &md.Member{Name: name, Version: md.V090, Super0: s}
	}
	infos := []md.Info{md.InfoOf(member0("a", 0)), md.InfoOf(member0("b", 1)), md.InfoOf(member0("a1", 0))}
	if _, err := choose(infos[:2], false); err != nil {
		t.Error(err)
	}
	_, err := choose(infos, false)
	var twins *errTwins
	if !errors.As(err, &twins) || twins.First != "a" || twins.Second != "a1" {
		t.Errorf("%v", err)
	}
}

// TestSelect goes through devices of several arrays.
func TestSelect(t *testing.T) {
	on := map[string]*md.Member{
		"a": newMember("a", md.LevelRAID1, 2, 0, 9), "b": newMember("b", md.LevelRAID1, 2, 1, 9),
		"x": newMember("x", md.LevelRAID1, 2, 0, 9),
	}
	on["x"].Super1.SetUUID = md.UUID{2}
	on["x"].Super1.SetNameString("here:x")
	uuid := md.UUID{1}
	for _, tc := range []struct {
		name  string
		id    Identity
		home  node.Home
		paths string
		want  string
		said  string
	}{
		{name: "fit", paths: "a b", want: "a b"},
		{name: "no superblock", paths: "a none", said: "nothing on none; none has no superblock - assembly aborted"},
		{name: "other array", paths: "a x", said: "superblock on x doesn't match others - assembly aborted"},
		{name: "other array, of this host", home: node.Home{Host: "here"}, paths: "a x b", want: "x", said: "x overrides previous devices due to good homehost; b misses out due to wrong homehost"},
		{name: "by uuid", id: Identity{UUID: &uuid}, paths: "x none a b", want: "a b", said: "x has wrong uuid.; nothing on none"},
		{name: "by name", id: Identity{Name: "x"}, home: node.Home{Host: "here"}, paths: "a x", want: "x", said: "a has wrong name."},
		{name: "busy", paths: "a busy b", want: "a b", said: "busy is busy - skipping"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said []string
			s := &selector{
				id: tc.id, home: tc.home, listed: true, say: func(n note.Note) { said = append(said, mdtext.Of(n.Sentence)) },
				probe: func(path string, _ *md.Version, _ bool) (*FoundMember, *probeError) {
					m := on[path]
					if path == "busy" {
						m = on["b"]
					}
					if m == nil {
						return nil, &probeError{Notes: []note.Sentence{note.Of(note.Reason, "nothing on "+path)}}
					}
					return &FoundMember{Path: path, Member: m}, nil
				},
				claim: func(path string) error {
					if path == "busy" {
						return errors.New("busy")
					}
					return nil
				},
			}
			found, err := s.run(newPool(strings.Fields(tc.paths)))
			var got []string
			for _, c := range found {
				got = append(got, c.Path)
			}
			if strings.Join(got, " ") != tc.want || (err == nil) != (tc.want != "") || strings.Join(said, "; ") != tc.said {
				t.Errorf("got %q, %v, said %q", got, err, said)
			}
		})
	}
}

func TestNameMatches(t *testing.T) {
	for _, tc := range []struct {
		home        node.Home
		found, want string
		ok          bool
	}{
		{node.Home{}, "data", "data", true},
		{node.Home{Host: "h"}, "h:data", "data", true},
		{node.Home{Host: "h"}, "other:data", "data", false},
		{node.Home{Host: "h"}, "any:data", "data", true},
		{node.Home{Ignored: true}, "other:data", "data", true},
		{node.Home{Host: "any"}, "other:data", "data", true},
		{node.Home{}, "other:data", "data", false},
		{node.Home{Host: "h"}, "h:data", "h:data", true},
	} {
		if got := tc.home.NameMatches(tc.found, tc.want); got != tc.ok {
			t.Errorf("%+v %q %q: %v", tc.home, tc.found, tc.want, got)
		}
	}
}
