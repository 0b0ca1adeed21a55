package main

import "fmt"

// Registers of the amd64 functions: AX the offset of the column, BX the slice
// headers of the blocks, CX their number, DX the length, SI P, DI Q, R8 the
// current header, R9 its block.

// sliceHeader is the size of a slice header in bytes.
const sliceHeader = 24

// isa is a set of instructions to write for.
type isa struct {
	name string // in the functions' names
	reg  string // vector registers
	size int    // of one register, in bytes
}

var (
	avx2   = isa{"AVX2", "Y", 32}
	avx512 = isa{"AVX512", "Z", 64} // AVX512F and GFNI
)

func amd64() []byte {
	s := &source{}
	s.head()
	constant(s, "poly<>", 0x1d1d1d1d1d1d1d1d)
	constant(s, "low<>", 0x0f0f0f0f0f0f0f0f)
	constant(s, "double<>", doubling())
	for _, v := range []isa{avx2, avx512} {
		v.xor(s, "genP", false)
		v.xor(s, "checkP", true)
		v.pq(s, "genPQ", false)
		v.pq(s, "checkPQ", true)
	}
	mulTwo(s)
	return s.Bytes()
}

// doubling is multiplication by 2 modulo 0x11d as a matrix of bits, laid out
// for VGF2P8AFFINEQB: the row that makes bit i of the result is byte 7-i.
func doubling() (matrix uint64) {
	for bit := range 8 {
		row := uint64(0)
		if bit > 0 {
			row |= 1 << (bit - 1)
		}
		if 0x1d>>bit&1 != 0 {
			row |= 1 << 7
		}
		matrix |= row << (8 * (7 - bit))
	}
	return matrix
}

// constant defines four equal words.
func constant(s *source, name string, word uint64) {
	s.WriteByte('\n')
	for i := range 4 {
		fmt.Fprintf(s, "DATA %s+%d(SB)/8, $%#016x\n", name, i*8, word)
	}
	fmt.Fprintf(s, "GLOBL %s(SB), RODATA|NOPTR, $32\n", name)
}

// r names a vector register.
func (v isa) r(i int) string { return fmt.Sprintf("%s%d", v.reg, i) }

// exclusiveOr names an instruction, as or does.
func (v isa) exclusiveOr() string { return map[string]string{"Y": "VPXOR", "Z": "VPXORQ"}[v.reg] }
func (v isa) or() string          { return map[string]string{"Y": "VPOR", "Z": "VPORQ"}[v.reg] }

// move names the load and store that take any address.
func (v isa) move() string { return map[string]string{"Y": "VMOVDQU", "Z": "VMOVDQU64"}[v.reg] }

// jumpUnlessZero jumps to done unless register i is all zero.
func (v isa) jumpUnlessZero(s *source, i int) {
	if v.reg == "Z" {
		s.line("VPTESTMQ %s, %s, K1", v.r(i), v.r(i))
		s.line("KORTESTW K1, K1")
	} else {
		s.line("VPTEST %s, %s", v.r(i), v.r(i))
	}
	s.line("JNZ  done")
}

// blocks loops over the blocks from the last to the first. The first one
// visited starts the sums; do is told which one that is.
func blocks(s *source, do func(first bool)) {
	s.line("LEAQ -%d(R10), R8", sliceHeader)
	s.line("MOVQ (R8), R9")
	s.line("ADDQ AX, R9")
	do(true)
	s.line("CMPQ R8, BX")
	s.line("JEQ  summed")
	s.label("block")
	s.line("SUBQ $%d, R8", sliceHeader)
	s.line("MOVQ (R8), R9")
	s.line("ADDQ AX, R9")
	do(false)
	s.line("CMPQ R8, BX")
	s.line("JNE  block")
	s.label("summed")
}

// sums is how many registers a sum of a column takes.
const sumP = 8

// sumPQ is the same for P and for Q each: as many as there are registers for.
func (v isa) sumPQ() int { return map[string]int{"Y": 4, "Z": 8}[v.reg] }

// xor writes genP(p *byte, data *[]byte, n, length int), and checkP, which takes
// the same and returns the offset of the first column that differs, or length.
// There is at least one block, and length is a multiple of sumP registers.
func (v isa) xor(s *source, name string, check bool) {
	s.text(name+v.name, map[bool]int{false: 32, true: 40}[check])
	s.line("MOVQ p+0(FP), SI")
	s.line("MOVQ data+8(FP), BX")
	s.line("MOVQ n+16(FP), CX")
	s.line("MOVQ length+24(FP), DX")
	s.line("LEAQ (CX)(CX*2), CX")
	s.line("LEAQ (BX)(CX*8), R10 // past the last header")
	s.line("XORQ AX, AX")
	s.line("JMP  next")
	s.label("column")
	blocks(s, func(first bool) {
		for i := range sumP {
			if first {
				s.line("%s %d(R9), %s", v.move(), i*v.size, v.r(i))
			} else {
				s.line("%s %d(R9), %s, %s", v.exclusiveOr(), i*v.size, v.r(i), v.r(i))
			}
		}
	})
	if check {
		v.difference(s, "SI", 0, sumP)
		v.anyOf(s, sumP)
	} else {
		v.store(s, "SI", 0, sumP)
	}
	v.loop(s, sumP)
	finish(s, check, 32)
}

// store writes n registers, starting with the given one, to the column at base.
func (v isa) store(s *source, base string, from, n int) {
	for i := range n {
		s.line("%s %s, %d(%s)(AX*1)", v.move(), v.r(from+i), i*v.size, base)
	}
}

// difference xors n registers with the column at base, so they hold the
// differences.
func (v isa) difference(s *source, base string, from, n int) {
	for i := range n {
		s.line("%s %d(%s)(AX*1), %s, %s", v.exclusiveOr(), i*v.size, base, v.r(from+i), v.r(from+i))
	}
}

