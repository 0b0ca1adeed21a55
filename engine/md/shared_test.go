package md

import (
	"encoding/binary"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
)

// TestSharedWith: the superblock of a last partition is found from the disk, too, if
// that ends with it and begins at a multiple of 64 KiB, give or take what is rounded
// off.
func TestSharedWith(t *testing.T) {
	const size = 16<<20 + 32<<10
	for _, c := range []struct {
		name           string
		start, sectors uint32
		version        Version
		shared         bool
	}{
		{"last partition", 2048, size/512 - 2048, V090, true},
		{"last partition, 32 KiB short of the end", 2048, size/512 - 2048 - 64, V090, true},
		{"last partition, not at a multiple of 64 KiB", 2048 + 8, size/512 - 2048 - 8, V090, false},
		{"ends before the superblock", 2048, size/512 - 2048 - 256, V090, false},
		{"no partition", 0, 0, V090, false},
		{"1.0 says where it lies", 2048, size/512 - 2048, V10, false},
	} {
		d := block.NewMemory("disk", size)
		m := member0()
		m.Offset, _ = V090.SuperOffset(size)
		m.Version = c.version
		mbr := make([]byte, 512)
		copy(mbr[510:], "\x55\xaa")
		mbr[446+4] = 0xfd
		binary.LittleEndian.PutUint32(mbr[446+8:], c.start)
		binary.LittleEndian.PutUint32(mbr[446+12:], c.sectors)
		if _, err := d.WriteAt(mbr, 0); err != nil {
			t.Fatal(err)
		}
		p, err := m.SharedWith(d)
		if err != nil || (p != nil) != c.shared || p != nil && p.Number != 1 {
			t.Errorf("%s: %v, %v", c.name, p, err)
		}
	}
}
