package md

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// area is a part of a device: its name, place and length, in sectors.
type area struct {
	name    string
	off, ln int64
}

func (a area) end() int64 { return a.off + a.ln }

// sectors is the size of the device in sectors.
func (m *Member) sectors() int64 { return m.Size / SectorSize }

// superEnd is the sector behind the superblock.
func (m *Member) superEnd() int64 {
	n := int64(Super0Size)
	if m.Super1 != nil {
		n = int64(m.Super1.EncodedLen())
	}
	return m.Offset/SectorSize + (n+SectorSize-1)/SectorSize
}

// areas lists the areas of the device that the superblock names.
func (m *Member) areas() []area {
	at := m.Offset / SectorSize
	list := []area{{"superblock", at, m.superEnd() - at}}
	s := m.Super1
	if s == nil {
		return list
	}
	// If an array does not use all of data_size, metadata may be in the rest (1.0
	// with a bitmap).
	used := s.DataSize
	if s.Level > 0 && s.Role() != RoleJournal {
		used = min(used, s.Size)
	}
	if s.DataOffset <= uint64(m.sectors()) {
		list = append(list, area{"data", int64(s.DataOffset), int64(min(used, math.MaxInt64/2))})
	}
	if s.FeatureMap&FeatureBitmapOffset != 0 {
		list = append(list, area{"bitmap", at + int64(s.BitmapOffset), 1})
	} else if s.HasPPL() {
		off, size := s.PPL()
		list = append(list, area{"partial parity log", at + int64(off), int64(size)})
	}
	if s.BblogSize != 0 && s.BblogOffset != 0 {
		list = append(list, area{"bad block log", at + int64(s.BblogOffset), int64(s.BblogSize)})
	}
	return list
}

// misplaced says how an area reaches beyond the device or overlaps another area,
// or "".
func (m *Member) misplaced(a area) string {
	if a.off < 0 || a.ln > m.sectors() || a.off > m.sectors()-a.ln {
		return fmt.Sprintf("%s at sectors %d to %d of a device of %d", a.name, a.off, a.end(), m.sectors())
	}
	for _, b := range m.areas() {
		if b.name != a.name && a.off < b.end() && b.off < a.end() {
			return fmt.Sprintf("%s at sectors %d to %d overlaps %s at %d to %d", a.name, a.off, a.end(), b.name, b.off, b.end())
		}
	}
	return ""
}

// perDevice is how many sectors of this device the array can use.
func (m *Member) perDevice() uint64 {
	if m.Level() > 0 {
		return m.UsedSize()
	}
	return m.DataSize()
}

// SyncSize is how many sectors a resync covers: the size of the array for raid10,
// else the used size.
func (m *Member) SyncSize() uint64 {
	if m.Level() == LevelRAID10 {
		return m.ArraySize()
	}
	return m.UsedSize()
}

func nonZero(what string, v uint64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%s is %#x, want 0", what, v)
}

func nonZeroBytes(what string, b []byte) string {
	for i, c := range b {
		if c != 0 {
			return fmt.Sprintf("%s has %#x at its byte %d, want zeroes", what, c, i)
		}
	}
	return ""
}

func zeroUUID(what string, u UUID) string {
	if u.IsZero() {
		return what + " is all zero"
	}
	return ""
}

func badMicroseconds(what string, t uint64) string {
	if us := t >> 40; us >= 1e6 {
		return fmt.Sprintf("%s has %d microseconds in a second", what, us)
	}
	return ""
}

// earlier complains of an update more than a day before the creation; if it is
// less, a clock was set.
func earlier(utime, ctime time.Time) string {
	if utime.Before(ctime.Add(-24 * time.Hour)) {
		return fmt.Sprintf("updated %s, before it was created %s", utime.Format(time.RFC3339), ctime.Format(time.RFC3339))
	}
	return ""
}

func badLevel(what string, l Level) string {
	if l.Known() && l != LevelContainer {
		return ""
	}
	return fmt.Sprintf("%s is %d, which md does not have", what, int32(l))
}

// badLayout follows the kernel: raid5.c, algorithm_valid_raid5 and
// algorithm_valid_raid6; raid10.c, setup_geo; raid0.c, create_strip_zones.
func badLayout(what string, l Level, layout int32, disks uint32) string {
	ok := true
	switch l {
	case LevelRAID0:
		ok = layout >= 0 && layout <= LayoutRAID0Alternate
	case LevelRAID5:
		ok = layout >= 0 && layout <= LayoutParityLast
	case LevelRAID6:
		_, ok = LayoutName(l, layout)
	case LevelRAID10:
		r := ParseRAID10Layout(layout)
		ok = r.Valid() && uint32(r.Copies()) <= disks
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("%s is %#x, which %v does not have", what, uint32(layout), l)
}

// badChunk checks for what the personalities require: powers of two of at least a
// page (raid5.c, setup_conf; raid10.c, setup_conf), for raid0 any number of
// sectors.
func badChunk(what string, l Level, sectors uint32) string {
	switch {
	case !l.Striped():
		return ""
	case sectors == 0:
		return what + " is 0"
	case l == LevelRAID0:
		return ""
	case bits.OnesCount32(sectors) != 1 || sectors < 8:
		return fmt.Sprintf("%s is %d sectors, want a power of two from 8 up", what, sectors)
	}
	return ""
}

func badRaidDisks(l Level, n, most uint32) string {
	least := uint32(1)
	switch l {
	case LevelRAID4, LevelRAID5, LevelRAID10:
		least = 2
	case LevelRAID6:
		least = 4
	}
	if n < least || n > most {
		return fmt.Sprintf("%v with %d slots, want %d to %d", l, n, least, most)
	}
	return ""
}

func badDelta(disks uint32, delta int32, most int64) string {
	before := int64(disks) - int64(delta)
	if before < 1 || before > most {
		return fmt.Sprintf("delta_disks %d means that there were %d slots before", delta, before)
	}
	return ""
}

func (m *Member) badReshapePosition() string {
	r := m.Reshape()
	if r == nil {
		return ""
	}
	hi, limit := bits.Mul64(m.UsedSize(), uint64(max(m.Slots(), 0)))
	if hi == 0 && r.Position > limit {
		return fmt.Sprintf("reshape at sector %s of an array of at most %d", sectorText(r.Position), limit)
	}
	return ""
}

func badEvents(events uint64) string {
	if events >= 1<<62 {
		return fmt.Sprintf("event count is %d: no array lives that long", events)
	}
	return ""
}
