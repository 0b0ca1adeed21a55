package partition_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/partition"
)

// entry is one line of an MBR.
type entry struct {
	typ            byte
	first, sectors uint32
}

func putMBR(t *testing.T, d block.Device, sector int64, entries ...entry) {
	t.Helper()
	b := make([]byte, 512)
	copy(b[510:], "\x55\xaa")
	for i, e := range entries {
		b[446+16*i+4] = e.typ
		binary.LittleEndian.PutUint32(b[446+16*i+8:], e.first)
		binary.LittleEndian.PutUint32(b[446+16*i+12:], e.sectors)
	}
	if _, err := d.WriteAt(b, sector*512); err != nil {
		t.Fatal(err)
	}
}

func putGPT(t *testing.T, d block.Device, size int64, entries ...[2]uint64) {
	t.Helper()
	head := make([]byte, 92)
	copy(head, "EFI PART")
	binary.LittleEndian.PutUint64(head[72:], 2)
	binary.LittleEndian.PutUint32(head[80:], 4)
	binary.LittleEndian.PutUint32(head[84:], 128)
	table := make([]byte, 4*128)
	for i, e := range entries {
		if e == [2]uint64{} {
			continue
		}
		table[128*i] = 1
		binary.LittleEndian.PutUint64(table[128*i+32:], e[0])
		binary.LittleEndian.PutUint64(table[128*i+40:], e[1])
	}
	for off, b := range map[int64][]byte{size: head, 2 * size: table} {
		if _, err := d.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRead(t *testing.T) {
	const sector = 512
	for _, c := range []struct {
		name string
		put  func(t *testing.T, d block.Device)
		want []partition.Partition
	}{
		{"nothing", func(*testing.T, block.Device) {}, nil},
		{
			"primary", func(t *testing.T, d block.Device) {
				putMBR(t, d, 0, entry{0x83, 64, 100}, entry{}, entry{0xfd, 200, 50})
			},
			[]partition.Partition{{1, 64 * sector, 100 * sector}, {3, 200 * sector, 50 * sector}},
		},
		{"logical", func(t *testing.T, d block.Device) {
			putMBR(t, d, 0, entry{0x83, 64, 100}, entry{0x05, 200, 800})
			putMBR(t, d, 200, entry{0x83, 10, 90}, entry{0x05, 300, 200})
			putMBR(t, d, 500, entry{0xfd, 10, 190})
		}, []partition.Partition{
			{1, 64 * sector, 100 * sector}, {2, 200 * sector, 800 * sector}, {5, 210 * sector, 90 * sector}, {6, 510 * sector, 190 * sector},
		}},
		{"logical in a circle", func(t *testing.T, d block.Device) {
			putMBR(t, d, 0, entry{0x05, 200, 800})
			putMBR(t, d, 200, entry{}, entry{0x05, 0, 800})
		}, []partition.Partition{{1, 200 * sector, 800 * sector}}},
		{"gpt", func(t *testing.T, d block.Device) {
			putMBR(t, d, 0, entry{partition.TypeGPT, 1, 4000})
			putGPT(t, d, sector, [2]uint64{34, 133}, [2]uint64{}, [2]uint64{200, 100})
		}, []partition.Partition{{1, 34 * sector, 100 * sector}}},
		{
			"gpt of a 4Kn disk", func(t *testing.T, d block.Device) { putGPT(t, d, 4096, [2]uint64{6, 9}) },
			[]partition.Partition{{1, 6 * 4096, 4 * 4096}},
		},
		{"gpt with more entries than can be", func(t *testing.T, d block.Device) {
			putGPT(t, d, sector, [2]uint64{34, 133})
			if _, err := d.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, sector+80); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		d := block.NewMemory(c.name, 2<<20)
		c.put(t, d)
		got, err := partition.Read(d)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

// FuzzRead: whatever is on a disk, reading its table ends, and takes little memory.
func FuzzRead(f *testing.F) {
	f.Add([]byte{}, []byte("EFI PART"), int64(512))
	f.Fuzz(func(t *testing.T, first, second []byte, at int64) {
		d := block.NewMemory("disk", 1<<20)
		for off, b := range map[int64][]byte{0: first, at: second} {
			if off >= 0 && off+int64(len(b)) <= d.Size() {
				if _, err := d.WriteAt(b, off); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := partition.Read(d)
		if err != nil || len(list) > 4096 {
			t.Errorf("%d partitions, %v", len(list), err)
		}
	})
}
