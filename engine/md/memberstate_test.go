package md

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// stateText describes what a superblock says about its device and array.
func stateText(m *Member) string {
	var b strings.Builder
	state := m.State()
	fmt.Fprintf(&b, "%d in %d of %d, %d working", m.DevNumber(), m.Slot(), m.Slots(), m.Working())
	for _, f := range []struct {
		set  bool
		word string
	}{
		{state.Faulty, "faulty"},
		{state.Active, "active"},
		{state.Sync, "sync"},
		{state.Replacement, "replacement"},
		{state.Journal, "journal"},
		{state.WriteMostly, "write-mostly"},
		{state.FailFast, "failfast"},
		{!m.Clean(), "dirty"},
		{m.Damaged(), "damaged"},
		{m.NeedsJournal(), "needs-journal"},
		{m.HasPPL(), "ppl"},
	} {
		if f.set {
			b.WriteString(" " + f.word)
		}
	}
	if from := m.RecoveryOffset(); from != MaxSector {
		fmt.Fprintf(&b, " from %d", from)
	}
	if r := m.Reshape(); r != nil {
		fmt.Fprintf(&b, " reshape at %d by %+d to %d/%d", r.Position, r.Delta, r.Layout, r.Chunk)
		if r.NoBackup {
			b.WriteString(" no-backup")
		}
	}
	return b.String()
}

// TestState1 reads what 1.x superblocks of a raid5 of three say.
func TestState1(t *testing.T) {
	reshape := func(delta int32, more FeatureMap) func(*Super1) {
		return func(s *Super1) {
			s.FeatureMap |= FeatureReshapeActive | more
			s.ReshapePosition, s.DeltaDisks, s.NewLayout, s.NewChunk, s.NewOffset = 4096, delta, 3, 256, 128
			s.RaidDisks = uint32(int32(s.RaidDisks) + min(delta, 0))
		}
	}
	for _, c := range []struct {
		name string
		edit func(*Super1)
		want string
	}{
		{"member", func(*Super1) {}, "0 in 0 of 3, 3 working active sync"},
		{"last member", func(s *Super1) { s.DevNumber = 2 }, "2 in 2 of 3, 3 working active sync"},
		{"moved to another number", func(s *Super1) { s.DevNumber, s.DevRoles = 3, []Role{RoleFaulty, 1, 2, 0} }, "3 in 0 of 3, 3 working active sync"},
		{"spare", func(s *Super1) { s.DevNumber, s.DevRoles = 3, roles(3, RoleSpare) }, "3 in -1 of 3, 3 working"},
		{"journal", func(s *Super1) { s.DevNumber, s.DevRoles, s.FeatureMap = 3, roles(3, RoleJournal), FeatureJournal }, "3 in -1 of 3, 3 working journal needs-journal"},
		{"faulty", func(s *Super1) { s.DevRoles[0] = RoleFaulty }, "0 in -1 of 3, 2 working faulty"},
		{"number behind the table", func(s *Super1) { s.DevNumber = 3 }, "3 in -1 of 3, 3 working faulty"},
		{"slot behind the array", func(s *Super1) { s.DevRoles[0] = 7 }, "0 in 7 of 3, 2 working active sync"},
		{"replacement", func(s *Super1) { s.DevNumber, s.DevRoles, s.FeatureMap = 3, roles(3, 1), FeatureReplacement }, "3 in 1 of 3, 4 working active replacement"},
		{"recovering", func(s *Super1) { s.FeatureMap, s.RecoveryOffset = FeatureRecoveryOffset, 5<<32 }, "0 in 0 of 3, 3 working active sync from 21474836480"},
		{"recovery offset that does not count", func(s *Super1) { s.RecoveryOffset = 5 }, "0 in 0 of 3, 3 working active sync"},
		{"dirty", func(s *Super1) { s.ResyncOffset = 8 }, "0 in 0 of 3, 3 working active sync dirty"},
		{"flags", func(s *Super1) { s.DevFlags = DevWriteMostly | DevFailFast }, "0 in 0 of 3, 3 working active sync write-mostly failfast"},
		{"ppl", func(s *Super1) { s.FeatureMap = FeatureMultiplePPLs }, "0 in 0 of 3, 3 working active sync ppl"},
		{"growing", reshape(1, 0), "0 in 0 of 3, 3 working active sync reshape at 4096 by +1 to 3/256"},
		{"shrinking", reshape(-1, 0), "0 in 0 of 3, 3 working active sync reshape at 4096 by -1 to 3/256"},
		{"moving by an offset", reshape(0, FeatureNewOffset), "0 in 0 of 3, 3 working active sync reshape at 4096 by +0 to 3/256 no-backup"},
		{"absurd number of slots", func(s *Super1) { s.RaidDisks = 1 << 31 }, "0 in 0 of 2147483648, 3 working active sync"},
	} {
		m := newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), nil)[0]
		c.edit(m.Super1)
		if got := stateText(m); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
		if alive, _ := m.roll(); m.SetName() != "host:0" || m.SuperMinor() != -1 || len(alive) > MaxPlaces {
			t.Errorf("%s: name %q, minor %d, table of %d", c.name, m.SetName(), m.SuperMinor(), len(alive))
		}
	}
}

