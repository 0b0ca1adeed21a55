package array_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// bitmapChunk is the bitmap's chunk size in these tests, in bytes.
const bitmapChunk = 4096

// withBitmap makes the members of an array with a bitmap.
func withBitmap(t testing.TB, spec arraySpec) []*block.Memory {
	t.Helper()
	spec.change = func(_ int, s *md.Super1) {
		s.FeatureMap |= md.FeatureBitmapOffset
		s.BitmapOffset = 8
	}
	disks := makeArray(t, spec)
	size := spec.sizes[0]
	if spec.level == md.LevelRAID10 {
		size = size * uint64(len(disks)) / 2
	}
	b := &md.Bitmap{
		Magic: md.BitmapMagic, Version: md.BitmapLittleEndian, UUID: md.UUID{1, 2, 3}, Events: 9, EventsCleared: 9,
		SyncSize: size, ChunkSize: bitmapChunk, DaemonSleep: 5,
	}
	for _, d := range disks {
		if _, err := d.WriteAt(b.AppendTo(nil), 8192); err != nil {
			t.Fatal(err)
		}
	}
	return disks
}

func bitmapSpecs() []arraySpec {
	return []arraySpec{
		{level: md.LevelRAID1, sizes: same(2, 64)},
		{level: md.LevelRAID5, layout: md.LayoutLeftSymmetric, chunk: 8, sizes: same(3, 64)},
		{level: md.LevelRAID6, layout: md.LayoutLeftSymmetric, chunk: 8, sizes: same(5, 64)},
		{level: md.LevelRAID10, layout: 0x102, chunk: 8, sizes: same(4, 64)},
	}
}

// dirtyChunks returns the numbers of the chunks whose bits are set on a member, and
// the bitmap's superblock.
func dirtyChunks(t testing.TB, d block.Device) (chunks []uint64, b *md.Bitmap) {
	t.Helper()
	m, err := md.ReadMember(d)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = m.ReadBitmap(d); err != nil {
		t.Fatal(err)
	}
	for run, err := range b.Runs(d) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range run.Count {
			if run.State.Dirty() {
				chunks = append(chunks, run.First+i)
			}
		}
	}
	return chunks, b
}

// TestBitmapOfAnotherSize writes to an array whose bitmap says that it covers less or
// more than the array, or nothing: as in the kernel, it covers all of the array.
func TestBitmapOfAnotherSize(t *testing.T) {
	for _, sectors := range []uint64{0, 1, 8, 1 << 20} {
		disks := withBitmap(t, arraySpec{level: md.LevelRAID1, sizes: same(2, 64)})
		resize := func(change func(*md.Bitmap)) {
			for _, d := range disks {
				_, b := dirtyChunks(t, d)
				change(b)
				if _, err := d.WriteAt(b.AppendTo(nil), b.Offset); err != nil {
					t.Fatal(err)
				}
			}
		}
		resize(func(b *md.Bitmap) { b.SyncSize = sectors })
		a := mustOpen(t, devices(disks), array.Options{})
		if _, err := a.WriteAt(blocktest.Pattern(7, 10), 5*bitmapChunk); err != nil {
			t.Fatal(err)
		}
		for _, d := range disks {
			if got, b := dirtyChunks(t, d); !slices.Equal(got, []uint64{5}) || b.SyncSize != 64 {
				t.Errorf("%d sectors: %s has bits %v for %d sectors", sectors, d.Name(), got, b.SyncSize)
			}
		}
		mustClose(t, a)
		// An array is refused if there is no space for that many bits.
		resize(func(b *md.Bitmap) { b.SyncSize, b.SectorsReserved = 1, 0x7fffffff })
		var bad *binfmt.Error
		if _, err := openArray(devices(disks), array.Options{}); !errors.As(err, &bad) || bad.Field != "sync_size" {
			t.Errorf("opened with %v", err)
		}
	}
}

