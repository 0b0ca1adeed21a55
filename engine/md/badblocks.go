package md

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// BadBlock is a run of sectors that cannot be read.
type BadBlock struct {
	Sector uint64 // from the start of the device
	Length uint32 // sectors
}

const (
	// BadBlockMaxLen is the longest run that one entry holds, in blocks of
	// 1<<shift sectors (linux/badblocks.h, BB_MAX_LEN).
	BadBlockMaxLen = 512
	// badBlockMaxSectors is the largest log the kernel loads (md.c,
	// super_1_load: one page).
	badBlockMaxSectors = 8

	badBlockLenBits = 10
	badBlockLenMask = 1<<badBlockLenBits - 1
	badBlockEnd     = ^uint64(0)
	badBlockSize    = 8
)

// ParseBadBlocks reads a bad block log: entries of 8 bytes up to one of all
// ones, or the end of b. shift is bblog_shift: entries count 1<<shift sectors.
// It fails with class binfmt.ErrCorrupt if the shift makes no sense, or an entry
// is empty or overflows.
func ParseBadBlocks(b []byte, shift uint8) ([]BadBlock, error) {
	if shift > 21 {
		return nil, &binfmt.Error{
			Op: "parse", Format: "md-badblocks", Err: binfmt.ErrCorrupt,
			Got: fmt.Sprintf("bblog_shift %d", shift), Want: "at most 21",
		}
	}
	var list []BadBlock
	for at := 0; at+badBlockSize <= len(b); at += badBlockSize {
		e := binary.LittleEndian.Uint64(b[at:])
		if e == badBlockEnd {
			break
		}
		length := uint32(e&badBlockLenMask) << shift
		sector := e >> badBlockLenBits << shift
		if length == 0 || sector>>shift != e>>badBlockLenBits || sector > math.MaxUint64-uint64(length) {
			return list, &binfmt.Error{
				Op: "parse", Format: "md-badblocks", Field: fmt.Sprintf("entry[%d]", at/badBlockSize),
				Off: int64(at), Err: binfmt.ErrCorrupt, Got: fmt.Sprintf("%#x", e), Want: "a sector and a length",
			}
		}
		list = append(list, BadBlock{sector, length})
	}
	return list, nil
}

// AppendBadBlocks appends a bad block log of size sectors: the list, then all
// ones. It fails if the list does not fit, or if a run is not a whole number of
// blocks of 1<<shift sectors, or longer than BadBlockMaxLen of them.
func AppendBadBlocks(b []byte, list []BadBlock, shift uint8, size uint16) ([]byte, error) {
	room := int(size) * SectorSize / badBlockSize
	if len(list) > room {
		return b, fmt.Errorf("bad block log: %d entries do not fit into %d sectors, which hold %d", len(list), size, room)
	}
	for _, bb := range list {
		length, sector := uint64(bb.Length)>>shift, bb.Sector>>shift
		if length<<shift != uint64(bb.Length) || sector<<shift != bb.Sector ||
			length == 0 || length > BadBlockMaxLen || sector >= 1<<(64-badBlockLenBits) {
			return b, fmt.Errorf("bad block log: %d sectors from %d cannot be one entry of %d-sector blocks", bb.Length, bb.Sector, 1<<shift)
		}
		b = binary.LittleEndian.AppendUint64(b, sector<<badBlockLenBits|length)
	}
	for range room - len(list) {
		b = binary.LittleEndian.AppendUint64(b, badBlockEnd)
	}
	return b, nil
}

// BadBlockLog is where the member's bad block log is, in bytes from the start of
// the device, and its length in bytes; ok is false if there is none.
func (m *Member) BadBlockLog() (off, length int64, ok bool) {
	s := m.Super1
	if s == nil || s.BblogSize == 0 || s.BblogOffset == 0 {
		return 0, 0, false
	}
	return m.Offset + int64(s.BblogOffset)*SectorSize, int64(s.BblogSize) * SectorSize, true
}

// ReadBadBlocks reads the member's bad block log. The list is empty if there is
// no log, or if FeatureBadBlocks is not set, because the log does not count then.
func (m *Member) ReadBadBlocks(d block.Device) ([]BadBlock, error) {
	off, length, ok := m.BadBlockLog()
	if !ok || m.Super1.FeatureMap&FeatureBadBlocks == 0 {
		return nil, nil
	}
	if m.Super1.BblogSize > badBlockMaxSectors {
		e := super1Layout().Errorf(binfmt.ErrCorrupt, m.Super1, "bblog_size", "at most %d sectors", badBlockMaxSectors)
		return nil, binfmt.At(e, m.Name, m.Offset)
	}
	buf := make([]byte, length)
	if err := block.ReadFull(d, buf, off); err != nil {
		return nil, fmt.Errorf("bad block log of %s: %w", m.Name, err)
	}
	list, err := ParseBadBlocks(buf, m.Super1.BblogShift)
	return list, binfmt.At(err, m.Name, off)
}
