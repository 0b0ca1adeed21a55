package md

import "testing"

// TestCaughtUp has arrays in which the superblock of one member does not tell of
// the beginning, or the end, of a reshape.
func TestCaughtUp(t *testing.T) {
	reshaping := func(s *Super1) {
		s.FeatureMap |= FeatureReshapeActive | FeatureNewOffset
		s.NewLevel, s.NewLayout, s.NewChunk, s.DeltaDisks, s.RaidDisks = s.Level, s.Layout, s.ChunkSize/2, 1, 4
		s.NewOffset = -512
	}
	began := newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(4), func(i int, s *Super1) {
		s.Events = 20
		if i != 1 {
			s.Events = 21
			reshaping(s)
		}
	})
	ended := newArray(LevelRAID5, LayoutLeftSymmetric, 4, roles(4), func(i int, s *Super1) {
		if i == 1 {
			reshaping(s)
			s.ChunkSize, s.NewChunk = 2048, 1024
			return
		}
		s.Events = 21
		s.DataOffset -= 512
		s.DataSize += 512
	})
	for name, members := range map[string][]*Member{"began": began, "ended": ended} {
		f, m := members[0], members[1]
		c := CaughtUp(f, m)
		if c == m {
			t.Errorf("%s: the member is not caught up", name)
		}
		if _, why := geometryDiffers(f, c); why != "" {
			t.Errorf("%s: %s", name, why)
		}
		if c.DataOffset() != f.DataOffset() || c.DataSize() != f.DataSize() || (c.Reshape() == nil) != (f.Reshape() == nil) {
			t.Errorf("%s: data of %d sectors from %d, reshape %v; want %d, %d, %v",
				name, c.DataSize(), c.DataOffset(), c.Reshape(), f.DataSize(), f.DataOffset(), f.Reshape())
		}
		if err := Assess(members, Strict).Startable(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		m.Super1.Events -= 5 // no longer one behind
		if CaughtUp(f, m) != m {
			t.Errorf("%s: a stale member is caught up", name)
		}
	}
}
