package md

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// vintage makes a member of a 1.2 array of n slots with the given event count. Its
// table has a device in every slot.
func vintage(name string, level Level, n, slot int, events uint64) *Member {
	s := &Super1{
		Magic: SuperMagic, MajorVersion: 1, SetUUID: UUID{1}, Level: level, RaidDisks: uint32(n),
		Size: 2048, ChunkSize: 128, DataOffset: 2048, DataSize: 2048, SuperOffset: 8, DevNumber: uint32(slot),
		Events: events, ResyncOffset: MaxSector, CTime: 1700000000, UTime: 1700000100, DeviceUUID: UUID{2, 15: byte(slot)},
	}
	if level == LevelRAID10 {
		s.Layout = 0x102
	}
	for i := range n {
		s.DevRoles = append(s.DevRoles, Role(i))
	}
	return &Member{Name: name, Size: 64 << 20, Version: V12, Offset: 4096, Super1: s}
}

func spareOf(name string, level Level, n, number int, events uint64) *Member {
	m := vintage(name, level, n, 0, events)
	m.Super1.DevNumber = uint32(number)
	for len(m.Super1.DevRoles) <= number {
		m.Super1.DevRoles = append(m.Super1.DevRoles, RoleSpare)
	}
	return m
}

// believes makes a member's table say that slots have failed.
func believes(m *Member, failed ...int) *Member {
	for _, slot := range failed {
		m.Super1.DevRoles[slot] = RoleFaulty
	}
	return m
}

// damaged makes the kernel refuse a member.
func damaged(m *Member) *Member {
	m.Err = errors.New("bad checksum")
	return m
}

func dirty(m *Member) *Member {
	m.Super1.ResyncOffset = 0
	return m
}

// rebuilding makes a member one that has only just been added.
func rebuilding(m *Member) *Member {
	m.Super1.FeatureMap |= FeatureRecoveryOffset
	m.Super1.RecoveryOffset = 0
	return m
}

// last6 gives a member the layout that has Q on the last slot only.
func last6(m *Member) *Member {
	m.Super1.Layout = LayoutLeftSymmetric6
	return m
}

// settleAll assesses and settles an assembly.
func settleAll(t *testing.T, members []*Member, policy Policy, w Wishes) *Settlement {
	t.Helper()
	a := Assess(members, policy)
	if a.Twins != nil {
		t.Fatal(a.Twins)
	}
	for _, v := range a.Verdicts {
		if v.Why == "" || v.Rule == "" {
			t.Errorf("no reason in %+v", v)
		}
	}
	s := a.Settle(w)
	if s == nil {
		t.Fatal("no suitable member")
	}
	return s
}

