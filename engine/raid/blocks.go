package raid

// displacement keeps blocks apart in the cache, in bytes: those whose addresses
// differ by multiples of a page compete for the same few lines, and the functions of
// this package work at the same offset of all blocks at once. It is not a multiple
// of a small power of two's share of a page, so that no two of a dozen blocks meet.
const displacement = 7 * 256

// Blocks allocates n blocks of length bytes for the functions of this package, at
// addresses that do not get in each other's way: with 8 blocks of 64 KiB, P and Q are
// computed a quarter faster than for blocks that all begin at page boundaries.
func Blocks(n int, length int64) [][]byte {
	stride := (length+63)/64*64 + displacement
	buffer := make([]byte, int64(n)*stride)
	blocks := make([][]byte, n)
	for i := range blocks {
		at := int64(i) * stride
		blocks[i] = buffer[at : at+length : at+length]
	}
	return blocks
}
