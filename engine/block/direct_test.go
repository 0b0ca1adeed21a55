package block

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/mdkit/mdkit/internal/lab"
)

// Direct reads go through an aligned buffer; they must return what plain reads
// return, for any range, up to the end and across it.
func TestDirectReads(t *testing.T) {
	seed := lab.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "disk")
	want := make([]byte, 9*512)
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenFile(path, Direct)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, d.align = range []int{0, 512, 4096} {
		for range 200 {
			off := rng.IntN(len(want) + 1)
			p := make([]byte, rng.IntN(len(want)+600))
			n, err := d.ReadAt(p, int64(off))
			if rest := want[off:]; len(p) > len(rest) {
				if n != len(rest) || !errors.Is(err, io.EOF) || !bytes.Equal(p[:n], rest) {
					t.Fatalf("align %d: read %d at %d: %d, %v", d.align, len(p), off, n, err)
				}
			} else if n != len(p) || err != nil || !bytes.Equal(p, rest[:n]) {
				t.Fatalf("align %d: read %d at %d: %d, %v", d.align, len(p), off, n, err)
			}
		}
	}
}

func TestAlignedBuffer(t *testing.T) {
	for _, n := range []int{0, 1, 512, 5000} {
		b := alignedBuffer(n, 4096)
		if len(b) != n || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%4096 != 0 {
			t.Errorf("alignedBuffer(%d): %d bytes at %p", n, len(b), unsafe.SliceData(b))
		}
	}
}