// TestState0 reads what 0.90 superblocks of a raid5 of three say.
func TestState0(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Super0)
		want string
	}{
		{"member", func(*Super0) {}, "0 in 0 of 3, 3 working active sync"},
		{"spare", func(s *Super0) { s.ThisDisk = Disk0{Number: 3, RaidDisk: ^uint32(0)} }, "3 in -1 of 3, 3 working"},
		{
			"faulty", func(s *Super0) {
				s.ThisDisk.State |= DiskFaulty
				s.Disks[0].State |= DiskFaulty
			}, "0 in 0 of 3, 2 working faulty active sync",
		},
		{"one gone", func(s *Super0) { s.Disks[1].State = DiskFaulty | DiskRemoved }, "0 in 0 of 3, 2 working active sync"},
		{"dirty", func(s *Super0) { s.State = 0 }, "0 in 0 of 3, 3 working active sync dirty"},
		{"flags", func(s *Super0) { s.ThisDisk.State |= DiskWriteMostly | DiskFailFast }, "0 in 0 of 3, 3 working active sync write-mostly failfast"},
		{
			"shrinking", func(s *Super0) {
				s.MinorVersion, s.RaidDisks, s.DeltaDisks, s.ReshapePosition, s.NewLayout, s.NewChunk = 91, 2, -1, 4096, 2, 128<<10
			}, "0 in 0 of 3, 3 working active sync reshape at 4096 by -1 to 2/256",
		},
		{"reshape fields that do not count", func(s *Super0) { s.DeltaDisks, s.ReshapePosition = -1, 4096 }, "0 in 0 of 3, 3 working active sync"},
	} {
		m := member0()
		m.Super0.State, m.Super0.MDMinor = Super0Clean, 127
		c.edit(m.Super0)
		if got := stateText(m); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
		if m.SetName() != "127" || m.SuperMinor() != 127 {
			t.Errorf("%s: name %q, minor %d", c.name, m.SetName(), m.SuperMinor())
		}
	}
}

// TestPlaceInTable finds the places of members: each slot has two, the second for a
// replacement, and members without a slot come behind all of them.
func TestPlaceInTable(t *testing.T) {
	for _, c := range []struct {
		name        string
		role        Role
		feature     FeatureMap
		level       Level
		index, next int
		want, after int
	}{
		{"slot 0", 0, 0, LevelRAID5, 5, 0, 0, 0},
		{"slot 2", 2, 0, LevelRAID5, 0, 0, 4, 0},
		{"replacement of slot 2", 2, FeatureReplacement, LevelRAID5, 0, 0, 5, 0},
		{"first spare", RoleSpare, 0, LevelRAID5, 0, 0, 6, 7},
		{"second spare", RoleSpare, 0, LevelRAID5, 0, 7, 7, 8},
		{"journal", RoleJournal, 0, LevelRAID5, 0, 0, 6, 7},
		{"slot behind the array", 4, 0, LevelRAID5, 0, 0, 8, 9},
		{"spare behind that", RoleSpare, 0, LevelRAID5, 0, 9, 9, 10},
		{"path", 0, 0, LevelMultipath, 2, 0, 4, 0},
	} {
		m := memberOf(c.role)
		m.Super1.FeatureMap, m.Super1.Level = c.feature, c.level
		next := c.next
		if got := m.Place(c.index, 3, &next); got != c.want || next != c.after {
			t.Errorf("%s: %d, next spare %d; want %d, %d", c.name, got, next, c.want, c.after)
		}
	}
}

// memberOf is the first member of a raid5 of three, with another role.
func memberOf(role Role) *Member {
	m := newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), nil)[0]
	m.Super1.DevRoles[0] = role
	return m
}

