package block_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/internal/lab"
)

const testSize = 80<<10 + 1234

func TestMemory(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device { return block.NewMemory("ram", testSize) })
}

func TestFile(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device { return newFile(t, block.ForWriting) })
}

func TestOverlay(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device { return block.NewOverlay(block.NewMemory("ram", testSize)) })
}

func TestSlice(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device {
		s, err := block.NewSlice(block.NewMemory("ram", 3*testSize), 777, testSize)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestCrash(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device { return block.NewCrash(block.NewMemory("ram", testSize), 1) })
}

func TestFault(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device {
		f, err := block.NewFault(block.NewMemory("ram", testSize), "any * error after=1000000")
		if err != nil {
			t.Fatal(err)
		}
		return f
	})
}

func TestStack(t *testing.T) {
	blocktest.Run(t, lab.Seed(t), func() block.Device {
		crash := block.NewCrash(block.NewMemory("ram", 2*testSize), 1)
		slice, err := block.NewSlice(crash, 511, testSize)
		if err != nil {
			t.Fatal(err)
		}
		fault, err := block.NewFault(slice, "")
		if err != nil {
			t.Fatal(err)
		}
		return block.NewOverlay(fault)
	})
}

func newFile(t *testing.T, flag block.OpenFlag) *block.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, testSize); err != nil {
		t.Fatal(err)
	}
	f, err := block.OpenFile(path, flag)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]error{
		dir:                            block.ErrNotDevice,
		os.DevNull:                     block.ErrNotDevice,
		filepath.Join(dir, "not-here"): os.ErrNotExist,
	} {
		_, err := block.OpenFile(path, block.ForReading)
		if !errors.Is(err, want) {
			t.Errorf("OpenFile(%s) = %v; want %v", path, err, want)
			continue
		}
		if text := err.Error(); strings.Count(text, path) != 1 || strings.Contains(text, "\n") {
			t.Errorf("the message must be one line that names the path once: %s", text)
		}
	}
}

func TestFileOpenedForReadingRefusesWrites(t *testing.T) {
	f := newFile(t, block.ForReading)
	wantReadOnly(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, block.ErrClosed) {
		t.Errorf("reading a closed file gave %v; want %v", err, block.ErrClosed)
	}
}

func TestExclusiveFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		_, err := block.OpenFile(newFile(t, block.ForReading).Name(), block.Exclusive)
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("an exclusive open gave %v; want %v", err, errors.ErrUnsupported)
		}
		return
	}
	f := newFile(t, block.ForWriting|block.Exclusive)
	_, err := block.OpenFile(f.Name(), block.ForReading|block.Exclusive)
	if !errors.Is(err, block.ErrBusy) {
		t.Errorf("a second claim gave %v; want %v", err, block.ErrBusy)
	}
}

func TestFileCutShortWhileOpen(t *testing.T) {
	f := newFile(t, block.ForReading)
	if err := os.Truncate(f.Name(), 4096); err != nil {
		t.Fatal(err)
	}
	err := block.ReadFull(f, make([]byte, 512), 4096-100)
	var where *block.Error
	if !errors.As(err, &where) || where.Device != f.Name() || where.Off != 4096-100 {
		t.Errorf("reading what was cut off gave %v; want an error that names the file and the offset", err)
	}
}

func TestReadOnly(t *testing.T) {
	m := block.NewMemoryFrom("ram", []byte("still here"))
	r := block.ReadOnly(block.ReadOnly(m))
	wantReadOnly(t, r)
	got := make([]byte, 10)
	if err := block.ReadFull(r, got, 0); err != nil || string(got) != "still here" {
		t.Errorf("read %q, %v through ReadOnly", got, err)
	}
	if err := r.Sync(); err != nil {
		t.Error(err)
	}
	if block.Name(r) != "ram" {
		t.Errorf("name is %s; want that of the device underneath", block.Name(r))
	}
}

func wantReadOnly(t *testing.T, d block.Device) {
	t.Helper()
	if _, err := d.WriteAt([]byte{1}, 0); !errors.Is(err, block.ErrReadOnly) {
		t.Errorf("write gave %v; want %v", err, block.ErrReadOnly)
	}
	if err := block.Discard(d, 0, 1); !errors.Is(err, block.ErrReadOnly) {
		t.Errorf("discard gave %v; want %v", err, block.ErrReadOnly)
	}
}

func TestMemoryIsSparse(t *testing.T) {
	const size = 1 << 50
	m := block.NewMemory("huge", size)
	if _, err := m.WriteAt([]byte("end"), size-3); err != nil {
		t.Fatal(err)
	}
	if m.Allocated() > 1<<20 {
		t.Errorf("three bytes take %d bytes", m.Allocated())
	}
	if err := m.Discard(0, size); err != nil {
		t.Fatal(err)
	}
	if m.Allocated() != 0 {
		t.Errorf("%d bytes stay after discarding everything", m.Allocated())
	}
}

func TestSliceMustFit(t *testing.T) {
	m := block.NewMemory("ram", 1000)
	for _, r := range [][2]int64{{-1, 10}, {0, 1001}, {1001, 0}, {999, 2}, {5, 1<<63 - 1}, {0, -1}} {
		if _, err := block.NewSlice(m, r[0], r[1]); !errors.Is(err, block.ErrOutOfRange) {
			t.Errorf("NewSlice(%d, %d) = %v; want %v", r[0], r[1], err, block.ErrOutOfRange)
		}
	}
}

func TestOverlayLeavesItsBaseAlone(t *testing.T) {
	base := block.NewMemoryFrom("ram", blocktest.Pattern(1, 20000))
	o := block.NewOverlay(base)
	for _, off := range []int64{0, 5, 4094, 9999} {
		if _, err := o.WriteAt([]byte("abcd"), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Discard(15000, 10); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, base, blocktest.Pattern(1, 20000))

	var got []string
	for e := range o.Extents() {
		got = append(got, fmt.Sprintf("%d %q", e.Off, e.Data))
	}
	want := []string{`0 "abcd"`, `5 "abcd"`, `4094 "abcd"`, `9999 "abcd"`, `15000 "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"`}
	if !slices.Equal(got, want) {
		t.Errorf("difference is %q; want %q", got, want)
	}

	if err := o.Apply(base); err != nil {
		t.Fatal(err)
	}
	o.Reset()
	for range o.Extents() {
		t.Error("a difference is left after Reset")
	}
	wantBytes(t, base, contents(o))
}

func TestOverlayCutsLongExtents(t *testing.T) {
	o := block.NewOverlay(block.NewMemory("ram", 3<<20))
	if err := o.Discard(100, 5<<19); err != nil {
		t.Fatal(err)
	}
	next := int64(100)
	for e := range o.Extents() {
		if e.Off != next || len(e.Data) > 1<<20 {
			t.Errorf("extent of %d bytes at %d; want it at %d and at most 1 MiB", len(e.Data), e.Off, next)
		}
		next += int64(len(e.Data))
	}
	if next != 100+5<<19 {
		t.Errorf("the extents end at %d; want %d", next, 100+5<<19)
	}
}

func wantBytes(t *testing.T, d block.Device, want []byte) {
	t.Helper()
	if got := contents(d); string(got) != string(want) {
		t.Errorf("%s does not hold what it should", block.Name(d))
	}
}

// contents reads all of d.
func contents(d block.Device) []byte {
	p := make([]byte, d.Size())
	if err := block.ReadFull(d, p, 0); err != nil {
		return []byte(err.Error())
	}
	return p
}
