// Package blocktest holds the rules that every block.Device keeps, as one table
// that any implementation can be run through.
package blocktest

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
)

// MinSize is the smallest size, in bytes, of a device that Run can work with.
const MinSize = 64 << 10

// rules holds the rules by name. Each gets a fresh, zeroed, writable device of at
// least MinSize bytes.
var rules = map[string]func(t *testing.T, d block.Device, seed uint64){
	"ReadsBackWhatWasWritten":   fixed(readsBack),
	"ReadAtTheEnd":              fixed(readAtTheEnd),
	"ReadOutside":               fixed(readOutside),
	"WriteOutsideChangesNought": fixed(writeOutside),
	"EmptyAccess":               fixed(emptyAccess),
	"UnalignedWritesStayInside": fixed(unaligned),
	"DiscardReadsAsZeroes":      fixed(discards),
	"ManyGoroutines":            fixed(manyGoroutines),
	"BehavesLikeBytes":          behavesLikeBytes,
}

// fixed is a rule that leaves nothing to chance.
func fixed(rule func(*testing.T, block.Device)) func(*testing.T, block.Device, uint64) {
	return func(t *testing.T, d block.Device, _ uint64) { rule(t, d) }
}

// Run runs every rule as a subtest on a device made by open, which must be
// zeroed, writable, at least MinSize bytes long and not in use by others.
// Everything random depends on the seed, which the caller gets from lab.Seed:
// the engine does not know the lab.
func Run(t *testing.T, seed uint64, open func() block.Device) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		t.Run(name, func(t *testing.T) {
			d := open()
			if d.Size() < MinSize {
				t.Fatalf("the device has %d bytes; these tests need %d", d.Size(), MinSize)
			}
			rules[name](t, d, seed)
		})
	}
}

// Pattern returns n bytes that depend on every part of the seed, for tests
// that must notice data in the wrong place.
func Pattern(seed uint64, n int) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(seed >> 32), byte(seed >> 40), byte(seed >> 48), byte(seed >> 56)})
	p := make([]byte, n)
	_, _ = src.Read(p) // documented never to fail
	return p
}

func readsBack(t *testing.T, d block.Device) {
	want := Pattern(1, 12345)
	const off = 4321
	if n, err := d.WriteAt(want, off); n != len(want) || err != nil {
		t.Fatalf("WriteAt = %d, %v; want %d, nil", n, err, len(want))
	}
	mustHold(t, d, off, want)
	if err := d.Sync(); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	mustHold(t, d, off, want)
	mustHold(t, d, 0, make([]byte, off))
	mustHold(t, d, off+int64(len(want)), make([]byte, 1000))
}

func readAtTheEnd(t *testing.T, d block.Device) {
	tail := Pattern(2, 100)
	size := d.Size()
	if _, err := d.WriteAt(tail, size-100); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 300)
	if n, err := d.ReadAt(p, size-100); n != 100 || !errors.Is(err, io.EOF) || !bytes.Equal(p[:100], tail) {
		t.Errorf("ReadAt over the end = %d, %v; want the last 100 bytes and io.EOF", n, err)
	}
	if n, err := d.ReadAt(p, size); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt at the end = %d, %v; want 0, io.EOF", n, err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(d, size-50, 1000)); err != nil || !bytes.Equal(got, tail[50:]) {
		t.Errorf("reading a section over the end gave %d bytes, %v; want 50, nil", len(got), err)
	}
}

func readOutside(t *testing.T, d block.Device) {
	p := make([]byte, 10)
	for _, off := range []int64{-1, d.Size() + 1, 1<<63 - 1} {
		n, err := d.ReadAt(p, off)
		wantOutOfRange(t, n, err)
	}
}

func writeOutside(t *testing.T, d block.Device) {
	size := d.Size()
	for _, off := range []int64{-1, size - 9, size, size + 1, 1<<63 - 1} {
		n, err := d.WriteAt(Pattern(3, 10), off)
		wantOutOfRange(t, n, err)
	}
	mustHold(t, d, size-100, make([]byte, 100))
	mustHold(t, d, 0, make([]byte, 100))
	if x, ok := d.(block.Discarder); ok {
		for _, off := range []int64{-1, size - 9, size + 1, 1<<63 - 1} {
			wantOutOfRange(t, 0, x.Discard(off, 10))
		}
	}
}

