package reshape

import (
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// takenOver returns the shape that the kernel gives an array when it changes the level,
// before any restripe (raid0.c, raid1.c, raid5.c, raid10.c: raid*_takeover*). sectors is
// the size of the array. It returns false for a level that the kernel cannot change to
// in one step; other reasons to refuse have been checked before.
func takenOver(info mdctl.ArrayInfo, sectors uint64, to md.Level) (mdctl.ArrayInfo, bool) {
	from := md.Level(info.Level)
	info.Level = mdctl.Level(to)
	switch {
	case from == md.LevelRAID0 && to == md.LevelRAID10:
		info.RaidDisks *= 2
		info.Layout = 0x102
	case from == md.LevelRAID0 && to == md.LevelRAID6:
		return info, false
	case from == md.LevelRAID0:
		info.RaidDisks++
		info.Layout = md.LayoutParityLast
	case from == md.LevelRAID10:
		info.RaidDisks /= 2
		info.Layout = 0
	case from == md.LevelRAID1:
		info.ChunkSize = chunkOfCopy(sectors)
		info.Layout = md.LayoutLeftSymmetric
		if to == md.LevelRAID0 {
			info.RaidDisks, info.Layout = 1, 0
		}
	case to == md.LevelRAID0:
		info.RaidDisks--
		info.Layout = 0
	case to == md.LevelRAID1:
		info.ChunkSize, info.Layout = 0, 0
	case to == md.LevelRAID6:
		info.RaidDisks++
		if layout, ok := doubled[info.Layout]; ok {
			info.Layout = layout
		}
	case from == md.LevelRAID6:
		info.RaidDisks--
		for single, layout := range doubled {
			if layout == info.Layout {
				info.Layout = single
			}
		}
	}
	return info, true
}

// chunkOfCopy returns the chunk size, in bytes, of a former raid1 of that many sectors:
// 64K or, if that leaves a remainder, the largest that leaves none.
func chunkOfCopy(sectors uint64) int32 {
	chunk := uint64(64<<10) / md.SectorSize
	for chunk > 0 && sectors%chunk != 0 {
		chunk /= 2
	}
	return int32(chunk * md.SectorSize)
}
