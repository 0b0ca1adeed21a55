package raid_test

import (
	"math/rand/v2"
	"testing"

	"github.com/mdkit/mdkit/engine/raid"
)

// TestFindCulprit damages one block, any of them, and expects that one to be
// named. With two damaged it expects none to be named, or at least no more
// bytes than were damaged.
func TestFindCulprit(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 0))
	for range 400 {
		n, length := 2+rng.IntN(20), 1+rng.IntN(300)
		blocks := make([][]byte, n+2)
		for i := range blocks {
			if i < n && rng.IntN(8) == 0 && n > 3 {
				continue // a hole
			}
			blocks[i] = make([]byte, length)
			for j := range blocks[i] {
				blocks[i][j] = byte(rng.Uint32())
			}
		}
		raid.GenPQ(blocks[n], blocks[n+1], blocks[:n])
		if c := raid.FindCulprit(blocks); c.Bytes != 0 || c.Block != raid.Unknown || c.To != 0 {
			t.Fatalf("of %d good blocks: %+v", n, c)
		}
		bad := n
		if i := rng.IntN(len(blocks)); blocks[i] != nil {
			bad = i
		}
		from := rng.IntN(length)
		to := from + 1 + rng.IntN(length-from)
		for j := from; j < to; j++ {
			blocks[bad][j] ^= byte(1 + rng.IntN(255))
		}
		want := raid.Culprit{Block: bad, From: from, To: to, Bytes: to - from}
		if c := raid.FindCulprit(blocks); c != want {
			t.Fatalf("block %d of %d, bytes [%d, %d): %+v", bad, n, from, to, c)
		}
	}
}

// TestFindCulpritOfTwo damages two blocks in many bytes, which no single block
// can explain.
func TestFindCulpritOfTwo(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	for range 200 {
		n := 2 + rng.IntN(20)
		blocks := make([][]byte, n+2)
		for i := range blocks {
			blocks[i] = make([]byte, 256)
			for j := range blocks[i] {
				blocks[i][j] = byte(rng.Uint32())
			}
		}
		raid.GenPQ(blocks[n], blocks[n+1], blocks[:n])
		two := rng.Perm(n + 2)
		for j := range 256 {
			blocks[two[0]][j] ^= byte(j) | 1
			blocks[two[1]][j] ^= byte(rng.IntN(255) + 1)
		}
		if c := raid.FindCulprit(blocks); c.Block != raid.Unknown {
			t.Fatalf("blocks %v of %d are wrong, and %d is blamed alone", two[:2], n, c.Block)
		}
	}
}