// in lists the devices that take part, sorted.
func (s *Settlement) in() string {
	var names []string
	for _, m := range slices.Concat(s.Slots, s.Replacements) {
		if m != nil {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// written lists the devices whose superblocks change, sorted.
func (s *Settlement) written() string {
	var names []string
	for _, i := range s.Written() {
		names = append(names, s.Verdicts[i].Member.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// orders yields every order of the members.
func orders(members []*Member) func(func([]*Member) bool) {
	var rec func(done, left []*Member, yield func([]*Member) bool) bool
	rec = func(done, left []*Member, yield func([]*Member) bool) bool {
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
	return func(yield func([]*Member) bool) { rec(nil, members, yield) }
}

func TestDecideAssembly(t *testing.T) {
	const r1, r5, r6, r10 = LevelRAID1, LevelRAID5, LevelRAID6, LevelRAID10
	partial := Wishes{Partial: true}
	for _, tc := range []struct {
		name    string
		members []*Member
		force   bool
		wishes  Wishes
		start   Start
		in      string
		written string
	}{
		{
			name: "all there", start: StartNow, in: "a b c",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), vintage("c", r5, 3, 2, 9)},
		}, {
			name: "one event behind is current", start: StartNow, in: "a b c",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 8), vintage("c", r5, 3, 2, 9)},
		}, {
			name: "degraded since it ran", start: StartNeedRun, in: "a b",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9)},
		}, {
			name: "degraded since it ran, run", wishes: Wishes{Run: true}, start: StartNow, in: "a b",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9)},
		}, {
			name: "known to be degraded", start: StartNow, in: "a b",
			members: []*Member{believes(vintage("a", r5, 3, 0, 9), 2), believes(vintage("b", r5, 3, 1, 9), 2)},
		}, {
			name: "stale member stays out", start: StartNow, in: "a b",
			members: []*Member{
				believes(vintage("a", r5, 3, 0, 9), 2), believes(vintage("b", r5, 3, 1, 9), 2), vintage("c", r5, 3, 2, 4),
			},
		}, {
			name: "too few", start: StartTooFew, in: "a",
			members: []*Member{vintage("a", r5, 3, 0, 9)},
		}, {
			name: "too few, force has nobody to take", force: true, wishes: partial, start: StartTooFew, in: "a",
			members: []*Member{vintage("a", r5, 3, 0, 9), spareOf("s", r5, 3, 3, 9)},
		}, {
			name: "force takes the newest that fell behind", force: true, wishes: partial, start: StartNow, in: "a b c", written: "a c",
			members: []*Member{
				believes(vintage("a", r5, 4, 0, 20), 2, 3), believes(vintage("b", r5, 4, 1, 20), 2, 3),
				believes(vintage("c", r5, 4, 2, 15), 3), vintage("d", r5, 4, 3, 10),
			},
		}, {
			name: "force that does not suffice changes nothing", force: true, wishes: partial, start: StartTooFew, in: "a",
			members: []*Member{vintage("a", r6, 5, 0, 20), vintage("b", r6, 5, 1, 15)},
		}, {
			name: "force takes all of one vintage", force: true, wishes: partial, start: StartNow, in: "a b c d", written: "a b c d",
			members: []*Member{
				believes(vintage("a", r6, 4, 0, 20), 1, 2, 3), vintage("b", r6, 4, 1, 10), vintage("c", r6, 4, 2, 10), vintage("d", r6, 4, 3, 10),
			},
		}, {
			name: "force without need changes nothing", force: true, wishes: partial, start: StartNow, in: "a b c",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), vintage("c", r5, 3, 2, 9)},
		}, {
			name: "dirty and degraded", start: StartDirty, in: "a b",
			members: []*Member{dirty(believes(vintage("a", r5, 3, 0, 9), 2)), dirty(believes(vintage("b", r5, 3, 1, 9), 2))},
		}, {
			name: "dirty and degraded, force marks one clean", force: true, wishes: partial, start: StartNow, in: "a b", written: "a",
			members: []*Member{dirty(believes(vintage("a", r5, 3, 0, 9), 2)), dirty(believes(vintage("b", r5, 3, 1, 9), 2))},
		}, {
			name: "damaged superblocks are not forced", force: true, wishes: partial, start: StartTooFew, in: "a",
			members: []*Member{believes(vintage("a", r5, 3, 0, 20), 1, 2), damaged(vintage("b", r5, 3, 1, 15))},
		}, {
			name: "damaged superblock is not the measure", start: StartNow, in: "a b",
			members: []*Member{
				believes(vintage("a", r5, 3, 0, 9), 2), believes(vintage("b", r5, 3, 1, 9), 2), damaged(vintage("c", r5, 3, 2, 1<<40)),
			},
		}, {
			name: "reports the freshest as failed", start: StartNow, in: "b",
			members: []*Member{believes(vintage("a", r1, 2, 0, 9), 1), believes(vintage("b", r1, 2, 1, 10), 0)},
		}, {
			name: "cut while a new member's superblock was written first", start: StartNow, in: "a b",
			members: []*Member{
				believes(vintage("a", r1, 3, 0, 9), 2), believes(vintage("b", r1, 3, 1, 9), 2), rebuilding(vintage("c", r1, 3, 2, 10)),
			},
		}, {
			name: "two updates after which a new member is the only one", start: StartTooFew, in: "c",
			members: []*Member{
				believes(vintage("a", r1, 3, 0, 9), 2), believes(vintage("b", r1, 3, 1, 9), 2), rebuilding(vintage("c", r1, 3, 2, 11)),
			},
		}, {
			name: "dirty, without a member that is parity alone", start: StartNow, in: "a b c d",
			members: []*Member{
				dirty(last6(vintage("a", r6, 4, 0, 9))), dirty(last6(vintage("b", r6, 4, 1, 9))), dirty(last6(vintage("c", r6, 4, 2, 9))),
				dirty(last6(rebuilding(vintage("d", r6, 4, 3, 9)))),
			},
		}, {
			name: "dirty, without a member that has data", start: StartDirty, in: "a b c d",
			members: []*Member{
				dirty(last6(vintage("a", r6, 4, 0, 9))), dirty(last6(vintage("b", r6, 4, 1, 9))),
				dirty(last6(rebuilding(vintage("c", r6, 4, 2, 9)))), dirty(last6(vintage("d", r6, 4, 3, 9))),
			},
		}, {
			name: "one of each raid10 pair", wishes: Wishes{Run: true}, start: StartNow, in: "a d",
			members: []*Member{vintage("a", r10, 4, 0, 9), vintage("d", r10, 4, 3, 9)},
		}, {
			name: "half a raid10", start: StartTooFew, in: "a b",
			members: []*Member{vintage("a", r10, 4, 0, 9), vintage("b", r10, 4, 1, 9)},
		}, {
			name: "no degraded", wishes: Wishes{NoDegraded: true}, start: StartNotWanted, in: "a b",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy := AsMdadm
			if tc.force {
				policy = Forced
			}
			for order := range orders(tc.members) {
				s := settleAll(t, order, policy, tc.wishes)
				if s.Start != tc.start || s.in() != tc.in || s.written() != tc.written {
					t.Errorf("%s: start %v in %q written %q, want %v %q %q",
						namesOf(order), s.Start, s.in(), s.written(), tc.start, tc.in, tc.written)
				}
			}
		})
	}
}

