package raid

import (
	"crypto/subtle"
	"encoding/binary"
)

// generic does the arithmetic in 64-bit words, eight bytes at a time.
var generic = functions{
	name:    "generic",
	genP:    genPGeneric,
	genPQ:   genPQGeneric,
	checkP:  checkPGeneric,
	checkPQ: checkPQGeneric,
	mulTwo:  mulTwoGeneric,
}

// strip is how many bytes are processed at once where intermediate sums are
// kept in memory: few enough to stay in the first-level cache.
const strip = 4 << 10

// genPGeneric relies on the standard library, whose xor uses vectors.
func genPGeneric(p []byte, data [][]byte) {
	if len(data) == 0 {
		clear(p)
		return
	}
	for from := 0; from < len(p); from += strip {
		to := min(from+strip, len(p))
		sum := p[from:to]
		copy(sum, data[0][from:to])
		for _, d := range data[1:] {
			subtle.XORBytes(sum, sum, d[from:to])
		}
	}
}

func checkPGeneric(p []byte, data [][]byte) int {
	var buffer [strip]byte
	for from := 0; from < len(p); from += strip {
		to := min(from+strip, len(p))
		sum := buffer[:to-from]
		copy(sum, p[from:to])
		for _, d := range data {
			subtle.XORBytes(sum, sum, d[from:to])
		}
		if i := firstNonzero(sum); i >= 0 {
			return from + i
		}
	}
	return -1
}

func genPQGeneric(p, q []byte, data [][]byte) {
	off := 0
	for ; off+16 <= len(p); off += 16 {
		p0, p1, q0, q1 := sums(data, off)
		binary.LittleEndian.PutUint64(p[off:], p0)
		binary.LittleEndian.PutUint64(p[off+8:], p1)
		binary.LittleEndian.PutUint64(q[off:], q0)
		binary.LittleEndian.PutUint64(q[off+8:], q1)
	}
	for ; off < len(p); off++ {
		p[off], q[off] = sumByte(data, off)
	}
}

func checkPQGeneric(p, q []byte, data [][]byte) (firstP, firstQ int) {
	firstP, firstQ = -1, -1
	off := 0
	for ; off+16 <= len(p) && (firstP < 0 || firstQ < 0); off += 16 {
		p0, p1, q0, q1 := sums(data, off)
		p0 ^= binary.LittleEndian.Uint64(p[off:])
		p1 ^= binary.LittleEndian.Uint64(p[off+8:])
		q0 ^= binary.LittleEndian.Uint64(q[off:])
		q1 ^= binary.LittleEndian.Uint64(q[off+8:])
		if (p0|p1 != 0 && firstP < 0) || (q0|q1 != 0 && firstQ < 0) {
			firstP, firstQ = compare(p, q, data, off, off+16, firstP, firstQ)
		}
	}
	return compare(p, q, data, off, len(p), firstP, firstQ)
}

// compare looks byte by byte for those first differences that have not been
// found yet.
func compare(p, q []byte, data [][]byte, from, to, firstP, firstQ int) (int, int) {
	for off := from; off < to && (firstP < 0 || firstQ < 0); off++ {
		wantP, wantQ := sumByte(data, off)
		if p[off] != wantP && firstP < 0 {
			firstP = off
		}
		if q[off] != wantQ && firstQ < 0 {
			firstQ = off
		}
	}
	return firstP, firstQ
}

// sums computes 16 bytes of P and Q at off by Horner's rule, starting with the
// block of the highest power.
func sums(data [][]byte, off int) (p0, p1, q0, q1 uint64) {
	for i := len(data) - 1; i >= 0; i-- {
		d := data[i][off : off+16]
		d0, d1 := binary.LittleEndian.Uint64(d), binary.LittleEndian.Uint64(d[8:])
		p0, p1 = p0^d0, p1^d1
		q0, q1 = gfDouble(q0)^d0, gfDouble(q1)^d1
	}
	return p0, p1, q0, q1
}

// sumByte computes one byte of P and Q.
func sumByte(data [][]byte, off int) (p, q byte) {
	for i := len(data) - 1; i >= 0; i-- {
		d := data[i][off]
		p ^= d
		q = byte(gfDouble(uint64(q))) ^ d
	}
	return p, q
}

func mulTwoGeneric(dst, a, b []byte, ca, cb byte) {
	aLo, aHi := gfNibbles(ca)
	bLo, bHi := gfNibbles(cb)
	for i := range dst {
		x, y := a[i], b[i]
		dst[i] = aLo[x&15] ^ aHi[x>>4] ^ bLo[y&15] ^ bHi[y>>4]
	}
}

// firstNonzero returns the index of the first byte that is not 0, or -1.
func firstNonzero(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		if binary.LittleEndian.Uint64(p[i:]) != 0 {
			break
		}
	}
	for ; i < len(p); i++ {
		if p[i] != 0 {
			return i
		}
	}
	return -1
}
