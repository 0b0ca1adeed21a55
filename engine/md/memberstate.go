package md

// EventMargin is by how much a member's event count may lag behind the
// freshest one and still be taken as current (md.c, super_1_validate; mdadm
// uses the same).
const EventMargin = 1

// DeviceState says what a superblock says about the device it lies on.
type DeviceState struct {
	Faulty      bool
	Active      bool // has a slot
	Sync        bool
	Replacement bool
	Journal     bool
	WriteMostly bool
	FailFast    bool
}

// InSync reports whether the device claims a slot as a full member, which is
// what lets it be the reference for all others.
func (s DeviceState) InSync() bool {
	return s.Active && s.Sync && !s.Faulty && !s.Replacement && !s.Journal
}

// SlotNone is the slot of a device that has none.
const SlotNone = -1

// Damaged is set for a superblock that the kernel will refuse: by its checksum,
// or a value that makes no sense. It is never what others are measured against,
// and never rewritten, which would make it valid.
func (m *Member) Damaged() bool { return m.Err != nil }

// State is what the superblock says of the device, as mdadm reads it (super0.c,
// getinfo_super0; super1.c, getinfo_super1). A 1.x number behind the table is
// faulty here, where Role has a spare.
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

// Slot is the slot that the device has by its own superblock; SlotNone for
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

// roleInTable is the device's role; faulty for one behind the table.
func (s *Super1) roleInTable() Role {
	if uint64(s.DevNumber) < uint64(len(s.DevRoles)) {
		return s.DevRoles[s.DevNumber]
	}
	return RoleFaulty
}

// SuperMinor is the preferred minor number in a 0.90 superblock; -1 elsewhere.
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

// Working counts the members that the superblock believes to be in the array.
func (m *Member) Working() int {
	_, working := m.roll()
	return working
}

// roll lists by slot whom the superblock believes to be in the array, and counts
// them. A damaged raid_disks does not become memory: the list has MaxPlaces at
// most.
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
		if i < len(alive) { // by number, which for members is the slot
			alive[i] = true
		}
	}
	return alive, working
}

// KernelSlot is the slot as the kernel and mdadm number it: journals have one
// of their own.
func (m *Member) KernelSlot() int {
	if m.State().Journal && m.Slot() == SlotNone {
		return int(RoleJournal)
	}
	return m.Slot()
}

// MaxPlaces bounds the table: mdadm ignores slots from here on, and so does
// the kernel long before.
const MaxPlaces = 10000

// Place says where in Assembly.Places the member belongs, given its index in the
// list of members and the number of slots, and moves nextSpare on when it needs
// a place behind all slots.
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

// ReportsFailed reports whether the member's own table has nobody in slot.
func (m *Member) ReportsFailed(slot int) bool {
	if slot < 0 || m.Slots() <= 0 {
		return false
	}
	alive, _ := m.roll()
	return slot >= len(alive) || !alive[slot]
}
