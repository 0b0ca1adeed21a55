package md

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// ErrNoSuper marks a device that carries no md superblock; the error itself is
// a *NoSuperError.
var ErrNoSuper = errors.New("no md superblock")

// NoSuperError says that a device carries no md superblock, and what was there
// instead if it looked like one.
type NoSuperError struct {
	Device string
	Size   int64 // bytes
	// Near holds one error for each place that begins with the magic number
	// but is not a superblock of that place.
	Near []error
}

// Error returns one line: the device, and the near misses if there were any.
func (e *NoSuperError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: no md superblock", e.Device)
	if e.Size < Super1MinSize {
		fmt.Fprintf(&b, ": a device of %d bytes is too small for one, want at least %d", e.Size, Super1MinSize)
	}
	for _, near := range e.Near {
		fmt.Fprintf(&b, "; %v", near)
	}
	return b.String()
}

// Is matches ErrNoSuper.
func (e *NoSuperError) Is(target error) bool { return target == ErrNoSuper }

// Unwrap returns the near misses.
func (e *NoSuperError) Unwrap() []error { return e.Near }

// Member is a device and the superblock found on it. The methods hide which of the
// two formats it has; sizes and offsets are in sectors unless stated otherwise.
type Member struct {
	Name    string  // the device's, for messages
	Size    int64   // of the device, bytes
	Version Version // V090, V10, V11 or V12
	Offset  int64   // of the superblock, bytes
	Super0  *Super0 // exactly one of Super0 and Super1 is not nil
	Super1  *Super1

	// Err is why the kernel would not load this superblock, as ParseSuper1 or
	// ParseSuper0 returned it; nil if it would. mdadm shows such superblocks all
	// the same.
	Err error
	// Others lists the versions of further superblocks on the device that were
	// passed over because they were made earlier.
	Others []Version
}

// guessOrder is the order of mdadm (util.c, guess_super_type; super1.c,
// load_super1): of superblocks of the same age, the first counts.
var guessOrder = [...]Version{V090, V10, V11, V12}

// ReadMember finds the superblock of d. With no version wanted it looks in all
// four places and takes the one that was made last, as mdadm does; otherwise
// it looks for the given versions only.
//
// It fails with an error that matches ErrNoSuper if there is none, or with the
// read error that kept it from finding out. A superblock that is damaged but
// still recognizable is returned with Member.Err set.
func ReadMember(d block.Device, want ...Version) (*Member, error) {
	if len(want) == 0 {
		want = guessOrder[:]
	}
	name := block.Name(d)
	var (
		best   *Member
		others []Version
		near   []error
		failed error
	)
	for _, v := range want {
		m, err := readSuper(d, name, v)
		switch {
		case err == nil && m == nil:
			continue
		case err != nil && m == nil && isNear(err):
			near = append(near, err)
			continue
		case err != nil && m == nil:
			failed = err
			continue
		}
		if best == nil || best.ctimeSeconds() < m.ctimeSeconds() ||
			best.sameFormatOlder(m) {
			if best != nil {
				others = append(others, best.Version)
			}
			best = m
		} else {
			others = append(others, m.Version)
		}
	}
	switch {
	case best != nil:
		best.Others = others
		return best, nil
	case failed != nil:
		return nil, failed
	}
	return nil, &NoSuperError{Device: name, Size: d.Size(), Near: near}
}

func isNear(err error) bool {
	var e *binfmt.Error
	return errors.As(err, &e)
}

// readSuper reads the superblock of one version. All nil means that nothing
// there looks like one; an error alone is a near miss or a failed read.
func readSuper(d block.Device, name string, v Version) (*Member, error) {
	off, ok := v.SuperOffset(d.Size())
	if !ok {
		return nil, nil
	}
	buf := make([]byte, min(Super1Size, d.Size()-off))
	if err := block.ReadFull(d, buf, off); err != nil {
		return nil, err
	}
	m := &Member{Name: name, Size: d.Size(), Version: v, Offset: off}
	var err error
	if v.Major == 0 {
		m.Super0, err = ParseSuper0(buf)
		if m.Super0 == nil {
			return nil, nil
		}
		err = binfmt.At(err, name, off)
		if m.Super0.MajorVersion != 0 {
			// A 1.0 superblock can be here too.
			if m.Super0.MajorVersion == 1 {
				return nil, nil
			}
			return nil, err
		}
	} else {
		m.Super1, err = ParseSuper1(buf)
		if m.Super1 == nil {
			return nil, nil
		}
		err = binfmt.At(err, name, off)
		if m.Super1.MajorVersion != 1 {
			if m.Super1.MajorVersion == 0 {
				return nil, nil
			}
			return nil, err
		}
		if got := m.Super1.SuperOffset; got != uint64(off/SectorSize) {
			e := super1Layout().Errorf(binfmt.ErrCorrupt, m.Super1, "super_offset", "%d sectors", off/SectorSize)
			return nil, binfmt.At(e, name, off)
		}
	}
	m.Err = err
	return m, nil
}

