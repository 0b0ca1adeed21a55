package block

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// TestLabDisk issues every request on a real disk.
func TestLabDisk(t *testing.T) {
	const size = 8 << 20
	lab.Run(
		t,
		lab.Spec{Modules: []string{"brd rd_nr=1 rd_size=4096"}, Disks: []lab.Disk{{Size: size}, {Size: size, ReadOnly: true}}},
		lab.Case{Name: "query", Run: func(t *testing.T, g *lab.Guest) {
			f, err := Open(g.Disks[0], os.O_RDONLY)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if n, err := Size(f); n != size || err != nil {
				t.Errorf("size %d, %v", n, err)
			}
			if major, minor, err := Number(f); major != 98 || minor != 0 || err != nil {
				t.Errorf("number %d:%d, %v", major, minor, err)
			}
			for name, c := range map[string]struct {
				get  func(*os.File) (int, error)
				want int
			}{
				"logical":   {LogicalBlockSize, 512},
				"physical":  {PhysicalBlockSize, 512},
				"minimum":   {MinimumIOSize, 512},
				"alignment": {AlignmentOffset, 0},
			} {
				if n, err := c.get(f); n != c.want || err != nil {
					t.Errorf("%s %d, %v", name, n, err)
				}
			}
			if _, err := OptimalIOSize(f); err != nil {
				t.Error(err)
			}
			if _, err := Rotational(f); err != nil {
				t.Error(err)
			}
			if z, err := DiscardZeroes(f); z || err != nil {
				t.Errorf("discard zeroes %v, %v", z, err)
			}
			if ro, err := ReadOnly(f); ro || err != nil {
				t.Errorf("read-only %v, %v", ro, err)
			}
		}},
		lab.Case{Name: "change", Run: func(t *testing.T, g *lab.Guest) {
			f, err := OpenExclusive(g.Disks[0], true)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := OpenExclusive(g.Disks[0], false); !errors.Is(err, ErrBusy) || !errors.Is(err, unix.EBUSY) {
				t.Errorf("second claim: %v", err)
			}
			data := bytes.Repeat([]byte("data"), 4096)
			if _, err := f.WriteAt(data, 0); err != nil {
				t.Fatal(err)
			}
			if err := FlushBuffers(f); err != nil {
				t.Error(err)
			}
			if err := ZeroOut(f, 4096, 4096); err != nil {
				t.Error(err)
			}
			got := make([]byte, len(data))
			if _, err := f.ReadAt(got, 0); err != nil {
				t.Fatal(err)
			}
			copy(data[4096:8192], make([]byte, 4096))
			if !bytes.Equal(got, data) {
				t.Error("zeroes are not where they belong")
			}
			for name, call := range map[string]func(*os.File, int64, int64) error{"discard": Discard, "zero": ZeroOut} {
				if err := call(f, 1, 511); !errors.Is(err, ErrInvalid) {
					t.Errorf("%s of half a block: %v", name, err)
				}
				if err := call(f, 0, size+512); !errors.Is(err, ErrInvalid) {
					t.Errorf("%s after the end: %v", name, err)
				}
			}
			if err := Discard(f, 0, 1<<20); err != nil && !errors.Is(err, ErrUnsupported) {
				t.Error(err)
			}
			if err := RereadPartitions(f); err != nil {
				t.Error(err)
			}
		}},
		lab.Case{Name: "read-only", Run: func(t *testing.T, g *lab.Guest) {
			f, err := Open(g.Disks[1], os.O_RDONLY)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if ro, err := ReadOnly(f); !ro || err != nil {
				t.Errorf("read-only %v, %v", ro, err)
			}
			if err := ZeroOut(f, 0, 512); !errors.Is(err, ErrPermission) {
				t.Errorf("zeroing through a reader: %v", err)
			}

			w, err := Open(g.Disks[0], os.O_RDWR)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err := SetReadOnly(w, true); err != nil {
				t.Fatal(err)
			}
			if ro, err := ReadOnly(w); !ro || err != nil {
				t.Errorf("read-only %v, %v", ro, err)
			}
			if err := SetReadOnly(w, false); err != nil {
				t.Error(err)
			}
			if ro, err := ReadOnly(w); ro || err != nil {
				t.Errorf("read-only %v, %v", ro, err)
			}
		}},
		lab.Case{Name: "RAM disk discards", Run: func(t *testing.T, g *lab.Guest) {
			if !g.HasModule("brd") {
				t.Skip("no brd")
			}
			f, err := Open("/dev/ram0", os.O_RDWR)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			err = Discard(f, 0, 4096)
			if err != nil && !errors.Is(err, ErrUnsupported) {
				t.Error(err)
			}
			t.Log(err)
		}},
	)
}
