package md

import (
	"fmt"
	"time"

	"github.com/mdkit/mdkit/engine/finding"
)

// rules0 are the rules for a 0.90 superblock, field by field. Those for which the
// kernel refuses a member are Fatal (md.c, super_90_load, super_90_validate).
var rules0 = []superRule[Super0]{
	{Rule{"md0.magic", "md_magic", finding.Fatal, "the magic number is there"}, nil},
	{Rule{"md0.major_version", "major_version", finding.Fatal, "major_version is 0"}, nil},
	{Rule{"md0.minor_version", "minor_version", finding.Fatal, "minor_version is 90, or 91 during a reshape"}, nil},
	{Rule{"md0.checksum", "sb_csum", finding.Fatal, "the checksum matches"}, nil},
	{Rule{"md0.raid_disks", "raid_disks", finding.Fatal, "the number of slots is one that the level allows, at most 27"}, func(_ *Member, s *Super0) string {
		return badRaidDisks(s.Level, s.RaidDisks, Super0Disks)
	}},
	{Rule{"md0.patch_version", "patch_version", finding.Info, "patch_version is 0 to 3"}, func(_ *Member, s *Super0) string {
		if s.PatchVersion <= 3 {
			return ""
		}
		return fmt.Sprintf("patch_version is %d", s.PatchVersion)
	}},
	{Rule{"md0.gvalid_words", "gvalid_words", finding.Info, "the unused gvalid_words is 0"}, func(_ *Member, s *Super0) string {
		return nonZero("gvalid_words", uint64(s.GValidWords))
	}},
	{Rule{"md0.set_uuid", "set_uuid0", finding.Warning, "the array has a uuid"}, func(_ *Member, s *Super0) string {
		return zeroUUID("set_uuid", s.UUID())
	}},
	{Rule{"md0.level", "level", finding.Fatal, "the level is known"}, func(_ *Member, s *Super0) string {
		return badLevel("level", s.Level)
	}},
	{Rule{"md0.size", "size", finding.Fatal, "the used size is not 0 and fits before the superblock"}, func(m *Member, s *Super0) string {
		switch {
		case s.Level < 1:
			return ""
		case s.Size == 0:
			return "the used size is 0"
		case uint64(s.Size)*2 > uint64(m.Offset)/SectorSize:
			return fmt.Sprintf("the device is too small: %d KiB used, and %d before the superblock", s.Size, m.Offset>>10)
		}
		return ""
	}},
	{Rule{"md0.nr_disks", "nr_disks", finding.Error, "at most 27 devices"}, func(_ *Member, s *Super0) string {
		if s.NrDisks <= Super0Disks {
			return ""
		}
		return fmt.Sprintf("nr_disks is %d, want at most %d", s.NrDisks, Super0Disks)
	}},
	{Rule{"md0.not_persistent", "not_persistent", finding.Error, "not_persistent is 0"}, func(_ *Member, s *Super0) string {
		return nonZero("not_persistent", uint64(s.NotPersistent))
	}},
	{Rule{"md0.gstate_creserved", "gstate_creserved", finding.Warning, "reserved bytes are zero"}, func(_ *Member, s *Super0) string {
		return nonZeroBytes("gstate_creserved", s.ConstReserved[:])
	}},
	{Rule{"md0.gstate_sreserved", "gstate_sreserved", finding.Warning, "reserved bytes are zero"}, func(_ *Member, s *Super0) string {
		return nonZeroBytes("gstate_sreserved", s.StateReserved[:])
	}},
	{Rule{"md0.pstate_reserved", "pstate_reserved", finding.Warning, "reserved bytes are zero"}, func(_ *Member, s *Super0) string {
		return nonZeroBytes("pstate_reserved", s.PersonalityReserved[:])
	}},
	{Rule{"md0.utime", "utime", finding.Warning, "the update time is no earlier than the creation time"}, func(_ *Member, s *Super0) string {
		return earlier(time.Unix(int64(s.UTime), 0).UTC(), time.Unix(int64(s.CTime), 0).UTC())
	}},
	{Rule{"md0.state", "state", finding.Warning, "all state bits are known"}, func(_ *Member, s *Super0) string {
		return nonZero("the unknown part of state", uint64(s.State&^super0StateAll))
	}},
	{Rule{"md0.active_disks", "active_disks", finding.Warning, "active_disks counts the active disks of the table"}, func(_ *Member, s *Super0) string {
		return s.miscounted("active_disks", s.ActiveDisks, func(d DiskState) bool { return d&(DiskActive|DiskFaulty) == DiskActive })
	}},
	{Rule{"md0.working_disks", "working_disks", finding.Warning, "working_disks is active_disks and spare_disks"}, func(_ *Member, s *Super0) string {
		if uint64(s.WorkingDisks) == uint64(s.ActiveDisks)+uint64(s.SpareDisks) {
			return ""
		}
		return fmt.Sprintf("working_disks is %d, with %d active and %d spare", s.WorkingDisks, s.ActiveDisks, s.SpareDisks)
	}},
	{Rule{"md0.failed_disks", "failed_disks", finding.Warning, "failed_disks is no more than there is room for"}, func(_ *Member, s *Super0) string {
		return tooMany("failed_disks", s.FailedDisks)
	}},
	{Rule{"md0.spare_disks", "spare_disks", finding.Warning, "spare_disks is no more than there is room for"}, func(_ *Member, s *Super0) string {
		return tooMany("spare_disks", s.SpareDisks)
	}},
	{Rule{"md0.events", "events", finding.Error, "the event count can still grow"}, func(_ *Member, s *Super0) string {
		return badEvents(s.Events)
	}},
	{Rule{"md0.cp_events", "cp_events", finding.Warning, "the checkpoint is not newer than the superblock"}, func(_ *Member, s *Super0) string {
		if s.CPEvents <= s.Events {
			return ""
		}
		return fmt.Sprintf("checkpoint of event %d in a superblock of event %d", s.CPEvents, s.Events)
	}},
	{Rule{"md0.recovery_cp", "recovery_cp", finding.Error, "the synced part is no larger than what is to be synced"}, func(m *Member, s *Super0) string {
		if limit := m.SyncSize(); s.Level > 0 && s.RecoveryCP != ^uint32(0) && uint64(s.RecoveryCP) > limit {
			return fmt.Sprintf("in sync up to sector %d of %d", s.RecoveryCP, limit)
		}
		return ""
	}},
	{Rule{"md0.reshape_position", "reshape_position", finding.Error, "during a reshape its position lies in the array"}, func(m *Member, _ *Super0) string {
		return m.badReshapePosition()
	}},
	{Rule{"md0.new_level", "new_level", finding.Fatal, "during a reshape the new level is known"}, func(_ *Member, s *Super0) string {
		if !s.Reshaping() {
			return ""
		}
		return badLevel("new_level", s.NewLevel)
	}},
	{Rule{"md0.delta_disks", "delta_disks", finding.Fatal, "during a reshape both numbers of slots make sense"}, func(_ *Member, s *Super0) string {
		if !s.Reshaping() {
			return ""
		}
		return badDelta(s.RaidDisks, s.DeltaDisks, Super0Disks)
	}},
	{Rule{"md0.new_layout", "new_layout", finding.Fatal, "during a reshape the new layout is one that the new level has"}, func(_ *Member, s *Super0) string {
		if !s.Reshaping() || s.NewLevel == LevelRAID0 {
			return ""
		}
		return badLayout("new_layout", s.NewLevel, s.NewLayout, s.RaidDisks)
	}},
	{Rule{"md0.new_chunk", "new_chunk", finding.Fatal, "during a reshape the new chunk size is one that the new level allows"}, func(_ *Member, s *Super0) string {
		if !s.Reshaping() {
			return ""
		}
		return badChunk0("new_chunk", s.NewLevel, s.NewChunk)
	}},
	{Rule{"md0.layout", "layout", finding.Fatal, "the layout is one that the level has"}, func(_ *Member, s *Super0) string {
		if s.Level == LevelRAID0 {
			return "" // 0.90 stores none for raid0
		}
		return badLayout("layout", s.Level, s.Layout, s.RaidDisks)
	}},
	{Rule{"md0.chunk_size", "chunk_size", finding.Fatal, "the chunk size is one that the level allows"}, func(_ *Member, s *Super0) string {
		return badChunk0("chunk_size", s.Level, s.ChunkSize)
	}},
	{Rule{"md0.root_pv", "root_pv", finding.Info, "the unused root_pv is 0"}, func(_ *Member, s *Super0) string {
		return nonZero("root_pv", uint64(s.RootPV))
	}},
	{Rule{"md0.root_block", "root_block", finding.Info, "the unused root_block is 0"}, func(_ *Member, s *Super0) string {
		return nonZero("root_block", uint64(s.RootBlock))
	}},
	{Rule{"md0.disks", "disks[0].number", finding.Error, "every descriptor has its own number, a slot of its own, known states and zeroes behind them"}, badDisks0},
	{Rule{"md0.this_disk", "this_disk.number", finding.Error, "this_disk is a copy of its descriptor in the table"}, func(_ *Member, s *Super0) string {
		n := s.ThisDisk.Number
		switch {
		case s.Level == LevelMultipath:
			return ""
		case n >= Super0Disks:
			return fmt.Sprintf("this_disk has number %d of %d", n, Super0Disks)
		case s.Disks[n] != s.ThisDisk:
			return fmt.Sprintf("this_disk is not the same as disks[%d]", n)
		}
		return ""
	}},
}