func namesOf(members []*Member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// TestForceInEveryOrder is the case that mdadm's force_array gets wrong: one member
// of a raid5 of four failed, all data was rewritten, and then a second one failed.
// Only the second may come back, in whatever order the devices are named. Extra
// devices in front of them must not matter either.
func TestForceInEveryOrder(t *testing.T) {
	members := []*Member{
		vintage("stale", LevelRAID5, 4, 0, 19),
		believes(vintage("b", LevelRAID5, 4, 1, 32), 0, 2),
		believes(vintage("newest", LevelRAID5, 4, 2, 24), 0),
		believes(vintage("d", LevelRAID5, 4, 3, 32), 0, 2),
		spareOf("s", LevelRAID5, 4, 4, 19),
	}
	tried := 0
	for order := range orders(members) {
		tried++
		s := settleAll(t, order, Forced, Wishes{Partial: true})
		if got := s.in(); got != "b d newest" || s.Start != StartNow || s.Working() != 3 {
			t.Fatalf("%s: in %q, %d working, start %v", namesOf(order), got, s.Working(), s.Start)
		}
		for _, j := range s.Written() {
			if name := s.Verdicts[j].Member.Name; name == "stale" || name == "d" || name == "s" {
				t.Fatalf("%s: %s would be written", namesOf(order), name)
			}
		}
	}
	t.Logf("%d orders", tried)
}

// TestForceWritesWhatItSays reads the planned superblocks back.
func TestForceWritesWhatItSays(t *testing.T) {
	members := []*Member{
		believes(vintage("a", LevelRAID5, 3, 0, 32), 1),
		vintage("b", LevelRAID5, 3, 1, 24),
	}
	s := settleAll(t, members, Forced, Wishes{Partial: true})
	for _, j := range s.Written() {
		parsed, err := ParseSuper1(append(s.Edits[j].Bytes(), make([]byte, Super1Size)...))
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

// TestRecoveryOffsetIs64Bit has a recovery offset that does not fit into 32 bits.
func TestRecoveryOffsetIs64Bit(t *testing.T) {
	m := vintage("a", LevelRAID1, 2, 0, 9)
	m.Super1.FeatureMap |= FeatureRecoveryOffset
	m.Super1.RecoveryOffset = 5 << 32
	if got := m.RecoveryOffset(); got != 5<<32 {
		t.Errorf("recovery starts at %d", got)
	}
}

func TestTwinSuperblocks(t *testing.T) {
	member0 := func(name string, slot int) *Member {
		s := &Super0{MDMagic: SuperMagic, MinorVersion: 90, Level: LevelRAID1, RaidDisks: 2, Events: 7, State: Super0Clean}
		for i := range s.RaidDisks {
			s.Disks[i] = Disk0{Number: i, Major: 1, Minor: i, RaidDisk: i, State: DiskActive | DiskSync}
		}
		s.ThisDisk = s.Disks[slot]
		return &Member{Name: name, Version: V090, Super0: s}
	}
	members := []*Member{member0("a", 0), member0("b", 1), member0("a1", 0)}
	if twins := Assess(members[:2], AsMdadm).Twins; twins != nil {
		t.Error(twins)
	}
	twins := Assess(members, AsMdadm).Twins
	if twins == nil || twins.First != members[0] || twins.Second != members[2] {
		t.Errorf("%v", twins)
	}
}

// TestPolicies judges the same members under all policies.
func TestPolicies(t *testing.T) {
	const r1, r5 = LevelRAID1, LevelRAID5
	for _, tc := range []struct {
		name                             string
		members                          []*Member
		strict, asMdadm, forced, arrived string
	}{
		{
			name:    "all there",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), vintage("c", r5, 3, 2, 8)},
			strict:  "a b c", asMdadm: "a b c", forced: "a b c", arrived: "a b c",
		}, {
			name:    "a stale one",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), vintage("c", r5, 3, 2, 4)},
			strict:  "a b", asMdadm: "a b", forced: "a b", arrived: "a b",
		}, {
			name:    "each has the other for failed",
			members: []*Member{believes(vintage("a", r1, 2, 0, 9), 1), believes(vintage("b", r1, 2, 1, 10), 0)},
			strict:  "b", asMdadm: "b", forced: "a b", arrived: "b",
		}, {
			name:    "two of a slot, the fresher one ahead of all, and being rebuilt",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), vintage("c", r5, 3, 2, 9), rebuilding(vintage("d", r5, 3, 2, 10))},
			strict:  "a b c", asMdadm: "a b", forced: "a b", arrived: "a b d",
		}, {
			name:    "another chunk size",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), chunked(vintage("c", r5, 3, 2, 8))},
			strict:  "a b", asMdadm: "a b c", forced: "a b c", arrived: "a b c",
		}, {
			name:    "a damaged one",
			members: []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 9), damaged(vintage("c", r5, 3, 2, 9))},
			strict:  "a b", asMdadm: "a b c", forced: "a b c", arrived: "a b c",
		},
	} {
		for policy, want := range map[Policy]string{Strict: tc.strict, AsMdadm: tc.asMdadm, Forced: tc.forced, Arriving: tc.arrived} {
			for order := range orders(tc.members) {
				a := Assess(order, policy)
				var in []string
				for _, v := range a.Verdicts {
					if v.In {
						in = append(in, v.Member.Name)
					}
					if v.Why == "" || v.Rule == "" {
						t.Errorf("%s: no reason in %+v", tc.name, v)
					}
				}
				slices.Sort(in)
				if got := strings.Join(in, " "); got != want {
					t.Errorf("%s, policy %d, order %s: %q is in, want %q\n%v", tc.name, policy, namesOf(order), got, want, a.Verdicts)
					break
				}
			}
		}
	}
}

