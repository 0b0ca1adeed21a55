package fresh

import (
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// TestPlaceBitmap finds room for a bitmap beside the superblock, at mdadm's places
// and with its chunks (super0.c and super1.c, add_internal_bitmap).
func TestPlaceBitmap(t *testing.T) {
	const (
		gib  = 2048 << 10 // sectors
		size = 60 << 11   // of the array, in sectors: 60 MiB
	)
	member := func(v md.Version, edit func(*md.Super1)) *md.Member {
		s := &md.Super1{SuperOffset: 8, DataOffset: 2048, DataSize: 129024, BblogSize: 8, BblogOffset: 16, DevRoles: make([]md.Role, 3)}
		switch v {
		case md.V10:
			s.SuperOffset, s.DataOffset, s.DataSize, s.BblogOffset = 131056, 0, 130544, -8
		case md.V11:
			s.SuperOffset = 0
		}
		if edit != nil {
			edit(s)
		}
		return &md.Member{Version: v, Super1: s}
	}
	old := &md.Member{Version: md.V090, Super0: &md.Super0{}}
	noLog := func(at uint64) func(*md.Super1) {
		return func(s *md.Super1) { s.DataOffset, s.BblogSize, s.BblogOffset = at, 0, 0 }
	}
	full := func(roles int) func(*md.Super1) {
		return func(s *md.Super1) { s.DataSize, s.DevRoles = 131056, make([]md.Role, roles) }
	}
	for _, c := range []struct {
		name   string
		member *md.Member
		size   uint64
		want   uint64
		place  BitmapPlace
		no     bool
	}{
		{name: "0.90", member: old, size: size, place: BitmapPlace{8, 64 << 20, 60 << 10}},
		{name: "0.90, chunk", member: old, size: size, want: 8192, place: BitmapPlace{8, 8192, 60 << 10}},
		{name: "0.90, as small as can be", member: old, size: 8 * gib, want: 32 << 10, place: BitmapPlace{8, 32 << 10, 60 << 10}},
		{name: "0.90, too small", member: old, size: 8 * gib, want: 16 << 10, no: true},
		{name: "1.2", member: member(md.V12, nil), size: size, place: BitmapPlace{8, 64 << 20, 0}},
		{name: "1.1", member: member(md.V11, nil), size: size, place: BitmapPlace{8, 64 << 20, 0}},
		{name: "1.2, chunk", member: member(md.V12, nil), size: size, want: 16384, place: BitmapPlace{8, 16384, 0}},
		{name: "1.2, eight sectors before the log", member: member(md.V12, nil), size: 8 * gib, place: BitmapPlace{8, 64 << 20, 0}},
		{name: "1.2, too small for them", member: member(md.V12, nil), size: 8 * gib, want: 4096, no: true},
		{name: "1.2, no log", member: member(md.V12, noLog(2048)), size: 8 * gib, want: 4096, place: BitmapPlace{8, 4096, 0}},
		{name: "1.2, no log, little room", member: member(md.V12, noLog(26)), size: 8 * gib, want: 4096, no: true},
		{name: "1.2, no log, no room", member: member(md.V12, noLog(25)), size: size, no: true},
		{name: "1.2, log far off", member: member(md.V12, func(s *md.Super1) { s.BblogOffset = 1024 }), size: 8 * gib, want: 4096, place: BitmapPlace{8, 4096, 0}},
		{name: "1.2, larger chunks before the log", member: member(md.V12, nil), size: 4000 * gib, place: BitmapPlace{8, 256 << 20, 0}},
		{name: "1.2, no log, data far off", member: member(md.V12, noLog(1<<18)), size: 4000 * gib, place: BitmapPlace{8, 64 << 20, 0}},
		{name: "1.2, 256 sectors unless a chunk is wanted", member: member(md.V12, noLog(1<<18)), size: 100000 * gib, place: BitmapPlace{8, 128 << 20, 0}},
		{name: "1.2, all there is for the chunk wanted", member: member(md.V12, noLog(1<<18)), size: 100000 * gib, want: 1 << 20, place: BitmapPlace{8, 1 << 20, 0}},
		{name: "1.0", member: member(md.V10, nil), size: size, place: BitmapPlace{-16, 64 << 20, 0}},
		{name: "1.0, two pages", member: member(md.V10, nil), size: size, want: 4096, place: BitmapPlace{-16, 4096, 0}},
		{name: "1.0, log of another size", member: member(md.V10, func(s *md.Super1) { s.BblogOffset = -24 }), size: size, place: BitmapPlace{-32, 64 << 20, 0}},
		{name: "1.0, full: behind the superblock", member: member(md.V10, full(3)), size: size, place: BitmapPlace{2, 64 << 20, 0}},
		{name: "1.0, full, and the superblock long", member: member(md.V10, full(385)), size: size, no: true},
	} {
		place, err := PlaceBitmap(c.member, c.size, c.want)
		switch {
		case c.no && !errors.Is(err, ErrBitmapChunk):
			t.Errorf("%s: %+v, %v; want %v", c.name, place, err, ErrBitmapChunk)
		case c.no:
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case place != c.place:
			t.Errorf("%s: %+v; want %+v", c.name, place, c.place)
		}
	}
}

// TestUsableBitmap reads bitmaps: one is usable if it is this array's and can be
// read.
func TestUsableBitmap(t *testing.T) {
	uuid := md.UUID{0: 0xaa, 15: 1}
	for _, c := range []struct {
		name   string
		super  func(*md.Super1)
		bitmap func(*md.Bitmap)
		usable bool
	}{
		{name: "its own", usable: true},
		{name: "none", super: func(s *md.Super1) { s.FeatureMap = 0 }},
		{name: "of another array", bitmap: func(b *md.Bitmap) { b.UUID[0]++ }},
		{name: "no bitmap", bitmap: func(b *md.Bitmap) { b.Magic = 0 }},
		{name: "of a version to come", bitmap: func(b *md.Bitmap) { b.Version = 99 }},
		{name: "behind the end", super: func(s *md.Super1) { s.BitmapOffset = 1 << 16 }},
		{name: "before the beginning", super: func(s *md.Super1) { s.BitmapOffset = -16 }},
	} {
		m := &md.Member{Name: "disk", Size: 1 << 20, Version: md.V12, Offset: 4096, Super1: &md.Super1{
			SetUUID: uuid, SuperOffset: 8, FeatureMap: md.FeatureBitmapOffset, BitmapOffset: 8, Size: 1000, DataOffset: 1024, DataSize: 1024,
		}}
		b := &md.Bitmap{Magic: md.BitmapMagic, Version: md.BitmapLittleEndian, UUID: m.NativeUUID(), SyncSize: 1000, ChunkSize: 4096, DaemonSleep: 5}
		if c.super != nil {
			c.super(m.Super1)
		}
		if c.bitmap != nil {
			c.bitmap(b)
		}
		d := block.NewMemory("disk", 1<<20)
		if _, err := d.WriteAt(b.AppendTo(nil), 8192); err != nil {
			t.Fatal(err)
		}
		got := UsableBitmap(m, d)
		if (got != nil) != c.usable {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got != nil && (got.Offset != 8192 || got.ChunkSize != 4096) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