// anyOf jumps to done unless the first n registers are all zero.
func (v isa) anyOf(s *source, n int) {
	for i := 1; i < n; i++ {
		s.line("%s %s, %s, %s", v.or(), v.r(i), v.r(0), v.r(0))
	}
	v.jumpUnlessZero(s, 0)
}

// loop goes on to the next column of n registers.
func (v isa) loop(s *source, n int) {
	s.line("ADDQ $%d, AX", n*v.size)
	s.label("next")
	s.line("CMPQ AX, DX")
	s.line("JLT  column")
}

func finish(s *source, check bool, at int) {
	if check {
		s.label("done")
		s.line("MOVQ AX, ret+%d(FP)", at)
	}
	s.line("VZEROUPPER")
	s.line("RET")
}

// pq writes genPQ(p, q *byte, data *[]byte, n, length int), and checkPQ, which
// takes the same and returns the offset of the first column that differs, or
// length. There is at least one block, and length is a multiple of n
// registers.
//
// P is in the first registers, Q in the next, and blocks are loaded into those
// after them.
func (v isa) pq(s *source, name string, check bool) {
	n := v.sumPQ()
	s.text(name+v.name, map[bool]int{false: 40, true: 48}[check])
	s.line("MOVQ p+0(FP), SI")
	s.line("MOVQ q+8(FP), DI")
	s.line("MOVQ data+16(FP), BX")
	s.line("MOVQ n+24(FP), CX")
	s.line("MOVQ length+32(FP), DX")
	s.line("LEAQ (CX)(CX*2), CX")
	s.line("LEAQ (BX)(CX*8), R10 // past the last header")
	if v.reg == "Z" {
		s.line("VPBROADCASTQ double<>(SB), Z31")
	} else {
		s.line("VMOVDQU poly<>(SB), Y15")
		s.line("VPXOR Y14, Y14, Y14")
	}
	s.line("XORQ AX, AX")
	s.line("JMP  next")
	s.label("column")
	blocks(s, func(first bool) {
		for i := range n {
			if first {
				s.line("%s %d(R9), %s", v.move(), i*v.size, v.r(i))
				s.line("%s %s, %s", v.move(), v.r(i), v.r(n+i))
			} else {
				v.double(s, n+i, 2*n+i)
			}
		}
		for i := 0; i < n && !first; i++ {
			s.line("%s %d(R9), %s", v.move(), i*v.size, v.r(2*n+i))
			s.line("%s %s, %s, %s", v.exclusiveOr(), v.r(2*n+i), v.r(i), v.r(i))
			s.line("%s %s, %s, %s", v.exclusiveOr(), v.r(2*n+i), v.r(n+i), v.r(n+i))
		}
	})
	if check {
		v.difference(s, "SI", 0, n)
		v.difference(s, "DI", n, n)
		v.anyOf(s, 2*n)
	} else {
		v.store(s, "SI", 0, n)
		v.store(s, "DI", n, n)
	}
	v.loop(s, n)
	finish(s, check, 40)
}

// double doubles the bytes of register q in the field. With GFNI that is one
// multiplication by a matrix of bits. Otherwise each byte is added to itself,
// and the polynomial is added where the top bit was set, that is, where 0
// compared greater.
func (v isa) double(s *source, q, scratch int) {
	if v.reg == "Z" {
		s.line("VGF2P8AFFINEQB $0, Z31, %s, %s", v.r(q), v.r(q))
		return
	}
	s.line("VPCMPGTB %s, Y14, %s", v.r(q), v.r(scratch))
	s.line("VPADDB %s, %s, %s", v.r(q), v.r(q), v.r(q))
	s.line("VPAND Y15, %s, %s", v.r(scratch), v.r(scratch))
	s.line("VPXOR %s, %s, %s", v.r(scratch), v.r(q), v.r(q))
}

// mulTwo writes mulTwoAVX2(dst, a, b *byte, length int, tables *[4][16]byte):
// the tables are the products of one factor with low and high nibbles, then
// those of the other. length is a multiple of 32 and not 0.
func mulTwo(s *source) {
	s.text("mulTwoAVX2", 40)
	s.line("MOVQ dst+0(FP), DI")
	s.line("MOVQ a+8(FP), SI")
	s.line("MOVQ b+16(FP), BX")
	s.line("MOVQ length+24(FP), DX")
	s.line("MOVQ tables+32(FP), R8")
	for i := range 4 {
		s.line("VBROADCASTI128 %d(R8), Y%d", i*16, i)
	}
	s.line("VMOVDQU low<>(SB), Y15")
	s.line("XORQ AX, AX")
	s.label("column")
	for i, from := range []string{"SI", "BX"} {
		lo, hi := 4+2*i, 5+2*i
		s.line("VMOVDQU (%s)(AX*1), Y%d", from, lo)
		s.line("VPSRLQ $4, Y%d, Y%d", lo, hi)
		s.line("VPAND Y15, Y%d, Y%d", lo, lo)
		s.line("VPAND Y15, Y%d, Y%d", hi, hi)
		s.line("VPSHUFB Y%d, Y%d, Y%d", lo, 2*i, lo)
		s.line("VPSHUFB Y%d, Y%d, Y%d", hi, 2*i+1, hi)
	}
	s.line("VPXOR Y5, Y4, Y4")
	s.line("VPXOR Y7, Y6, Y6")
	s.line("VPXOR Y6, Y4, Y4")
	s.line("VMOVDQU Y4, (DI)(AX*1)")
	s.line("ADDQ $32, AX")
	s.line("CMPQ AX, DX")
	s.line("JLT  column")
	s.line("VZEROUPPER")
	s.line("RET")
}
