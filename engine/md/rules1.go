package md

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"

	"github.com/mdkit/mdkit/engine/finding"
)

// rules1 are the rules for a 1.x superblock, field by field. Those for which the
// kernel refuses a member are Fatal (md.c, super_1_load, super_1_validate, md_run
// and the personalities' run functions).
var rules1 = []superRule[Super1]{
	{Rule{"md1.magic", "magic", finding.Fatal, "the magic number is there"}, nil},
	{Rule{"md1.major_version", "major_version", finding.Fatal, "major_version is 1"}, nil},
	{Rule{"md1.max_dev", "max_dev", finding.Fatal, "max_dev is at most 1920"}, nil},
	{Rule{"md1.checksum", "sb_csum", finding.Fatal, "the checksum matches"}, nil},
	{Rule{"md1.super_offset", "super_offset", finding.Fatal, "super_offset is where the superblock is"}, nil},
	{Rule{"md1.feature_map", "feature_map", finding.Fatal, "all feature bits are known"}, nil},
	{Rule{"md1.features", "feature_map", finding.Fatal, "no features exclude each other"}, badFeatures1},
	{Rule{"md1.pad0", "pad0", finding.Fatal, "pad0 is zero"}, func(_ *Member, s *Super1) string {
		return nonZero("pad0", uint64(s.Pad0))
	}},
	{Rule{"md1.pad3", "pad3", finding.Fatal, "pad3 is zero"}, func(_ *Member, s *Super1) string {
		return nonZeroBytes("pad3", s.Pad3[:])
	}},
	{Rule{"md1.set_uuid", "set_uuid", finding.Warning, "the array has a uuid"}, func(_ *Member, s *Super1) string {
		return zeroUUID("set_uuid", s.SetUUID)
	}},
	{Rule{"md1.set_name", "set_name", finding.Warning, "the name is printable and padded with zeroes"}, func(_ *Member, s *Super1) string {
		name := s.Name()
		switch {
		case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
			return fmt.Sprintf("name %q has unprintable characters", name)
		case len(bytes.Trim(s.SetName[len(name):], "\x00")) > 0:
			return "there is something behind the end of the name"
		}
		return ""
	}},
	{Rule{"md1.ctime", "ctime", finding.Warning, "the microseconds of the creation time are below a million"}, func(_ *Member, s *Super1) string {
		return badMicroseconds("ctime", s.CTime)
	}},
	{Rule{"md1.utime", "utime", finding.Warning, "the update time is no earlier than the creation time"}, func(_ *Member, s *Super1) string {
		if why := badMicroseconds("utime", s.UTime); why != "" {
			return why
		}
		return earlier(Time1(s.UTime), Time1(s.CTime))
	}},
	{Rule{"md1.level", "level", finding.Fatal, "the level is known"}, func(_ *Member, s *Super1) string {
		return badLevel("level", s.Level)
	}},
	{Rule{"md1.layout", "layout", finding.Fatal, "the layout is one that the level has"}, func(_ *Member, s *Super1) string {
		if s.Level == LevelRAID0 && s.FeatureMap&FeatureRAID0Layout == 0 {
			return ""
		}
		return badLayout("layout", s.Level, s.Layout, s.RaidDisks)
	}},
	{Rule{"md1.size", "size", finding.Fatal, "the used size is not 0 and fits into the data area"}, badSize1},
	{Rule{"md1.chunksize", "chunksize", finding.Fatal, "the chunk size is one that the level allows"}, func(_ *Member, s *Super1) string {
		return badChunk("chunksize", s.Level, s.ChunkSize)
	}},
	{Rule{"md1.raid_disks", "raid_disks", finding.Fatal, "the number of slots is one that the level allows"}, func(_ *Member, s *Super1) string {
		return badRaidDisks(s.Level, s.RaidDisks, Super1MaxDevs)
	}},
	{Rule{"md1.bitmap_offset", "bitmap_offset", finding.Error, "the bitmap lies on the device and clear of everything else"}, func(m *Member, s *Super1) string {
		if s.FeatureMap&FeatureBitmapOffset == 0 {
			return ""
		}
		return m.misplaced(area{"bitmap", int64(s.SuperOffset) + int64(s.BitmapOffset), 1})
	}},
	{Rule{"md1.ppl", "bitmap_offset", finding.Fatal, "the partial parity log lies on the device, clear of everything else, and holds a header and a page"}, func(m *Member, s *Super1) string {
		if !s.HasPPL() {
			return ""
		}
		off, size := s.PPL()
		if size < pplMinSectors {
			return fmt.Sprintf("partial parity log of %d sectors, want at least %d", size, pplMinSectors)
		}
		return m.misplaced(area{"partial parity log", int64(s.SuperOffset) + int64(off), int64(size)})
	}},
	{Rule{"md1.new_level", "new_level", finding.Fatal, "during a reshape the new level is known"}, func(m *Member, s *Super1) string {
		if m.Reshape() == nil {
			return ""
		}
		return badLevel("new_level", s.NewLevel)
	}},
	{Rule{"md1.reshape_position", "reshape_position", finding.Error, "during a reshape its position lies in the array"}, func(m *Member, _ *Super1) string {
		return m.badReshapePosition()
	}},
	{Rule{"md1.delta_disks", "delta_disks", finding.Fatal, "during a reshape both numbers of slots make sense"}, func(m *Member, s *Super1) string {
		if m.Reshape() == nil {
			return ""
		}
		return badDelta(s.RaidDisks, s.DeltaDisks, Super1MaxDevs)
	}},
	{Rule{"md1.new_layout", "new_layout", finding.Fatal, "during a reshape the new layout is one that the new level has"}, func(m *Member, s *Super1) string {
		if m.Reshape() == nil {
			return ""
		}
		return badLayout("new_layout", s.NewLevel, s.NewLayout, s.RaidDisks)
	}},
	{Rule{"md1.new_chunk", "new_chunk", finding.Fatal, "during a reshape the new chunk size is one that the new level allows"}, func(m *Member, s *Super1) string {
		if m.Reshape() == nil {
			return ""
		}
		return badChunk("new_chunk", s.NewLevel, s.NewChunk)
	}},
	{Rule{"md1.new_offset", "new_offset", finding.Fatal, "during a reshape data stays on the device and clear of the superblock"}, func(m *Member, s *Super1) string {
		if s.FeatureMap&(FeatureNewOffset|FeatureReshapeActive) != FeatureNewOffset|FeatureReshapeActive {
			return ""
		}
		at := int64(s.DataOffset) + int64(s.NewOffset)
		if at < 0 || at > m.sectors() || m.Version.Minor > 0 && at < m.superEnd() {
			return fmt.Sprintf("new_offset %d moves data to sector %d", s.NewOffset, at)
		}
		return ""
	}},
	{Rule{"md1.data_offset", "data_offset", finding.Fatal, "data starts on the device and behind the superblock"}, func(m *Member, s *Super1) string {
		switch {
		case s.DataOffset > uint64(m.sectors()):
			return fmt.Sprintf("data starts at sector %d of a device of %d", s.DataOffset, m.sectors())
		case m.Version.Minor > 0 && s.DataOffset < uint64(m.superEnd()):
			return fmt.Sprintf("data starts at sector %d, inside the superblock, which ends at %d", s.DataOffset, m.superEnd())
		}
		return ""
	}},
	{Rule{"md1.data_size", "data_size", finding.Fatal, "the data area has at least 10 sectors and lies on the device"}, badDataSize1},
	{Rule{"md1.recovery_offset", "recovery_offset", finding.Error, "the recovered part is no larger than the used size"}, func(m *Member, s *Super1) string {
		if s.FeatureMap&FeatureRecoveryOffset == 0 || s.RecoveryOffset <= m.perDevice() {
			return ""
		}
		return fmt.Sprintf("recovered up to sector %s of %d", sectorText(s.RecoveryOffset), m.perDevice())
	}},
	{Rule{"md1.journal_tail", "recovery_offset", finding.Warning, "the journal's tail is a block of the journal"}, func(_ *Member, s *Super1) string {
		if s.Role() != RoleJournal || s.JournalTail() < s.DataSize && s.JournalTail()%JournalBlockSectors == 0 {
			return ""
		}
		return fmt.Sprintf("journal tail at sector %d of %d: the kernel starts at 0", s.JournalTail(), s.DataSize)
	}},
	{Rule{"md1.dev_number", "dev_number", finding.Warning, "the device number is in the table of roles"}, func(_ *Member, s *Super1) string {
		if uint64(s.DevNumber) < uint64(len(s.DevRoles)) {
			return ""
		}
		return fmt.Sprintf("dev_number %d is outside the table of %d roles: the device counts as a spare", s.DevNumber, len(s.DevRoles))
	}},
	{Rule{"md1.cnt_corrected_read", "cnt_corrected_read", finding.Info, "no read error had to be corrected"}, func(_ *Member, s *Super1) string {
		if s.CntCorrectedRead == 0 {
			return ""
		}
		return fmt.Sprintf("%d read errors were corrected so far", s.CntCorrectedRead)
	}},
	{Rule{"md1.device_uuid", "device_uuid", finding.Warning, "the device has a uuid"}, func(_ *Member, s *Super1) string {
		return zeroUUID("device_uuid", s.DeviceUUID)
	}},
	{Rule{"md1.devflags", "devflags", finding.Warning, "all device flags are known"}, func(_ *Member, s *Super1) string {
		return nonZero("the unknown part of devflags", uint64(s.DevFlags&^devFlagsAll))
	}},
	{Rule{"md1.bblog_shift", "bblog_shift", finding.Error, "entries of the bad block log count at most a mebibyte"}, func(_ *Member, s *Super1) string {
		if s.BblogShift <= 11 {
			return ""
		}
		return fmt.Sprintf("bblog_shift is %d, want at most 11", s.BblogShift)
	}},
	{Rule{"md1.bblog_size", "bblog_size", finding.Error, "the bad block log has at most 8 sectors"}, func(_ *Member, s *Super1) string {
		if s.BblogSize <= badBlockMaxSectors {
			return ""
		}
		return fmt.Sprintf("bad block log of %d sectors, want at most %d", s.BblogSize, badBlockMaxSectors)
	}},
	{Rule{"md1.bblog_offset", "bblog_offset", finding.Error, "the bad block log lies on the device and clear of everything else"}, func(m *Member, s *Super1) string {
		switch {
		case s.FeatureMap&FeatureBadBlocks != 0 && s.BblogOffset == 0:
			return "there are bad blocks, but no log of them"
		case s.BblogSize == 0 || s.BblogOffset == 0:
			return ""
		}
		return m.misplaced(area{"bad block log", int64(s.SuperOffset) + int64(s.BblogOffset), int64(s.BblogSize)})
	}},
	{Rule{"md1.events", "events", finding.Error, "the event count can still grow"}, func(_ *Member, s *Super1) string {
		return badEvents(s.Events)
	}},
	{Rule{"md1.resync_offset", "resync_offset", finding.Error, "the synced part is no larger than what is to be synced"}, func(m *Member, s *Super1) string {
		if limit := m.SyncSize(); s.ResyncOffset != MaxSector && s.Level > 0 && s.ResyncOffset > limit {
			return fmt.Sprintf("in sync up to sector %d of %d", s.ResyncOffset, limit)
		}
		return ""
	}},
	{Rule{"md1.logical_block_size", "logical_block_size", finding.Fatal, "the logical block size is a power of two from 512 to 65536, or unset"}, func(_ *Member, s *Super1) string {
		if b := s.LogicalBlockSize; b != 0 && (b < 512 || b > 65536 || bits.OnesCount32(b) != 1) {
			return fmt.Sprintf("logical_block_size is %d", b)
		}
		return ""
	}},
	{Rule{"md1.dev_roles", "dev_roles", finding.Error, "roles are slots of the array, each held by one device, or by two while one replaces the other"}, badRoles1},
}

