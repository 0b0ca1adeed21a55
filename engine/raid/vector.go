//go:build amd64 || arm64

package raid

//go:generate go run ./asm .

// vector is assembly that works on whole columns. The rest at the end of a
// block is left to the generic functions. Functions whose column size is 0 do
// not exist.
type vector struct {
	name                       string
	columnP, columnPQ, columnM int // bytes

	genP    func(p *byte, data *[]byte, n, length int)
	checkP  func(p *byte, data *[]byte, n, length int) int
	genPQ   func(p, q *byte, data *[]byte, n, length int)
	checkPQ func(p, q *byte, data *[]byte, n, length int) int
	mulTwo  func(dst, a, b *byte, length int, tables *[4][16]byte)
}

// functions wraps the assembly.
func (v vector) functions() functions {
	f := functions{name: v.name, genP: genPGeneric, checkP: checkPGeneric, genPQ: v.pq, checkPQ: v.check, mulTwo: v.mul}
	if v.columnP > 0 {
		f.genP, f.checkP = v.p, v.checkOnlyP
	}
	return f
}

// tails are the parts of the blocks from an offset on.
func tails(data [][]byte, from int) [][]byte {
	rest := make([][]byte, len(data))
	for i, d := range data {
		rest[i] = d[from:]
	}
	return rest
}

// vectored says how many of n bytes make up whole columns; none if there are no
// blocks to sum.
func vectored(n, column int, data [][]byte) int {
	if len(data) == 0 {
		return 0
	}
	return n - n%column
}

func (v vector) p(p []byte, data [][]byte) {
	n := vectored(len(p), v.columnP, data)
	if n > 0 {
		v.genP(&p[0], &data[0], len(data), n)
	}
	if n < len(p) {
		genPGeneric(p[n:], tails(data, n))
	}
}

func (v vector) checkOnlyP(p []byte, data [][]byte) int {
	n := vectored(len(p), v.columnP, data)
	off := 0
	if n > 0 {
		off = v.checkP(&p[0], &data[0], len(data), n)
	}
	if off == len(p) {
		return -1
	}
	if i := checkPGeneric(p[off:], tails(data, off)); i >= 0 {
		return off + i
	}
	return -1
}

func (v vector) pq(p, q []byte, data [][]byte) {
	n := vectored(len(p), v.columnPQ, data)
	if n > 0 {
		v.genPQ(&p[0], &q[0], &data[0], len(data), n)
	}
	if n < len(p) {
		genPQGeneric(p[n:], q[n:], tails(data, n))
	}
}

// check lets the assembly find columns that differ, and goes through those byte
// by byte until both answers are known.
func (v vector) check(p, q []byte, data [][]byte) (firstP, firstQ int) {
	firstP, firstQ = -1, -1
	n := vectored(len(p), v.columnPQ, data)
	for off := 0; off < n && (firstP < 0 || firstQ < 0); off += v.columnPQ {
		rest := data
		if off > 0 {
			rest = tails(data, off)
		}
		off += v.checkPQ(&p[off], &q[off], &rest[0], len(rest), n-off)
		if off < n {
			firstP, firstQ = compare(p, q, data, off, off+v.columnPQ, firstP, firstQ)
		}
	}
	return compare(p, q, data, n, len(p), firstP, firstQ)
}

func (v vector) mul(dst, a, b []byte, ca, cb byte) {
	n := len(dst) - len(dst)%v.columnM
	if n > 0 {
		var tables [4][16]byte
		tables[0], tables[1] = gfNibbles(ca)
		tables[2], tables[3] = gfNibbles(cb)
		v.mulTwo(&dst[0], &a[0], &b[0], n, &tables)
	}
	if n < len(dst) {
		mulTwoGeneric(dst[n:], a[n:], b[n:], ca, cb)
	}
}
