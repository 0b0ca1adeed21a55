package md

// EventMargin is by how much a member's event count may lag behind that of the
// freshest member if it is to count as current (md.c, super_1_validate; mdadm uses
// the same margin).
const EventMargin = 1

// DeviceState is what a superblock says about the device that it is on.
type DeviceState struct {
	Faulty      bool
	Active      bool // has a slot
	Sync        bool
	Replacement bool
	Journal     bool
	WriteMostly bool
	FailFast    bool
}

// InSync reports whether the device claims a slot as a full member, so that the
// others can be measured against it.
func (s DeviceState) InSync() bool {
	return s.Active && s.Sync && !s.Faulty && !s.Replacement && !s.Journal
}

// SlotNone is the slot of a device that has none.
const SlotNone = -1

// Damaged reports whether the kernel will refuse the superblock, because of its
// checksum or a value that makes no sense. Other members are never measured
// against it, and it is never rewritten, which would make it valid.
func (m *Member) Damaged() bool { return m.Err != nil }

// State is what the superblock says about the device, as mdadm reads it (super0.c,
// getinfo_super0; super1.c, getinfo_super1). A 1.x device whose number is outside
// the table is faulty here; to Role it is a spare.
func (m *Member) State() DeviceState {
	if m.Super0 != nil {
		s := m.Super0.ThisDisk.State
		return DeviceState{
			Faulty:      s&DiskFaulty != 0,
			Active:      s&DiskActive != 0,
			Sync:        s&DiskSync != 0,
			WriteMostly: s&DiskWriteMostly != 0,
			FailFast:    s&DiskFailFast != 0,
		}
	}
	s := m.Super1
	state := DeviceState{WriteMostly: s.DevFlags&DevWriteMostly != 0, FailFast: s.DevFlags&DevFailFast != 0}
	switch s.roleInTable() {
	case RoleSpare:
	case RoleFaulty:
		state.Faulty = true
	case RoleJournal:
		state.Journal = true
	default:
		state.Active, state.Sync = true, true
	}
	if s.FeatureMap&FeatureReplacement != 0 {
		state.Sync, state.Replacement = false, true
	}
	return state
}

// Slot is the slot of the device according to its own superblock; SlotNone for
// spares, faulty devices and journals of 1.x.
func (m *Member) Slot() int {
	if m.Super0 != nil {
		return int(int32(m.Super0.ThisDisk.RaidDisk))
	}
	switch role := m.Super1.roleInTable(); role {
	case RoleSpare, RoleFaulty, RoleJournal:
		return SlotNone
	default:
		return int(role)
	}
}

// roleInTable is the device's role; faulty if its number is outside the table.
func (s *Super1) roleInTable() Role {
	if uint64(s.DevNumber) < uint64(len(s.DevRoles)) {
		return s.DevRoles[s.DevNumber]
	}
	return RoleFaulty
}

// SuperMinor is the preferred minor number in a 0.90 superblock; -1 with 1.x.
func (m *Member) SuperMinor() int {
	if m.Super0 != nil {
		return int(m.Super0.MDMinor)
	}
	return -1
}

// NeedsJournal reports whether the array has a journal.
func (m *Member) NeedsJournal() bool { return m.Features()&FeatureJournal != 0 }

// HasPPL reports whether the array has a partial parity log.
func (m *Member) HasPPL() bool { return m.Super1 != nil && m.Super1.HasPPL() }

// Working counts the members that are in the array according to the superblock.
func (m *Member) Working() int {
	_, working := m.roll()
	return working
}

// roll lists by slot which members are in the array according to the superblock,
// and counts them. The list has at most MaxPlaces entries, so a damaged raid_disks
// costs no memory.
func (m *Member) roll() (alive []bool, working int) {
	slots := m.Slots()
	alive = make([]bool, min(max(slots, 0), MaxPlaces))
	if m.Super1 != nil {
		for _, r := range m.Super1.DevRoles {
			if int(r) < slots {
				working++
				if int(r) < len(alive) {
					alive[r] = true
				}
			}
		}
		return alive, working
	}
	for i := range m.Super0.Disks {
		const full = DiskActive | DiskSync
		d := &m.Super0.Disks[i]
		if d.State&(full|DiskFaulty) != full || int(d.RaidDisk) >= slots {
			continue
		}
		working++
		if i < len(alive) { // by number, which is the slot for members
			alive[i] = true
		}
	}
	return alive, working
}

// KernelSlot is the slot as the kernel and mdadm number it: journals have a number
// of their own.
func (m *Member) KernelSlot() int {
	if m.State().Journal && m.Slot() == SlotNone {
		return int(RoleJournal)
	}
	return m.Slot()
}

// MaxPlaces bounds the table: mdadm ignores slots from this one on, and the kernel
// refuses far smaller numbers.
const MaxPlaces = 10000

// Place returns where in Assembly.Places the member belongs, given its index in
// the list of members and the number of slots. It advances nextSpare if the member
// needs a place behind all slots.
func (m *Member) Place(index, raidDisks int, nextSpare *int) int {
	slot, state := m.Slot(), m.State()
	if m.Level() == LevelMultipath {
		slot = index // every path claims the same slot
	}
	if state.Journal || slot == SlotNone {
		*nextSpare = max(*nextSpare, raidDisks*2)
		*nextSpare++
		return *nextSpare - 1
	}
	i := slot * 2
	if state.Replacement {
		i++
	}
	if i >= raidDisks*2 && i >= *nextSpare {
		*nextSpare = i + 1
	}
	return i
}

// ReportsFailed reports whether the member's own table has no member in slot.
func (m *Member) ReportsFailed(slot int) bool {
	if slot < 0 || m.Slots() <= 0 {
		return false
	}
	alive, _ := m.roll()
	return slot >= len(alive) || !alive[slot]
}