func (m *Member) ctimeSeconds() int64 { return m.CTime().Unix() }

// sameFormatOlder reports whether m is older than o if both are 1.x superblocks. It
// compares the whole time field, as load_super1 does; between the two formats only
// seconds count.
func (m *Member) sameFormatOlder(o *Member) bool {
	return m.Super1 != nil && o.Super1 != nil && m.Super1.CTime < o.Super1.CTime
}

// UUID is the array's.
func (m *Member) UUID() UUID {
	if m.Super0 != nil {
		return m.Super0.UUID()
	}
	return m.Super1.SetUUID
}

// Events is the update counter.
func (m *Member) Events() uint64 {
	if m.Super0 != nil {
		return m.Super0.Events
	}
	return m.Super1.Events
}

// Level is the array's level.
func (m *Member) Level() Level {
	if m.Super0 != nil {
		return m.Super0.Level
	}
	return m.Super1.Level
}

// Layout is the array's layout; see LayoutName.
func (m *Member) Layout() int32 {
	if m.Super0 != nil {
		return m.Super0.Layout
	}
	return m.Super1.Layout
}

// RaidDisks is how many slots the array has or, during a reshape, is going to
// have.
func (m *Member) RaidDisks() int {
	if m.Super0 != nil {
		return int(m.Super0.RaidDisks)
	}
	return int(m.Super1.RaidDisks)
}

// ChunkSectors is the chunk size in sectors; for linear it is the rounding.
func (m *Member) ChunkSectors() uint32 {
	if m.Super0 != nil {
		return m.Super0.ChunkSize / SectorSize
	}
	return m.Super1.ChunkSize
}

// DataOffset is where data starts on the device.
func (m *Member) DataOffset() uint64 {
	if m.Super0 != nil {
		return 0
	}
	return m.Super1.DataOffset
}

// DataSize is how much of the device can hold data. For 0.90 it is everything
// before the superblock.
func (m *Member) DataSize() uint64 {
	if m.Super0 != nil {
		return uint64(m.Offset) / SectorSize
	}
	return m.Super1.DataSize
}

// UsedSize is how much of each member the array uses; 0 for levels whose
// members differ in size.
func (m *Member) UsedSize() uint64 {
	if m.Super0 != nil {
		return uint64(m.Super0.Size) * 2
	}
	return m.Super1.Size
}

// Role is what the device's own superblock says it is.
func (m *Member) Role() Role {
	if m.Super0 != nil {
		return m.Super0.Role()
	}
	return m.Super1.Role()
}

// Replacement reports whether the device is taking the place of the one that
// has the same slot.
func (m *Member) Replacement() bool {
	return m.Super1 != nil && m.Super1.FeatureMap&FeatureReplacement != 0
}

// Features is feature_map; 0 for 0.90.
func (m *Member) Features() FeatureMap {
	if m.Super0 != nil {
		return 0
	}
	return m.Super1.FeatureMap
}

// CTime is when the array was made.
func (m *Member) CTime() time.Time {
	if m.Super0 != nil {
		return time.Unix(int64(m.Super0.CTime), 0).UTC()
	}
	return Time1(m.Super1.CTime)
}

// UTime is when this superblock was last updated.
func (m *Member) UTime() time.Time {
	if m.Super0 != nil {
		return time.Unix(int64(m.Super0.UTime), 0).UTC()
	}
	return Time1(m.Super1.UTime)
}

// Clean reports whether the array was shut down or idle, with nothing left to
// resync.
func (m *Member) Clean() bool {
	if m.Super0 != nil {
		return m.Super0.Clean()
	}
	return m.Super1.Clean()
}

// ResyncOffset is the sector up to which the members are known to agree; MaxSector
// if nothing is left to resync.
func (m *Member) ResyncOffset() uint64 {
	if s := m.Super0; s != nil {
		switch {
		case s.Clean():
			return MaxSector
		case s.Events == s.CPEvents && s.RecoveryCP == ^uint32(0):
			return MaxSector
		case s.Events == s.CPEvents:
			return uint64(s.RecoveryCP)
		}
		return 0
	}
	return m.Super1.ResyncOffset
}

// RecoveryOffset is the sector up to which this device has been rebuilt; MaxSector
// if it is not being rebuilt. All 64 bits count here; mdadm keeps only the low 32
// (super1.c, getinfo_super1).
func (m *Member) RecoveryOffset() uint64 {
	if m.Super1 != nil && m.Super1.FeatureMap&FeatureRecoveryOffset != 0 {
		return m.Super1.RecoveryOffset
	}
	return MaxSector
}

