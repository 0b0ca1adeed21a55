package array

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// FuzzParseMap reads any text as a map of arrays: what is understood is written
// so that it reads the same again.
func FuzzParseMap(f *testing.F) {
	f.Add("md127 1.2 818ca0a2:00000001:00000002:ffffffff /dev/md/home\nmd0 0.90 1:2:3:4 /dev/md0\n")
	f.Add("md0 1.2 1:2:3 /dev/md0\n\nmd1 external:/md127/0 0:0:0:0:0 x\nmd2\t1.0 +1:2:3:4 a b c")
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, 4*len(text), func() {
			entries := parseMap(text)
			if len(entries) > strings.Count(text, "\n")+1 {
				t.Fatalf("%d entries in %q", len(entries), text)
			}
			var b strings.Builder
			for _, e := range slices.Backward(entries) {
				fmt.Fprintf(&b, "%s %s %v %s\n", e.Name, e.Metadata, e.UUID, e.Path)
			}
			if again := parseMap(b.String()); !reflect.DeepEqual(again, entries) {
				t.Fatalf("%q reads as %v, then %v", text, entries, again)
			}
		})
	})
}

// FuzzParsePartitions reads any text as /proc/partitions.
func FuzzParsePartitions(f *testing.F) {
	f.Add("major minor  #blocks  name\n\n   8        0  976762584 sda\n   8        1     524288 sda1\n 259        0  500107608 nvme0n1\n   9      127    1046528 md127\n")
	f.Add(" 4294967295 4294967295 0 x\n 4294967296 0 0 y\n 8\n -1 2\n8 0 1 sda")
	f.Add(strings.Repeat(" 8 0\n", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, 4*len(text), func() {
			devs := parsePartitions(text)
			if len(devs) > strings.Count(text, "\n")+1 {
				t.Fatalf("%d devices in %q", len(devs), text)
			}
			var b strings.Builder
			for _, d := range slices.Backward(devs) {
				fmt.Fprintf(&b, "%4d  %7d %10d x\n", d[0], d[1], 1)
			}
			if again := parsePartitions(" " + strings.ReplaceAll(b.String(), "\n", "\n ")); !slices.Equal(again, devs) {
				t.Fatalf("%q reads as %v, then %v", text, devs, again)
			}
		})
	})
}

// dumped is a device of a member of the given version, with a bitmap and a bad
// block log.
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

// FuzzDump reads the metadata of a member, as it is saved and restored: it lies
// on the device, and takes no memory that there is no device for.
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
			m, err := guessSuper(d)
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