func badFeatures1(_ *Member, s *Super1) string {
	has := func(f FeatureMap) bool { return s.FeatureMap&f != 0 }
	switch {
	case s.HasPPL() && has(FeatureBitmapOffset|FeatureJournal):
		return "a partial parity log excludes bitmap and journal"
	case has(FeaturePPL) && has(FeatureMultiplePPLs):
		return "ppl and multiple_ppls exclude each other"
	case s.HasPPL() && s.Level != LevelRAID5:
		return fmt.Sprintf("a partial parity log at %v, want raid5", s.Level)
	case has(FeatureRAID0Layout) && s.Level != LevelRAID0:
		return fmt.Sprintf("raid0_layout at %v", s.Level)
	case has(FeatureJournal) && !s.Level.Parity():
		return fmt.Sprintf("a journal at %v, want raid4, 5 or 6", s.Level)
	case has(FeatureReshapeBackwards|FeatureNewOffset) && !has(FeatureReshapeActive):
		return "reshape_backwards or new_offset without a reshape"
	case has(FeatureRecoveryBitmap) && !has(FeatureRecoveryOffset):
		return "recovery_bitmap without recovery_offset"
	}
	return ""
}

func badSize1(m *Member, s *Super1) string {
	switch {
	case s.Level <= 0 || s.Role() == RoleJournal:
		return ""
	case s.Size == 0:
		return "the used size is 0"
	case s.Size > s.DataSize:
		return fmt.Sprintf("the used size of %d sectors is more than the data area's %d", s.Size, s.DataSize)
	case s.DataOffset < s.SuperOffset && s.Size > s.SuperOffset-s.DataOffset:
		return fmt.Sprintf("the used size of %d sectors reaches into the superblock at %d", s.Size, s.SuperOffset)
	}
	return ""
}

func badDataSize1(m *Member, s *Super1) string {
	room := uint64(m.sectors())
	if m.Version.Minor == 0 {
		room = s.SuperOffset
	} else if s.DataOffset <= room {
		room -= s.DataOffset
	}
	switch {
	case s.DataSize < 10:
		return fmt.Sprintf("a data area of %d sectors, want at least 10", s.DataSize)
	case s.DataSize > room:
		return fmt.Sprintf("the device is too small: %d sectors of data, and room for %d", s.DataSize, room)
	}
	return ""
}

func badRoles1(m *Member, s *Super1) string {
	slots := m.Slots()
	held := make(map[Role]int, len(s.DevRoles))
	for i, r := range s.DevRoles {
		slot, ok := r.Slot()
		switch {
		case ok && slot >= slots && s.Level != LevelMultipath:
			return fmt.Sprintf("device %d has slot %d of an array with %d", i, slot, slots)
		case !ok && r < RoleJournal:
			return fmt.Sprintf("device %d has the reserved role %#x", i, uint16(r))
		case ok:
			held[r]++
			if n := held[r]; n > 2 || n > 1 && s.Level <= 0 {
				return fmt.Sprintf("slot %d is held by %d devices", slot, n)
			}
		}
	}
	return ""
}