func emptyAccess(t *testing.T, d block.Device) {
	if n, err := d.ReadAt(nil, 512); n != 0 || err != nil {
		t.Errorf("empty ReadAt = %d, %v; want 0, nil", n, err)
	}
	if n, err := d.WriteAt(nil, d.Size()); n != 0 || err != nil {
		t.Errorf("empty WriteAt at the end = %d, %v; want 0, nil", n, err)
	}
	if err := block.Discard(d, d.Size(), 0); err != nil {
		t.Errorf("empty Discard at the end: %v", err)
	}
}

func unaligned(t *testing.T, d block.Device) {
	const span = 3 * block.SectorSize
	for _, off := range []int64{0, 1, 511, 512, 513, 4095, 4096, 4097} {
		for _, n := range []int{1, 2, 510, 511, 512, 513, 1025} {
			base := Pattern(uint64(off)*7919+uint64(n), 2*span+int(off)+n)
			if _, err := d.WriteAt(base, 0); err != nil {
				t.Fatal(err)
			}
			patch := Pattern(uint64(n), n)
			if _, err := d.WriteAt(patch, span/2+off); err != nil {
				t.Fatal(err)
			}
			copy(base[span/2+off:], patch)
			mustHold(t, d, 0, base)
		}
	}
}

func discards(t *testing.T, d block.Device) {
	want := Pattern(4, 40<<10)
	if _, err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int64{{0, 512}, {3, 1}, {5000, 700}, {8192, 16384}, {20000, 20000}} {
		if err := block.Discard(d, r[0], r[1]); err != nil {
			t.Fatalf("Discard(%d, %d): %v", r[0], r[1], err)
		}
		clear(want[r[0]:][:r[1]])
		mustHold(t, d, 0, want)
	}
	again := Pattern(5, 3000)
	if _, err := d.WriteAt(again, 10000); err != nil {
		t.Fatal(err)
	}
	copy(want[10000:], again)
	mustHold(t, d, 0, want)
}

// manyGoroutines writes disjoint ranges at once and reads them all back. Under
// the race detector it also reveals unguarded state.
func manyGoroutines(t *testing.T, d block.Device) {
	const workers, each = 8, 7000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			want := Pattern(uint64(w), each)
			off := int64(w * each)
			for i := 0; i < each; i += 1000 {
				if _, err := d.WriteAt(want[i:i+1000], off+int64(i)); err != nil {
					t.Errorf("worker %d: %v", w, err)
					return
				}
				got := make([]byte, i+1000)
				if _, err := d.ReadAt(got, off); err != nil || !bytes.Equal(got, want[:i+1000]) {
					t.Errorf("worker %d reads back something else (error %v)", w, err)
					return
				}
				if err := d.Sync(); err != nil {
					t.Errorf("worker %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	for w := range workers {
		mustHold(t, d, int64(w*each), Pattern(uint64(w), each))
	}
}

// behavesLikeBytes does the same seeded random operations on the device and on
// a plain slice of bytes.
func behavesLikeBytes(t *testing.T, d block.Device, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	size := d.Size()
	model := make([]byte, size)
	for i := range 300 {
		off := rng.Int64N(size)
		n := min(rng.Int64N(1<<rng.IntN(17)+1), size-off)
		switch rng.IntN(8) {
		case 0:
			if err := block.Discard(d, off, n); err != nil {
				t.Fatalf("operation %d: %v", i, err)
			}
			clear(model[off : off+n])
		case 1:
			if err := d.Sync(); err != nil {
				t.Fatalf("operation %d: %v", i, err)
			}
		case 2, 3, 4:
			p := Pattern(rng.Uint64(), int(n))
			if _, err := d.WriteAt(p, off); err != nil {
				t.Fatalf("operation %d: %v", i, err)
			}
			copy(model[off:], p)
		default:
			mustHold(t, d, off, model[off:off+n])
		}
	}
	mustHold(t, d, 0, model)
}

func mustHold(t *testing.T, d block.Device, off int64, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if err := block.ReadFull(d, got, off); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("byte %d of %d read at offset %d is %#02x; want %#02x", i, len(want), off, got[i], want[i])
		}
	}
}

func wantOutOfRange(t *testing.T, n int, err error) {
	t.Helper()
	if n != 0 || !errors.Is(err, block.ErrOutOfRange) {
		t.Errorf("access outside gave %d, %v; want 0, %v", n, err, block.ErrOutOfRange)
	}
}