// TestBitmapWhileWriting follows the bits through a session: they are set on all
// members before data, kept until the data is durable, and gone after Close.
func TestBitmapWhileWriting(t *testing.T) {
	disks := withBitmap(t, arraySpec{level: md.LevelRAID1, sizes: same(2, 64)})
	want := func(when string, chunks ...uint64) {
		t.Helper()
		for _, d := range disks {
			got, b := dirtyChunks(t, d)
			if !slices.Equal(got, chunks) {
				t.Errorf("%s: %s has bits %v; want %v", when, d.Name(), got, chunks)
			}
			m, err := md.ReadMember(d)
			if err != nil {
				t.Fatal(err)
			}
			if b.Events < m.Events() {
				t.Errorf("%s: the bitmap of %s has event count %d, the superblock %d", when, d.Name(), b.Events, m.Events())
			}
		}
	}
	a := mustOpen(t, devices(disks), array.Options{})
	write := func(off int64, n int) {
		t.Helper()
		if _, err := a.WriteAt(blocktest.Pattern(7, n), off); err != nil {
			t.Fatal(err)
		}
	}
	want("at first")
	write(5000, 10)
	want("after a write", 1)
	write(2*bitmapChunk-1, 2)
	want("after a second one", 1, 2)
	if err := a.Sync(); err != nil {
		t.Fatal(err)
	}
	want("after a sync")
	if _, b := dirtyChunks(t, disks[0]); b.EventsCleared != 10 {
		t.Errorf("events_cleared is %d; want 10, as when the array became dirty", b.EventsCleared)
	}
	write(7*bitmapChunk, bitmapChunk)
	want("after another", 7)
	mustClose(t, a)
	want("after close")
}

// TestBitmapOfADegradedArray wants bits to stay set, and events_cleared to stay as it
// was.
func TestBitmapOfADegradedArray(t *testing.T) {
	for _, spec := range bitmapSpecs() {
		disks := devices(withBitmap(t, spec))
		a := mustOpen(t, disks[1:], array.Options{})
		if _, err := a.WriteAt([]byte{1}, 0); err != nil {
			t.Fatal(err)
		}
		mustClose(t, a)
		got, b := dirtyChunks(t, disks[1])
		if !slices.Equal(got, []uint64{0}) || b.EventsCleared != 9 {
			t.Errorf("%v: bits %v, events_cleared %d; want the first bit to stay, and 9", spec, got, b.EventsCleared)
		}
	}
}

// TestPowerCutWithBitmap cuts the power at every write and sync. Where members
// disagree, a bit must be set, and a resync of those chunks must make them agree.
func TestPowerCutWithBitmap(t *testing.T) {
	seed := lab.Seed(t)
	for _, spec := range bitmapSpecs() {
		dry := block.NewPower(0)
		if err := session(powered(dry, withBitmap(t, spec))); err != nil {
			t.Fatal(err)
		}
		repaired := 0
		for n := 1; n <= dry.Ops(); n++ {
			disks := withBitmap(t, spec)
			power := block.NewPower(seed + uint64(n))
			power.CutAfter(n)
			if err := session(powered(power, disks)); err == nil {
				t.Fatalf("%v: the session outlived a cut at operation %d of %d", spec, n, dry.Ops())
			}
			a := mustOpen(t, devices(disks), array.Options{})
			if a.Degraded() > 0 {
				t.Fatalf("%v: cut at %d: a member is left out", spec, n)
			}
			before := freshest(t, disks).Clean()
			for m, err := range a.Scrub(t.Context(), array.ScrubOptions{Pending: true, Repair: true, Workers: 1}) {
				if err != nil {
					t.Fatal(err)
				}
				repaired++
				if !m.Repaired {
					t.Fatalf("%v: cut at %d: %+v was not repaired", spec, n, m)
				}
			}
			for m := range a.Scrub(t.Context(), array.ScrubOptions{Workers: 1}) {
				t.Fatalf("%v: cut at %d: a place without a bit differs: %+v", spec, n, m)
			}
			mustClose(t, a)
			if !freshest(t, disks).Clean() {
				t.Fatalf("%v: cut at %d: not clean after a resync (it was: %v)", spec, n, before)
			}
			for _, d := range disks {
				if left, _ := dirtyChunks(t, d); !before && len(left) > 0 {
					t.Fatalf("%v: cut at %d: bits %v left after a resync", spec, n, left)
				}
			}
		}
		if repaired == 0 {
			t.Errorf("%v: no cut left members that disagree, so nothing was tested", spec)
		}
	}
}
