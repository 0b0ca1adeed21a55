package md

import (
	"fmt"
	"slices"
)

// strict judges every member and gives the good ones their places.
func (a *Assembly) strict(members []*Member) {
	for i, m := range members {
		v := a.judge(m)
		if v.In {
			a.seat(&v, members[:i])
		}
		a.Verdicts[i] = v
	}
	a.dropUnused()
}

// activeSlot is the slot of a member according to its own superblock, if it has
// one. Members of a multipath array have none on disk: any will do.
func (m *Member) activeSlot() (int, bool) {
	if m.Level() == LevelMultipath {
		return 0, true
	}
	return m.Role().Slot()
}

// judge judges one member by itself and against the freshest.
func (a *Assembly) judge(m *Member) Verdict {
	own := m.Role()
	if m.UUID() != a.UUID {
		return a.foreign(m)
	}
	if f := m.fault(); f != nil {
		return Verdict{Member: m, Role: own, State: m.State(), Events: m.Events(), Rule: f.Rule, Why: f.Message}
	}
	f := a.Freshest
	if f == nil {
		return leaderless(m)
	}
	if r, why := geometryDiffers(f, CaughtUp(f, m)); why != "" {
		return out(m, r, own, "%s", why)
	}
	if own == RoleSpare && m.Level() != LevelMultipath {
		return accepted(m, RoleSpare)
	}
	if own == RoleFaulty {
		return out(m, ruleFaulty, own, "its own superblock says it is faulty")
	}
	if own == RoleJournal && m.Features()&FeatureJournal == 0 {
		return out(m, ruleJournalFeature, own, "is a journal of an array that has none")
	}
	if slot, ok := f.Role().Slot(); ok && m != f && !m.lists(slot) {
		return out(m, ruleSplit, own, "its superblock says that slot %d is missing, but %s has it", slot, f.Name)
	}
	switch {
	case own == RoleJournal && m.Events() == f.Events()+1:
		// The power failed while all superblocks were being written. mdadm and the
		// kernel do not measure against a journal, so it may be one ahead.
	case m.Events() > f.Events():
		return out(m, ruleAhead, own, "has event count %d, ahead of %s with %d", m.Events(), f.Name, f.Events())
	case m.Events()+1 < f.Events():
		return out(m, ruleStale, own, "is stale: event count %d, %s has %d", m.Events(), f.Name, f.Events())
	}
	role := own
	if m.Events() < f.Events() && m.Super1 != nil {
		// The member may have been failed after its last update: only the
		// fresher superblock knows (md.c, super_1_validate).
		if role = f.RoleOf(m.DevNumber()); role == RoleFaulty {
			return out(m, ruleFaulty, role, "is faulty according to the newer superblock of %s", f.Name)
		}
	}
	if m.Level() == LevelMultipath || role >= RoleJournal {
		return accepted(m, role)
	}
	if slot, ok := role.Slot(); !ok || slot >= len(a.Slots) {
		return out(m, ruleSlot, role, "claims %v of an array with %d slots", role, len(a.Slots))
	}
	return accepted(m, role)
}

// accepted is the verdict on a member that is in; Why follows from its place.
func accepted(m *Member, role Role) Verdict {
	return Verdict{
		Member: m, In: true, Role: role, Replacement: role < RoleMax && m.Replacement(),
		State: m.State(), Events: m.Events(), Rule: ruleIn.ID,
	}
}

// lists reports whether the member's table has a device for the slot.
func (m *Member) lists(slot int) bool {
	if m.Level() == LevelMultipath {
		return true
	}
	if s := m.Super0; s != nil {
		for i := range s.Disks {
			d := &s.Disks[i]
			if d.State&(DiskSync|DiskActive) == DiskSync|DiskActive && d.State&DiskFaulty == 0 && d.RaidDisk == uint32(slot) {
				return true
			}
		}
		return false
	}
	return slices.Contains(m.Super1.DevRoles, Role(slot))
}

// geometryDiffers compares what all members of an array must agree on. The kernel
// compares level, layout and chunk for 1.x and all constant words for 0.90; mdadm
// compares the rest as well (super0.c and super1.c, compare_super).
func geometryDiffers(f, m *Member) (*Rule, string) {
	if f.Version != m.Version {
		return ruleVersion, fmt.Sprintf("has metadata %v, %s has %v", m.Version, f.Name, f.Version)
	}
	for _, c := range []struct {
		rule      *Rule
		name      string
		got, want any
	}{
		{ruleGeometry, "level", m.Level(), f.Level()},
		{ruleGeometry, "layout", m.Layout(), f.Layout()},
		{ruleGeometry, "chunk size", m.ChunkSectors(), f.ChunkSectors()},
		{ruleGeometry, "number of slots", m.RaidDisks(), f.RaidDisks()},
		{ruleGeometry, "size of each member", m.UsedSize(), f.UsedSize()},
		{ruleCTime, "creation time", m.CTime(), f.CTime()},
	} {
		if c.got != c.want {
			return c.rule, fmt.Sprintf("has %s %v, %s has %v", c.name, c.got, f.Name, c.want)
		}
	}
	return nil, ""
}

// seat gives an accepted member its place. If another member has it, the fresher
// one, or else the first, keeps it.
func (a *Assembly) seat(v *Verdict, earlier []*Member) {
	m := v.Member
	if m.Level() == LevelMultipath {
		a.seatMultipath(v)
		return
	}
	switch v.Role {
	case RoleSpare:
		a.Spares, v.Why = append(a.Spares, m), "spare"
		return
	case RoleJournal:
		if a.Journal == nil {
			a.Journal = m
			v.Why = "journal"
			return
		}
		*v = out(m, ruleDuplicate, v.Role, "is a second journal beside %s", a.Journal.Name)
		return
	}
	slot, _ := v.Role.Slot()
	table, what := a.Slots, "slot"
	if v.Replacement {
		table, what = a.Replacements, "replacement of slot"
	}
	if other := table[slot]; other != nil {
		if other.Events() >= m.Events() {
			*v = duplicate(m, other, v.Role)
			return
		}
		i := slices.Index(earlier, other)
		a.Verdicts[i] = duplicate(other, m, v.Role)
	}
	table[slot] = m
	v.Why = fmt.Sprintf("%s %d", what, slot)
	if r := m.RecoveryOffset(); r != MaxSector {
		v.Why += fmt.Sprintf(", rebuilt up to sector %d", r)
	}
	if m.Events() < a.Freshest.Events() {
		v.Why += fmt.Sprintf(", event count %d, one behind %s", m.Events(), a.Freshest.Name)
	}
}

func (a *Assembly) seatMultipath(v *Verdict) {
	for i, m := range a.Slots {
		if m == nil {
			a.Slots[i], v.Why = v.Member, fmt.Sprintf("path %d", i)
			return
		}
	}
	a.Spares = append(a.Spares, v.Member)
	v.Why = "spare path"
}

func duplicate(m, keeper *Member, role Role) Verdict {
	if id := m.DeviceUUID(); !id.IsZero() && id == keeper.DeviceUUID() {
		return out(m, ruleDuplicate, role, "has the device uuid of %s: a copy of it, or another path to it", keeper.Name)
	}
	return out(m, ruleDuplicate, role, "claims %v, which %s has", role, keeper.Name)
}

// dropUnused makes a replacement whose slot has no other member the slot's member,
// as mdadm does when it counts slots.
func (a *Assembly) dropUnused() {
	for i, r := range a.Replacements {
		if r != nil && a.Slots[i] == nil {
			a.Slots[i], a.Replacements[i] = r, nil
		}
	}
}