func badChunk0(what string, l Level, chunk uint32) string {
	if l.Striped() && chunk%SectorSize != 0 {
		return fmt.Sprintf("%s is %d bytes, not a whole number of sectors", what, chunk)
	}
	return badChunk(what, l, chunk/SectorSize)
}

func (s *Super0) miscounted(what string, n uint32, is func(DiskState) bool) string {
	count := uint32(0)
	for i := range s.Disks {
		if is(s.Disks[i].State) {
			count++
		}
	}
	if n == count {
		return ""
	}
	return fmt.Sprintf("%s is %d, the table has %d", what, n, count)
}

func tooMany(what string, n uint32) string {
	if n <= Super0Disks {
		return ""
	}
	return fmt.Sprintf("%s is %d, want at most %d", what, n, Super0Disks)
}

const diskStateAll = DiskFaulty | DiskActive | DiskSync | DiskRemoved | DiskClusterAdd |
	DiskCandidate | DiskWriteMostly | DiskFailFast | DiskReplacement | DiskJournal

func badDisks0(m *Member, s *Super0) string {
	held := make(map[uint32]int)
	for i := range s.Disks {
		d := &s.Disks[i]
		active := d.State&DiskActive != 0 && d.State&DiskFaulty == 0
		switch {
		case *d == (Disk0{}):
			continue
		case d.Number != uint32(i):
			return fmt.Sprintf("disks[%d] has number %d", i, d.Number)
		case d.State&^diskStateAll != 0:
			return fmt.Sprintf("disks[%d] has unknown state bits %#x", i, uint32(d.State&^diskStateAll))
		case nonZeroBytes("", d.Reserved[:]) != "":
			return nonZeroBytes(fmt.Sprintf("disks[%d].reserved", i), d.Reserved[:])
		case d.RaidDisk >= Super0Disks:
			return fmt.Sprintf("disks[%d] has slot %d of %d", i, d.RaidDisk, Super0Disks)
		case active && s.Level != LevelMultipath && int(d.RaidDisk) >= m.Slots():
			return fmt.Sprintf("disks[%d] has slot %d of an array with %d", i, d.RaidDisk, m.Slots())
		case active:
			if other, ok := held[d.RaidDisk]; ok && s.Level != LevelMultipath {
				return fmt.Sprintf("disks[%d] has slot %d, which disks[%d] has too", i, d.RaidDisk, other)
			}
			held[d.RaidDisk] = i
		}
	}
	return ""
}
