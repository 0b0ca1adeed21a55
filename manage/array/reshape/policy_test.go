package reshape

import (
	"testing"

	"github.com/mdkit/mdkit/engine/md"
)

// TestPlacePPL finds room for a partial parity log where mdadm does (super1.c,
// update_super1), in sectors from the superblock.
func TestPlacePPL(t *testing.T) {
	const noRoom = "Not enough space to add ppl"
	before := func(edit func(*md.Super1)) md.Super1 { // 1.1 and 1.2: the superblock is before the data
		s := md.Super1{SuperOffset: 8, DataOffset: 4096, DataSize: 100000, ChunkSize: 128, BblogSize: 8, BblogOffset: 2056}
		if edit != nil {
			edit(&s)
		}
		return s
	}
	behind := func(free uint64, log int32) md.Super1 { // 1.0: the superblock is after the data
		return md.Super1{SuperOffset: 100000 + free, DataSize: 100000, ChunkSize: 128, BblogSize: 8, BblogOffset: log}
	}
	at := func(data uint64, log int32, chunk uint32) md.Super1 {
		return before(func(s *md.Super1) { s.DataOffset, s.BblogOffset, s.ChunkSize = data, log, chunk })
	}
	for _, c := range []struct {
		name  string
		super md.Super1
		start int16
		size  uint16
		why   string
	}{
		{name: "up to the bad block log", super: before(nil), start: 8, size: 2048},
		{name: "less than all of it", super: at(4096, 1024, 128), start: 8, size: 8 + 256},
		{name: "less, with large chunks", super: at(4096, 1024, 512), start: 8, size: 8 + 512},
		{name: "less than a chunk", super: at(4096, 108, 512), start: 8, size: 100},
		{name: "no bad block log", super: at(4096, 0, 128), start: 8, size: 2048},
		{name: "no bad block log, data near by", super: at(116, 0, 128), start: 8, size: 100},
		{name: "just enough", super: at(4096, 24, 128), start: 8, size: 16},
		{name: "too little", super: at(4096, 23, 128), why: noRoom},
		{name: "behind the data", super: behind(2056, -8), start: -2056, size: 2048},
		{name: "behind the data, less", super: behind(1000, -8), start: -1000, size: 8 + 256},
		{name: "behind the data, far off", super: behind(100000, -8), start: -1 << 15, size: 2048},
		{name: "behind the data, too little", super: behind(16, -8), why: noRoom},
		{name: "bitmap", super: before(func(s *md.Super1) { s.FeatureMap = md.FeatureBitmapOffset }), why: "Cannot add PPL to array with bitmap"},
		{name: "journal", super: before(func(s *md.Super1) { s.FeatureMap = md.FeatureJournal }), why: "Cannot add PPL to array with journal"},
	} {
		s := c.super
		why := placePPL(&s)
		if why != c.why || why == "" != s.HasPPL() {
			t.Errorf("%s: %q; want %q; has one: %v", c.name, why, c.why, s.HasPPL())
			continue
		}
		if start, size := s.PPL(); why == "" && (start != c.start || size != c.size) {
			t.Errorf("%s: %d at %d; want %d at %d", c.name, size, start, c.size, c.start)
		}
	}
}
