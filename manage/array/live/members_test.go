package live

import (
	"testing"

	"github.com/mdkit/mdkit/engine/md"
)

// TestSpaceAround checks what the kernel regards as free around the data of a 1.x member
// (md.c, super_1_allow_new_offset).
func TestSpaceAround(t *testing.T) {
	const sectors = 200000
	bitmap := &md.Bitmap{Version: md.BitmapLittleEndian, SyncSize: 100000, ChunkSize: 1 << 20} // 8 sectors
	member := func(edit func(*md.Super1)) *md.Member {
		s := &md.Super1{
			Level: md.LevelRAID5, SuperOffset: 8, DataOffset: 2048, Size: 100000, DataSize: 197000,
			BblogOffset: 16, BblogSize: 8,
		}
		if edit != nil {
			edit(s)
		}
		return &md.Member{Version: md.V12, Super1: s}
	}
	at10 := func(s *md.Super1) {
		s.SuperOffset, s.DataOffset, s.BblogOffset, s.DataSize = 199984, 0, -8, 199968
	}
	for _, c := range []struct {
		name          string
		member        *md.Member
		bitmap        *md.Bitmap
		before, after uint64
	}{
		{"1.2", member(nil), nil, 2048 - 80, sectors - 100000 - 2048},
		{"1.2, bitmap within the room for superblocks", member(func(s *md.Super1) { s.BitmapOffset = 8 }), bitmap, 2048 - 80, sectors - 100000 - 2048},
		{"1.2, bitmap further on", member(func(s *md.Super1) { s.BitmapOffset = 1000 }), bitmap, 2048 - 1016, sectors - 100000 - 2048},
		{"1.2, bad block log further on", member(func(s *md.Super1) { s.BblogOffset = 1024 }), nil, 2048 - 1040, sectors - 100000 - 2048},
		{"1.2, no bad block log", member(func(s *md.Super1) { s.BblogOffset, s.BblogSize = 1024, 0 }), nil, 2048 - 80, sectors - 100000 - 2048},
		{"1.2, partial parity log", member(func(s *md.Super1) {
			s.FeatureMap = md.FeaturePPL
			s.SetPPL(24, 2000)
		}), nil, 2048 - 2032, sectors - 100000 - 2048},
		{"1.2, raid0 has no size of its own", member(func(s *md.Super1) { s.Level, s.Size = md.LevelRAID0, 0 }), nil, 2048 - 80, sectors - 197000 - 2048},
		{"1.2, full", member(func(s *md.Super1) { s.DataOffset, s.Size = 80, sectors-80 }), nil, 0, 1},
		{"1.2, more than full", member(func(s *md.Super1) { s.DataOffset, s.Size = 40, sectors }), nil, 0, 1},
		{"1.0", member(at10), nil, 0, 199976 - 100000},
		{"1.0, data in the midst", member(func(s *md.Super1) {
			at10(s)
			s.DataOffset = 500
		}), nil, 500, 199976 - 100000 - 500},
		{"1.0, bitmap", member(func(s *md.Super1) {
			at10(s)
			s.FeatureMap, s.BitmapOffset = md.FeatureBitmapOffset, -16
		}), bitmap, 0, 199968 - 100000},
		{"1.0, partial parity log", member(func(s *md.Super1) {
			at10(s)
			s.FeatureMap = md.FeaturePPL
			s.SetPPL(-2056, 2048)
		}), nil, 0, 199984 - 2056 - 100000},
	} {
		got := space1(c.member, c.bitmap, sectors)
		if got.Before != c.before || got.After != c.after || got.DataOffset != c.member.Super1.DataOffset {
			t.Errorf("%s: %+v; want %d before and %d after", c.name, got, c.before, c.after)
		}
	}
}
