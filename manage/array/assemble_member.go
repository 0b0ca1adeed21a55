package array

import (
	"math"

	"github.com/mdkit/mdkit/engine/md"
)

// maxSector is the kernel's "no such sector" (MaxSector, drivers/md/md.h): the
// recovery offset of a member that is in sync throughout, and the resync
// offset of a clean array.
const maxSector uint64 = math.MaxUint64

// eventMargin is by how much a member's event count may lag behind the
// freshest one and still be taken as current (md.c, super_1_validate; mdadm
// uses the same).
const eventMargin = 1

// diskState says what a superblock says about the device it lies on.
type diskState struct {
	Faulty      bool
	Active      bool // has a slot
	Sync        bool
	Replacement bool
	Journal     bool
	WriteMostly bool
	FailFast    bool
}

// inSync reports whether the device claims a slot as a full member, which is
// what lets it be the reference for all others.
func (s diskState) inSync() bool {
	return s.Active && s.Sync && !s.Faulty && !s.Replacement && !s.Journal
}

// reshape is a change of geometry that was under way when the superblock was
// written. Its zero value means none.
type reshape struct {
	Active    bool
	NoBackup  bool   // data moves by an offset, so nothing has to be saved elsewhere
	Progress  uint64 // sectors of the array
	Delta     int    // devices added; negative when removing
	NewLayout int32
	NewChunk  uint32 // sectors
}

// slotNone is the slot of a device that has none.
const slotNone = -1

// memberInfo is what deciding about a member needs to know about it, the same
// for every superblock format.
type memberInfo struct {
	Device  string // path as the user gave it
	Major   uint32
	Minor   uint32
	Version md.Version

	UUID       md.UUID
	Name       string // 1.x: set_name; 0.90: the preferred minor in decimal
	SuperMinor int    // 0.90 only; -1 elsewhere
	Level      md.Level
	Layout     int32
	RaidDisks  int // before a shrinking reshape
	CTime      int64

	// Damaged is set for a superblock that the kernel will refuse: by its
	// checksum, or a value that makes no sense. It is never what others are
	// measured against, and never rewritten, which would make it valid.
	Damaged bool

	Number        int // the device's number in the array (dev_number)
	Slot          int // slotNone for spares and journals
	State         diskState
	Events        uint64
	RecoveryStart uint64 // sectors; maxSector when in sync throughout
	Clean         bool
	Reshape       reshape
	Working       int    // members the superblock believes to be in the array
	Alive         []bool // by slot: those of them
	NeedsJournal  bool
	PPL           bool
}
