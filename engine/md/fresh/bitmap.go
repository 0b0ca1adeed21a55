package fresh

import "github.com/mdkit/mdkit/engine/md"

// BitmapPlace is where an internal bitmap fits on a member without one.
type BitmapPlace struct {
	Offset int32  // sectors from the superblock
	Chunk  uint64 // bytes that one bit stands for
	Room   int64  // bytes that the bitmap is to fill; 0 for as many as it needs
}

// PlaceBitmap finds room for a bitmap of syncSize sectors beside the
// superblock of a member of a running array. want is the chunk asked for in
// bytes, or 0. It fails with ErrBitmapChunk (super0.c and super1.c,
// add_internal_bitmap).
func PlaceBitmap(m *md.Member, syncSize, want uint64) (BitmapPlace, error) {
	if m.Super0 != nil {
		const room = md.Super0Reserved - md.Super0Size
		chunk, err := bitmapChunk((60<<10-md.BitmapSuperSize)*8, syncSize, want)
		return BitmapPlace{Offset: md.Super0Size / md.SectorSize, Chunk: chunk, Room: room}, err
	}
	s := m.Super1
	off, room := int32(8), int64(0)
	log := int64(s.BblogSize)
	if m.Version == md.V10 {
		room = int64(s.SuperOffset) - int64(s.DataOffset) - int64(s.DataSize)
		log = max(log, bblogArea, -int64(s.BblogOffset))
		if off = 0; room < 3*2 && len(s.DevRoles) <= 384 {
			off, room, log = 2, 3*2, 0 // between the superblock and the end of the device
		}
	} else {
		room = int64(s.DataOffset) - int64(s.SuperOffset)
		if log > 0 {
			room = int64(s.BblogOffset) + log
		} else {
			log = bblogArea
		}
		room -= 8
	}
	if room -= log; want == 0 {
		room = min(room, 128*2)
	}
	if room <= 1 {
		return BitmapPlace{}, ErrBitmapChunk
	}
	chunk, err := bitmapChunk(uint64(room*md.SectorSize-md.BitmapSuperSize)*8, syncSize, want)
	if err != nil {
		return BitmapPlace{}, err
	}
	if off == 0 {
		bits := syncSize*md.SectorSize/chunk + 1
		pages := ((bits+7)/8 + md.BitmapSuperSize + 4095) / 4096
		off = -int32(pages*8) - int32(log)
	}
	return BitmapPlace{Offset: off, Chunk: chunk}, nil
}

// bitmapChunk is the chunk, in bytes, of a bitmap that has room for at most
// maxBits bits.
func bitmapChunk(maxBits, syncSize, want uint64) (uint64, error) {
	least := uint64(4096)
	for bits := syncSize*md.SectorSize/least + 1; bits > maxBits; bits = (bits + 1) / 2 {
		least *= 2
	}
	switch {
	case want == 0:
		return max(least, 64<<20), nil
	case want < least:
		return 0, ErrBitmapChunk
	}
	return want, nil
}
