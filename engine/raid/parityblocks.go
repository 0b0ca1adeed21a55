package raid

import "slices"

// All functions here take blocks of one length, any number of bytes, which must
// not overlap. They panic if data blocks are shorter than parity. A nil data
// block counts as zeroes: the holes of Stripe.Blocks are passed that way. The
// slices of blocks are not changed.

// GenP makes p the xor of all data blocks, the P of RAID4, 5 and 6.
func GenP(p []byte, data [][]byte) { engine.genP(p, whole(len(p), data)) }

// GenPQ makes p the xor of all data blocks, and q the sum of the data blocks,
// each multiplied by 2 to the power of its index, as lib/raid6 does.
func GenPQ(p, q []byte, data [][]byte) { engine.genPQ(p, q[:len(p)], whole(len(p), data)) }

// CheckP compares p with what GenP would make, without writing anything, and
// returns the offset of the first byte that differs, or -1.
func CheckP(p []byte, data [][]byte) int { return engine.checkP(p, whole(len(p), data)) }

// CheckPQ compares p and q with what GenPQ would make, without writing
// anything, and returns for each the offset of the first byte that differs, or
// -1.
func CheckPQ(p, q []byte, data [][]byte) (firstP, firstQ int) {
	return engine.checkPQ(p, q[:len(p)], whole(len(p), data))
}

// RecoverP computes the block at index lost, which may be any of them, from all
// others. The blocks are the data blocks and then P.
func RecoverP(blocks [][]byte, lost int) {
	others := slices.Concat(blocks[:lost], blocks[lost+1:])
	GenP(blocks[lost], others)
}

// RecoverPQ computes the blocks at indices a and b from all others; a may be
// equal to b if only one is lost. The blocks are the data blocks, then P, then
// Q, with at most 255 data blocks.
func RecoverPQ(blocks [][]byte, a, b int) {
	a, b = min(a, b), max(a, b)
	n := len(blocks) - 2
	data, p, q := blocks[:n], blocks[n], blocks[n+1]
	switch {
	case a >= n: // parity only
		rest := scratchFor(a, b, n, p, q)
		GenPQ(rest[0], rest[1], data)
	case b >= n+1 || a == b: // data, and Q perhaps
		RecoverP(blocks[:n+1], a)
		if b == n+1 {
			GenPQ(make([]byte, len(p)), q, data)
		}
	case b == n: // data and P
		recoverFromQ(data, p, q, a)
	default:
		recoverTwo(data, p, q, a, b)
	}
}

// scratchFor returns p and q, with a buffer in place of one that is not lost.
func scratchFor(a, b, n int, p, q []byte) [2][]byte {
	rest := [2][]byte{p, q}
	if a == b {
		rest[n+1-a] = make([]byte, len(p))
	}
	return rest
}

// recoverFromQ computes data block a and P. The sum Q lacks without block a is
// that block times 2^a.
func recoverFromQ(data [][]byte, p, q []byte, a int) {
	block := data[a]
	without := slices.Clone(data)
	without[a] = nil
	partial := make([]byte, len(q))
	GenPQ(p, partial, without)
	c := gfInv(gfExp(a))
	engine.mulTwo(block, q, partial, c, c)
	engine.genP(p, [][]byte{slices.Clone(p), block})
}

// recoverTwo computes data blocks a and b. With Pd and Qd being what P and Q
// lack without them:
//
//	Da + Db = Pd, 2^a Da + 2^b Db = Qd
//	=> Da = (2^b Pd + Qd) / (2^a + 2^b), Db = Da + Pd
func recoverTwo(data [][]byte, p, q []byte, a, b int) {
	without := slices.Clone(data)
	without[a], without[b] = nil, nil
	pd, qd := make([]byte, len(p)), make([]byte, len(q))
	GenPQ(pd, qd, without)
	engine.mulTwo(pd, pd, p, 1, 1)
	engine.mulTwo(qd, qd, q, 1, 1)
	inverse := gfInv(gfExp(a) ^ gfExp(b))
	engine.mulTwo(data[a], pd, qd, gfMul(gfExp(b), inverse), inverse)
	engine.genP(data[b], [][]byte{data[a], pd})
}

// whole replaces each hole with a block of zeroes. It panics if a block is too
// short, since assembly would read beyond it.
func whole(n int, data [][]byte) [][]byte {
	holes := false
	for _, b := range data {
		holes = holes || b == nil
		if b != nil && len(b) < n {
			panic("raid: blocks of different lengths")
		}
	}
	if !holes {
		return data
	}
	zero := make([]byte, n)
	data = slices.Clone(data)
	for i := range data {
		if data[i] == nil {
			data[i] = zero
		}
	}
	return data
}

// functions is one implementation of the arithmetic. All blocks are whole and
// of one length; there may be none.
type functions struct {
	name    string
	genP    func(p []byte, data [][]byte)
	genPQ   func(p, q []byte, data [][]byte)
	checkP  func(p []byte, data [][]byte) int
	checkPQ func(p, q []byte, data [][]byte) (int, int)
	// mulTwo sets dst to ca*a + cb*b; dst may be a or b.
	mulTwo func(dst, a, b []byte, ca, cb byte)
}

// engine is the fastest implementation that this processor can run.
var engine = ways()[0]

// Engine names the instruction set the parity functions use: "generic", "avx2",
// "avx512+gfni" or "neon".
func Engine() string { return engine.name }
