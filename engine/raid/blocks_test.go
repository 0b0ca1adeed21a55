package raid_test

import (
	"testing"

	"github.com/mdkit/mdkit/engine/raid"
)

// TestBlocks: the blocks are as long as asked for, and growing one does not touch the
// next.
func TestBlocks(t *testing.T) {
	for _, length := range []int64{1, 511, 4096, 64 << 10} {
		blocks := raid.Blocks(5, length)
		if len(blocks) != 5 {
			t.Fatalf("%d blocks", len(blocks))
		}
		for i, b := range blocks {
			if int64(len(b)) != length || cap(b) != len(b) {
				t.Errorf("block %d: %d of %d bytes, want %d", i, len(b), cap(b), length)
			}
			for j := range b {
				if b[j] != 0 {
					t.Fatalf("block %d overlaps another", i)
				}
				b[j] = 1
			}
		}
	}
}