// SetName is the array's name. 0.90 has none; as in mdadm, it is the preferred
// minor number in decimal then.
func (m *Member) SetName() string {
	if m.Super0 != nil {
		return strconv.FormatUint(uint64(m.Super0.MDMinor), 10)
	}
	return m.Super1.Name()
}

// DeviceUUID is the device's own uuid; all zero for 0.90.
func (m *Member) DeviceUUID() UUID {
	if m.Super0 != nil {
		return UUID{}
	}
	return m.Super1.DeviceUUID
}

// DevNumber is the device's index in the table of devices.
func (m *Member) DevNumber() uint32 {
	if m.Super0 != nil {
		return m.Super0.ThisDisk.Number
	}
	return m.Super1.DevNumber
}

// Reshape is a change of geometry that is under way.
type Reshape struct {
	Position  uint64 // array sectors done or, if the reshape shrinks or runs backwards, left
	Level     Level  // after
	Layout    int32  // after
	Chunk     uint32 // after, sectors
	Delta     int    // change in the number of slots; RaidDisks is the count after
	Backwards bool   // from the end to the start
	// NewDataOffset is where data of this member starts after the reshape.
	NewDataOffset uint64
	// NoBackup is set if data moves by an offset, so that none of it has to be
	// saved elsewhere.
	NoBackup bool
}

// NeedsBackup reports whether the reshape, nil for none, has a critical section
// that has to be saved elsewhere.
func (r *Reshape) NeedsBackup() bool { return r != nil && !r.NoBackup }

// InPlace reports whether the reshape, nil for none, needs a process that keeps
// its critical section elsewhere for as long as it runs.
func (r *Reshape) InPlace() bool { return r.NeedsBackup() && r.Delta <= 0 }

// Reshape returns the reshape that the superblock tells of, or nil.
func (m *Member) Reshape() *Reshape {
	if s := m.Super0; s != nil {
		if !s.Reshaping() {
			return nil
		}
		return &Reshape{
			Position: s.ReshapePosition, Level: s.NewLevel, Layout: s.NewLayout,
			Chunk: s.NewChunk / SectorSize, Delta: int(s.DeltaDisks), Backwards: s.DeltaDisks < 0,
		}
	}
	s := m.Super1
	if s.FeatureMap&FeatureReshapeActive == 0 {
		return nil
	}
	r := &Reshape{
		Position: s.ReshapePosition, Level: s.NewLevel, Layout: s.NewLayout,
		Chunk: s.NewChunk, Delta: int(s.DeltaDisks), NewDataOffset: s.DataOffset,
		Backwards: s.DeltaDisks < 0 || s.DeltaDisks == 0 && s.FeatureMap&FeatureReshapeBackwards != 0,
	}
	if s.FeatureMap&FeatureNewOffset != 0 {
		r.NewDataOffset += uint64(int64(s.NewOffset))
		r.NoBackup = s.NewOffset != 0
	}
	return r
}

// Slots is how many slots can be in use: RaidDisks or, during a reshape that takes
// slots away, the number before it (super1.c, getinfo_super1).
func (m *Member) Slots() int {
	n := m.RaidDisks()
	if r := m.Reshape(); r != nil && r.Delta < 0 {
		n -= r.Delta
	}
	return n
}

// RoleOf is the role that this superblock's table has for the device with the given
// number; a spare if the number is outside the table.
func (m *Member) RoleOf(devNumber uint32) Role {
	if s := m.Super0; s != nil {
		if devNumber >= Super0Disks {
			return RoleSpare
		}
		return s.Disks[devNumber].role(s.MinorVersion)
	}
	if uint64(devNumber) >= uint64(len(m.Super1.DevRoles)) {
		return RoleSpare
	}
	return m.Super1.DevRoles[devNumber]
}

// ArraySize is the array's size in sectors as mdadm --examine computes it. It is 0
// for levels whose size does not follow from a single member (linear, raid0,
// multipath, faulty), and for geometry that makes no sense.
func (m *Member) ArraySize() uint64 {
	disks := uint64(max(m.RaidDisks(), 0))
	size := m.UsedSize()
	switch m.Level() {
	case LevelRAID1:
		return size
	case LevelRAID4, LevelRAID5:
		return size * (max(disks, 1) - 1)
	case LevelRAID6:
		return size * (max(disks, 2) - 2)
	case LevelRAID10:
		if copies := ParseRAID10Layout(m.Layout()).Copies(); copies > 0 {
			return size * disks / uint64(copies)
		}
	}
	return 0
}

// AppendSuper appends the bytes of the superblock, with a computed checksum.
func (m *Member) AppendSuper(b []byte) []byte {
	if m.Super0 != nil {
		return m.Super0.AppendTo(b)
	}
	return m.Super1.AppendTo(b)
}
