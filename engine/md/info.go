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

// ReshapeInfo is a change of geometry that was under way when the superblock was
// written. Its zero value means none.
type ReshapeInfo struct {
	Active    bool
	NoBackup  bool   // data moves by an offset, so nothing has to be saved elsewhere
	Progress  uint64 // sectors of the array
	Delta     int    // devices added; negative when removing
	NewLayout int32
	NewChunk  uint32 // sectors
}

// SlotNone is the slot of a device that has none.
const SlotNone = -1

// Info is what deciding about a member needs to know about it, the same
// for every superblock format.
type Info struct {
	Device  string // path as the user gave it
	Major   uint32
	Minor   uint32
	Version Version

	UUID       UUID
	Name       string // 1.x: set_name; 0.90: the preferred minor in decimal
	SuperMinor int    // 0.90 only; -1 elsewhere
	Level      Level
	Layout     int32
	RaidDisks  int // before a shrinking reshape
	CTime      int64

	// Damaged is set for a superblock that the kernel will refuse: by its
	// checksum, or a value that makes no sense. It is never what others are
	// measured against, and never rewritten, which would make it valid.
	Damaged bool

	Number        int // the device's number in the array (dev_number)
	Slot          int // slotNone for spares and journals
	State         DeviceState
	Events        uint64
	RecoveryStart uint64 // sectors; md.MaxSector when in sync throughout
	Clean         bool
	Reshape       ReshapeInfo
	Working       int    // members the superblock believes to be in the array
	Alive         []bool // by slot: those of them
	NeedsJournal  bool
	PPL           bool
}

// KernelSlot is the slot as the kernel and mdadm number it: journals have one
// of their own.
func (m *Info) KernelSlot() int {
	if m.State.Journal && m.Slot == SlotNone {
		return int(RoleJournal)
	}
	return m.Slot
}

// MaxPlaces bounds the table: mdadm ignores slots from here on, and so does
// the kernel long before.
const MaxPlaces = 10000

// Place says where in the table a candidate belongs, and moves nextSpare on
// when it needs a place behind all slots.
func (m *Info) Place(index, raidDisks int, nextSpare *int) int {
	slot := m.Slot
	if m.Level == LevelMultipath {
		slot = index // every path claims the same slot
	}
	if m.State.Journal || slot == SlotNone {
		*nextSpare = max(*nextSpare, raidDisks*2)
		*nextSpare++
		return *nextSpare - 1
	}
	i := slot * 2
	if m.State.Replacement {
		i++
	}
	if i >= raidDisks*2 && i >= *nextSpare {
		*nextSpare = i + 1
	}
	return i
}

// ReportsFailed reports whether the member's own table has nobody in slot.
func (m *Info) ReportsFailed(slot int) bool {
	return slot >= 0 && m.RaidDisks > 0 && (slot >= len(m.Alive) || !m.Alive[slot])
}

// InPlace reports whether a reshape needs somebody to keep its critical
// section elsewhere for as long as it runs.
func (r *ReshapeInfo) InPlace() bool { return r.Active && !r.NoBackup && r.Delta <= 0 }
