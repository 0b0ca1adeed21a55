package md

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// text shows what a superblock says about its device and array.
func (m *Info) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d in %d of %d, %d working", m.Number, m.Slot, m.RaidDisks, m.Working)
	for _, f := range []struct {
		set  bool
		word string
	}{
		{m.State.Faulty, "faulty"},
		{m.State.Active, "active"},
		{m.State.Sync, "sync"},
		{m.State.Replacement, "replacement"},
		{m.State.Journal, "journal"},
		{m.State.WriteMostly, "write-mostly"},
		{m.State.FailFast, "failfast"},
		{!m.Clean, "dirty"},
		{m.Damaged, "damaged"},
		{m.NeedsJournal, "needs-journal"},
		{m.PPL, "ppl"},
	} {
		if f.set {
			b.WriteString(" " + f.word)
		}
	}
	if m.RecoveryStart != MaxSector {
		fmt.Fprintf(&b, " from %d", m.RecoveryStart)
	}
	if r := m.Reshape; r.Active {
		fmt.Fprintf(&b, " reshape at %d by %+d to %d/%d", r.Progress, r.Delta, r.NewLayout, r.NewChunk)
		if r.NoBackup {
			b.WriteString(" no-backup")
		}
	}
	return b.String()
}

// TestInfoOf1 reads what 1.x superblocks of a raid5 of three say.
func TestInfoOf1(t *testing.T) {
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
		info := InfoOf(m)
		if got := info.text(); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
		if info.Name != "host:0" || info.SuperMinor != -1 || info.UUID != m.Super1.SetUUID || len(info.Alive) > MaxPlaces {
			t.Errorf("%s: name %q, minor %d, uuid %v, table of %d", c.name, info.Name, info.SuperMinor, info.UUID, len(info.Alive))
		}
	}
}

// TestInfoOf0 reads what 0.90 superblocks of a raid5 of three say.
func TestInfoOf0(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Super0)
		want string
	}{
		{"member", func(*Super0) {}, "0 in 0 of 3, 3 working active sync"},
		{"spare", func(s *Super0) { s.ThisDisk = Disk0{Number: 3, RaidDisk: ^uint32(0)} }, "3 in -1 of 3, 3 working"},
		{"faulty", func(s *Super0) { s.ThisDisk.State |= DiskFaulty; s.Disks[0].State |= DiskFaulty }, "0 in 0 of 3, 2 working faulty active sync"},
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
		m := sample0().Member
		m.Super0.State, m.Super0.MDMinor = Super0Clean, 127
		c.edit(m.Super0)
		info := InfoOf(m)
		if got := info.text(); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, got, c.want)
		}
		if info.Name != "127" || info.SuperMinor != 127 {
			t.Errorf("%s: name %q, minor %d", c.name, info.Name, info.SuperMinor)
		}
	}
}

// TestPlaceInTable: two places for each slot, the second for a replacement;
// whoever has no slot comes behind all of them.
func TestPlaceInTable(t *testing.T) {
	for _, c := range []struct {
		name        string
		info        Info
		index, next int
		want, after int
	}{
		{"slot 0", Info{Slot: 0}, 5, 0, 0, 0},
		{"slot 2", Info{Slot: 2}, 0, 0, 4, 0},
		{"replacement of slot 2", Info{Slot: 2, State: DeviceState{Replacement: true}}, 0, 0, 5, 0},
		{"first spare", Info{Slot: SlotNone}, 0, 0, 6, 7},
		{"second spare", Info{Slot: SlotNone}, 0, 7, 7, 8},
		{"journal", Info{Slot: SlotNone, State: DeviceState{Journal: true}}, 0, 0, 6, 7},
		{"slot behind the array", Info{Slot: 4}, 0, 0, 8, 9},
		{"spare behind that", Info{Slot: SlotNone}, 0, 9, 9, 10},
		{"path", Info{Slot: 0, Level: LevelMultipath}, 2, 0, 4, 0},
	} {
		next := c.next
		if got := c.info.Place(c.index, 3, &next); got != c.want || next != c.after {
			t.Errorf("%s: %d, next spare %d; want %d, %d", c.name, got, next, c.want, c.after)
		}
	}
}

// TestSetRole edits what one superblock says of another device.
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
		info := &Info{Number: c.number, Slot: c.slot}
		one := EditSuper(newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), nil)[0])
		zero := EditSuper(sample0().Member)
		zero.V0.Disks[c.number].State |= DiskWriteMostly // stays
		changed := [2]bool{one.SetRole(info, c.want), zero.SetRole(info, c.want)}
		if changed != c.changed || one.V1.DevRoles[c.number] != c.role || zero.V0.Disks[c.number].State != c.bits|DiskWriteMostly {
			t.Errorf("%s: %v, %v, %#x; want %v, %v, %#x", c.name, changed, one.V1.DevRoles[c.number], zero.V0.Disks[c.number].State, c.changed, c.role, c.bits)
		}
	}
	one := EditSuper(newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), nil)[0])
	if one.SetRole(&Info{Number: 200, Slot: 1}, full) || !slices.Equal(one.V1.DevRoles, roles(3)) {
		t.Errorf("a number behind the table gave %v", one.V1.DevRoles)
	}
}

// TestCarefulPosition: of two positions of a reshape the one counts behind which
// nothing has been moved yet.
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
		info := &Info{Number: 1, Slot: 1, Reshape: ReshapeInfo{Active: true, Delta: c.delta, Progress: c.other}}
		changed := edit.SetRole(info, DeviceState{Active: true, Sync: true})
		if edit.V1.ReshapePosition != c.want || changed != (c.want != c.have) {
			t.Errorf("members %+d, %d and %d: %d, changed %v; want %d", c.delta, c.have, c.other, edit.V1.ReshapePosition, changed, c.want)
		}
		if m.Super1.ReshapePosition != c.have {
			t.Error("the original was edited")
		}
	}
}
