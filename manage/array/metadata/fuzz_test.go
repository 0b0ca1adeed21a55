package metadata

import (
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// dumped makes a device of a member of the given version, with a bitmap and a bad block
// log.
func dumped(super, bitmap []byte, size int64) *block.Memory {
	d := block.NewMemory("dump", size)
	put := func(b []byte, off int64) {
		if b = b[:min(int64(len(b)), max(size-off, 0))]; len(b) > 0 {
			_, _ = d.WriteAt(b, off)
		}
	}
	put(super, 4096)
	put(bitmap, 8192)
	return d
}

// FuzzDump reads the metadata of a member as for saving and restoring: its extents are
// within the device, and no more memory is allocated than the device is large.
func FuzzDump(f *testing.F) {
	super := func(change func(*md.Super1)) []byte {
		s := &md.Super1{
			Magic: md.SuperMagic, MajorVersion: 1, FeatureMap: md.FeatureBitmapOffset, Level: md.LevelRAID1, RaidDisks: 2,
			Size: 64, DataOffset: 64, DataSize: 64, SuperOffset: 8, BitmapOffset: 8, DevRoles: make([]md.Role, 2), MaxDev: 2,
		}
		change(s)
		return s.AppendTo(nil)
	}
	bitmap := md.Bitmap{Magic: md.BitmapMagic, Version: md.BitmapLittleEndian, ChunkSize: 512, SyncSize: 64}
	huge := bitmap
	huge.SyncSize = 1<<64 - 1
	f.Add(super(func(*md.Super1) {}), bitmap.AppendTo(nil), uint32(64<<10))
	f.Add(super(func(*md.Super1) {}), huge.AppendTo(nil), uint32(64<<10))
	f.Add(super(func(s *md.Super1) { s.BblogOffset, s.BblogSize = 16, 65535 }), bitmap.AppendTo(nil), uint32(64<<10))
	f.Add(super(func(s *md.Super1) { s.BblogOffset, s.BblogSize, s.BitmapOffset = -8, 8, 1<<31-1 }), bitmap.AppendTo(nil), uint32(64<<10))
	f.Fuzz(func(t *testing.T, super, bitmap []byte, size uint32) {
		d := dumped(super, bitmap, int64(size%(256<<10)))
		fuzztest.Bounded(t, int(d.Size()), func() {
			m, err := md.GuessSuper(d)
			if err != nil {
				return
			}
			extents, err := metadataExtents(d, m)
			if err != nil {
				return
			}
			for _, e := range extents {
				if e.Off < 0 || int64(len(e.Data)) > d.Size()-e.Off {
					t.Fatalf("%d bytes at %d of %d", len(e.Data), e.Off, d.Size())
				}
			}
		})
	})
}
