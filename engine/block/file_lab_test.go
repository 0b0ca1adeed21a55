package block_test

import (
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// TestBlockDevice runs the rules for devices on a real block device, which only
// the lab's machines give to everybody.
func TestBlockDevice(t *testing.T) {
	const size = 256 << 10
	lab.Run(t, lab.Spec{Disks: []lab.Disk{{Size: size}}},
		lab.Case{Name: "rules", Run: func(t *testing.T, g *lab.Guest) {
			blocktest.Run(t, lab.Seed(t), func() block.Device {
				f := openDisk(t, g, block.ForWriting)
				if err := f.Discard(0, size); err != nil {
					t.Fatal(err)
				}
				return f
			})
		}},
		lab.Case{Name: "open", Run: func(t *testing.T, g *lab.Guest) {
			f := openDisk(t, g, block.ForWriting|block.Exclusive)
			if f.Size() != size || !f.IsBlockDevice() {
				t.Errorf("size %d, block device %v; want %d, true", f.Size(), f.IsBlockDevice(), size)
			}
			_, err := block.OpenFile(g.Disks[0], block.ForReading|block.Exclusive)
			if !errors.Is(err, block.ErrBusy) {
				t.Errorf("a second claim gave %v; want %v", err, block.ErrBusy)
			}
			if second, err := block.OpenFile(g.Disks[0], block.ForReading); err != nil {
				t.Error(err)
			} else if err := second.Close(); err != nil {
				t.Error(err)
			}
		}},
	)
}

func openDisk(t *testing.T, g *lab.Guest, flag block.OpenFlag) *block.File {
	t.Helper()
	f, err := block.OpenFile(g.Disks[0], flag)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
