package mirrorlog

import "math/bits"

// bitmap has a bit for each region, in the form it has on disk: the lowest bit of the
// first byte belongs to region 0.
type bitmap []byte

// newBitmap makes a bitmap of whole 32-bit words, as the kernel does (dm-log.c
// create_log_context).
func newBitmap(n uint64) bitmap { return make(bitmap, (n+31)/32*4) }

func (b bitmap) get(n uint64) bool { return b[n/8]&(1<<(n%8)) != 0 }

func (b bitmap) set(n uint64, v bool) {
	if v {
		b[n/8] |= 1 << (n % 8)
	} else {
		b[n/8] &^= 1 << (n % 8)
	}
}

func (b bitmap) fill() {
	for i := range b {
		b[i] = 0xff
	}
}

func (b bitmap) clone() bitmap { return append(bitmap(nil), b...) }

// countTo counts the bits of the first n regions.
func (b bitmap) countTo(n uint64) (c uint64) {
	for i := range n / 8 {
		c += uint64(bits.OnesCount8(b[i]))
	}
	for i := n &^ 7; i < n; i++ {
		if b.get(i) {
			c++
		}
	}
	return c
}

// firstZero returns the first region, at or after from and below n, whose bit is not
// set; n if there is none.
func (b bitmap) firstZero(from, n uint64) uint64 {
	for i := from; i < n; i++ {
		if i%8 == 0 && b[i/8] == 0xff {
			i += 7
			continue
		}
		if !b.get(i) {
			return i
		}
	}
	return n
}