// chunked gives a member another chunk size than the others.
func chunked(m *Member) *Member {
	m.Super1.ChunkSize *= 2
	return m
}

// TestArriving has arrays whose members arrive one by one: which of them count, and
// which have to be expelled before the array starts.
func TestArriving(t *testing.T) {
	const r1, r5 = LevelRAID1, LevelRAID5
	replacement := func(m *Member) *Member {
		m.Super1.FeatureMap |= FeatureReplacement
		return m
	}
	for _, tc := range []struct {
		name    string
		members []*Member
		n       int
		enough  bool
		expel   string
	}{
		{"one of three", []*Member{vintage("a", r5, 3, 0, 9)}, 1, false, ""},
		{"two of three", []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 8)}, 2, true, ""},
		{"one behind by two", []*Member{vintage("a", r5, 3, 0, 9), vintage("b", r5, 3, 1, 7)}, 1, false, ""},
		{"two of a slot", []*Member{vintage("a", r5, 3, 0, 8), vintage("b", r5, 3, 0, 9), vintage("c", r5, 3, 1, 9)}, 2, true, ""},
		{
			"one of three has the freshest for failed",
			[]*Member{vintage("a", r5, 3, 0, 9), believes(vintage("b", r5, 3, 1, 8), 0), vintage("c", r5, 3, 2, 9)},
			2, true, "b",
		},
		{"one being rebuilt counts", []*Member{vintage("a", r5, 3, 0, 9), rebuilding(vintage("b", r5, 3, 1, 9))}, 2, true, ""},
		{"a spare does not", []*Member{vintage("a", r5, 3, 0, 9), spareOf("s", r5, 3, 3, 9)}, 1, false, ""},
		{"a spare ahead goes", []*Member{vintage("a", r1, 2, 0, 9), spareOf("s", r1, 2, 2, 11)}, 1, true, "s"},
		{"a replacement counts, and is no member", []*Member{vintage("a", r5, 3, 0, 9), replacement(vintage("b", r5, 3, 0, 9))}, 2, false, ""},
		{"a stale one does not count, and stays", []*Member{vintage("a", r1, 2, 0, 9), vintage("b", r1, 2, 1, 4)}, 1, true, ""},
		{"who has the freshest for failed goes", []*Member{vintage("a", r1, 2, 0, 9), believes(vintage("b", r1, 2, 1, 8), 0)}, 1, true, "b"},
		{"nobody leads", []*Member{spareOf("s", r5, 3, 3, 9)}, 0, false, ""},
	} {
		for order := range orders(tc.members) {
			a := Assess(order, Arriving)
			n, enough := a.Arrived()
			var expel []string
			for _, v := range a.Verdicts {
				if v.Expel {
					expel = append(expel, v.Member.Name)
				}
			}
			if n != tc.n || enough != tc.enough || strings.Join(expel, " ") != tc.expel {
				t.Errorf("%s: %d, enough %v, expelled %q; want %d, %v, %q", tc.name, n, enough, expel, tc.n, tc.enough, tc.expel)
			}
		}
	}
}