// numbered is a member with a number and a slot.
func numbered(number, slot int) *Member {
	m := memberOf(0)
	m.Super1.DevNumber, m.Super1.DevRoles = uint32(number), make([]Role, number+1)
	m.Super1.DevRoles[number] = RoleSpare
	if slot != SlotNone {
		m.Super1.DevRoles[number] = Role(slot)
	}
	return m
}

// TestKernelSlot wants a number of its own for a journal, and none for a spare.
func TestKernelSlot(t *testing.T) {
	for role, want := range map[Role]int{0: 0, 2: 2, RoleSpare: SlotNone, RoleFaulty: SlotNone, RoleJournal: int(RoleJournal)} {
		if got := memberOf(role).KernelSlot(); got != want {
			t.Errorf("%v: %d, want %d", role, got, want)
		}
	}
	paths := member0()
	paths.Super0.ThisDisk.RaidDisk = ^uint32(0)
	if got := paths.KernelSlot(); got != SlotNone {
		t.Errorf("0.90 without a slot: %d", got)
	}
}

// TestInSync tells full members, which the others may be measured against, from all
// other devices.
func TestInSync(t *testing.T) {
	full := DeviceState{Active: true, Sync: true}
	for _, c := range []struct {
		name string
		edit func(*DeviceState)
		want bool
	}{
		{"member", func(*DeviceState) {}, true},
		{"flags do not matter", func(s *DeviceState) { s.WriteMostly, s.FailFast = true, true }, true},
		{"spare", func(s *DeviceState) { s.Active = false }, false},
		{"not in sync", func(s *DeviceState) { s.Sync = false }, false},
		{"faulty", func(s *DeviceState) { s.Faulty = true }, false},
		{"replacement", func(s *DeviceState) { s.Replacement = true }, false},
		{"journal", func(s *DeviceState) { s.Journal = true }, false},
	} {
		state := full
		c.edit(&state)
		if got := state.InSync(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestReportsFailed asks a member which slots have failed according to its own
// table. What is no slot has not failed, nor has any slot of an array without slots.
func TestReportsFailed(t *testing.T) {
	missing1 := memberOf(0)
	missing1.Super1.DevRoles[1] = RoleFaulty
	none := memberOf(0)
	none.Super1.RaidDisks = 0
	gone0 := member0()
	gone0.Super0.Disks[1].State = DiskFaulty | DiskRemoved
	for _, c := range []struct {
		name string
		m    *Member
		slot int
		want bool
	}{
		{"all there", memberOf(0), 2, false},
		{"the one that is missing", missing1, 1, true},
		{"another one", missing1, 2, false},
		{"a slot behind the array", memberOf(0), 3, true},
		{"no slot", missing1, SlotNone, false},
		{"no slots", none, 0, false},
		{"0.90, missing", gone0, 1, true},
		{"0.90, there", gone0, 0, false},
	} {
		if got := c.m.ReportsFailed(c.slot); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestInPlace tells which reshapes need a backup, and which need it kept elsewhere
// for as long as they run.
func TestInPlace(t *testing.T) {
	for _, c := range []struct {
		name          string
		r             *Reshape
		needs, inside bool
	}{
		{"none", nil, false, false},
		{"same size", &Reshape{}, true, true},
		{"shrinking", &Reshape{Delta: -1}, true, true},
		{"growing", &Reshape{Delta: 1}, true, false},
		{"moved by an offset", &Reshape{NoBackup: true}, false, false},
	} {
		if got := [2]bool{c.r.NeedsBackup(), c.r.InPlace()}; got != [2]bool{c.needs, c.inside} {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestSetRole edits what one superblock says about another device.
func TestSetRole(t *testing.T) {
	full := DeviceState{Active: true, Sync: true}
	for _, c := range []struct {
		name    string
		number  int
		slot    int
		want    DeviceState
		role    Role // in 1.x
		bits    DiskState
		changed [2]bool // 1.x, 0.90
	}{
		{"as it was", 1, 1, full, 1, DiskActive | DiskSync, [2]bool{}},
		{"becomes a spare", 1, SlotNone, DeviceState{}, RoleSpare, 0, [2]bool{true, true}},
		{"becomes a journal", 2, SlotNone, DeviceState{Journal: true}, RoleJournal, DiskJournal, [2]bool{true, true}},
		{"takes another slot", 2, 0, full, 0, DiskActive | DiskSync, [2]bool{true, false}},
		{"active, not in sync", 0, 0, DeviceState{Active: true}, 0, DiskActive, [2]bool{false, true}},
	} {
		other := numbered(c.number, c.slot)
		one := EditSuper(newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), nil)[0])
		zero := EditSuper(member0())
		zero.V0.Disks[c.number].State |= DiskWriteMostly // stays
		changed := [2]bool{one.SetRole(other, c.want), zero.SetRole(other, c.want)}
		if changed != c.changed || one.V1.DevRoles[c.number] != c.role || zero.V0.Disks[c.number].State != c.bits|DiskWriteMostly {
			t.Errorf("%s: %v, %v, %#x; want %v, %v, %#x", c.name, changed, one.V1.DevRoles[c.number], zero.V0.Disks[c.number].State, c.changed, c.role, c.bits)
		}
	}
	one := EditSuper(newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), nil)[0])
	if one.SetRole(numbered(200, 1), full) || !slices.Equal(one.V1.DevRoles, roles(3)) {
		t.Errorf("a number behind the table gave %v", one.V1.DevRoles)
	}
}

// TestCarefulPosition wants the safer of two positions of a reshape, the one that is
// less far along.
func TestCarefulPosition(t *testing.T) {
	for _, c := range []struct {
		delta       int
		have, other uint64
		want        uint64
	}{
		{1, 4096, 2048, 2048},
		{1, 2048, 4096, 2048},
		{0, 4096, 2048, 2048},
		{-1, 4096, 2048, 4096},
		{-1, 2048, 4096, 4096},
		{1, 4096, 4096, 4096},
	} {
		m := newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), func(_ int, s *Super1) {
			s.FeatureMap, s.ReshapePosition, s.DeltaDisks = FeatureReshapeActive, c.have, int32(c.delta)
		})[0]
		edit := EditSuper(m)
		other := numbered(1, 1)
		other.Super1.FeatureMap, other.Super1.ReshapePosition, other.Super1.DeltaDisks = FeatureReshapeActive, c.other, int32(c.delta)
		changed := edit.SetRole(other, DeviceState{Active: true, Sync: true})
		if edit.V1.ReshapePosition != c.want || changed != (c.want != c.have) {
			t.Errorf("members %+d, %d and %d: %d, changed %v; want %d", c.delta, c.have, c.other, edit.V1.ReshapePosition, changed, c.want)
		}
		if m.Super1.ReshapePosition != c.have {
			t.Error("the original was edited")
		}
	}
}

// TestEdits edits superblocks of either format and reads them back from their bytes.
// The originals must stay as they were.
func TestEdits(t *testing.T) {
	one := newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), func(_ int, s *Super1) { s.ResyncOffset = 8 })[0]
	zero := member0()
	zero.Super0.State &^= Super0Clean
	for _, m := range []*Member{one, zero} {
		before := m.AppendSuper(nil)
		edit := EditSuper(m)
		edit.SetEvents(77)
		edit.SetPosition(4096)
		if !edit.SetClean() || edit.SetClean() {
			t.Errorf("%v: marked clean, but not once", m.Version)
		}
		read := *m
		if m.Super0 != nil {
			read.Super0, _ = ParseSuper0(edit.Bytes())
			if got := read.Super0.ReshapePosition; got != 4096 {
				t.Errorf("0.90: position %d", got)
			}
		} else {
			read.Super1, _ = ParseSuper1(append(edit.Bytes(), make([]byte, Super1Size)...))
			if got := read.Super1.ReshapePosition; got != 4096 {
				t.Errorf("1.2: position %d", got)
			}
		}
		if read.Events() != 77 || !read.Clean() {
			t.Errorf("%v: events %d, clean %v", m.Version, read.Events(), read.Clean())
		}
		if !slices.Equal(before, m.AppendSuper(nil)) {
			t.Errorf("%v: the original was edited", m.Version)
		}
	}
	mirror := newArray(LevelRAID1, 0, 2, roles(2), func(_ int, s *Super1) { s.ResyncOffset = 8 })[0]
	if EditSuper(mirror).SetClean() {
		t.Error("a mirror that was not clean was marked clean: its resync would not happen")
	}
}

// member0 is the first member of a 0.90 array of three members.
func member0() *Member {
	s := &Super0{
		MDMagic: SuperMagic, MinorVersion: 90, Level: LevelRAID5, Size: 64512, RaidDisks: 3, NrDisks: 3,
		CTime: 1700000000, ChunkSize: 512 << 10,
	}
	for i := range 3 {
		s.Disks[i] = Disk0{Number: uint32(i), Major: 8, Minor: uint32(i), RaidDisk: uint32(i), State: DiskActive | DiskSync}
	}
	s.ThisDisk = s.Disks[0]
	return &Member{Name: "disk0", Size: 64 << 20, Version: V090, Super0: s}
}
