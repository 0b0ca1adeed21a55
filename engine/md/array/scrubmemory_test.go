package array_test

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
)

// TestScrubMemory scrubs arrays of very different sizes, with a mismatch in every few
// windows, and also with many more workers than there are processors. The heap must
// not grow by more than the 256 MiB that a scrub may take.
func TestScrubMemory(t *testing.T) {
	const limit = 256 << 20
	for _, c := range []struct {
		name    string
		members int
		sectors uint64
		workers int
	}{
		{"small", 10, 128 << 11, 0},
		{"large", 10, 2048 << 11, 0},
		{"many members", 100, 128 << 11, 0},
		{"many workers", 10, 512 << 11, 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			disks := makeArray(t, arraySpec{level: md.LevelRAID6, layout: 2, chunk: 1024, sizes: same(c.members, c.sectors)})
			a := mustOpen(t, devices(disks), array.Options{ReadOnly: true})
			damaged := 0
			for off := int64(4 << 20); off < a.ScrubExtent(); off += 16 << 20 {
				if _, err := disks[3].WriteAt([]byte{1}, off); err != nil {
					t.Fatal(err)
				}
				damaged++
			}
			before := heap()
			var most uint64
			found := 0
			opt := array.ScrubOptions{Workers: c.workers, Progress: func(int64) { most = max(most, heapNow()) }}
			for _, err := range a.Scrub(t.Context(), opt) {
				if err != nil {
					t.Fatal(err)
				}
				found++
			}
			if found != damaged {
				t.Errorf("found %d mismatches of %d", found, damaged)
			}
			grown := int64(most) - int64(before)
			t.Logf("%d MiB of members, heap grown by %d MiB at most", int64(c.members)*a.ScrubExtent()>>20, grown>>20)
			if grown > limit {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			runtime.KeepAlive(disks)
		})
	}
}

// heap is how many bytes are in use on the heap after garbage has been collected.
func heap() uint64 {
	runtime.GC()
	return heapNow()
}

// heapNow is how many bytes are on the heap, including garbage that has not been
// collected yet.
func heapNow() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
