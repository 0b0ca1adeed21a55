package main

import "strings"

// Registers of the arm64 functions: R0 the offset of the column, R1 the slice
// headers of the blocks, R3 the length, R4 P, R5 Q, R6 the current header, R7
// its block, R8 the end of the headers.

func arm64() []byte {
	s := &source{}
	s.head()
	pqNEON(s, "genPQNEON", false)
	pqNEON(s, "checkPQNEON", true)
	mulTwoNEON(s)
	return s.Bytes()
}

// four lists four registers, starting with the given one, as a load or store
// takes them.
func four(from int) string {
	names := make([]string, 4)
	for i := range names {
		names[i] = vec(from + i)
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// vec names a vector register as 16 bytes.
func vec(i int) string {
	const digits = "0123456789"
	if i < 10 {
		return "V" + digits[i:i+1] + ".B16"
	}
	return "V" + digits[i/10:i/10+1] + digits[i%10:i%10+1] + ".B16"
}

// pqNEON writes genPQNEON(p, q *byte, data *[]byte, n, length int), and
// checkPQNEON, which takes the same and returns the offset of the first column
// that differs, or length. There is at least one block, and length is a
// multiple of 64.
//
// P is in V0 to V3, Q in V4 to V7.
func pqNEON(s *source, name string, check bool) {
	const wide = 4
	s.text(name, map[bool]int{false: 40, true: 48}[check])
	s.line("MOVD p+0(FP), R4")
	s.line("MOVD q+8(FP), R5")
	s.line("MOVD data+16(FP), R1")
	s.line("MOVD n+24(FP), R2")
	s.line("MOVD length+32(FP), R3")
	s.line("MOVD $%d, R9", sliceHeader)
	s.line("MADD R2, R1, R9, R8 // past the last header")
	s.line("MOVD $0x1d, R9")
	s.line("VDUP R9, V31.B16")
	s.line("MOVD $0x80, R9")
	s.line("VDUP R9, V30.B16")
	s.line("MOVD $0, R0")
	s.line("B    next")
	s.label("column")
	s.line("SUB  $%d, R8, R6", sliceHeader)
	s.line("MOVD (R6), R7")
	s.line("ADD  R0, R7, R7")
	s.line("VLD1 (R7), %s", four(0))
	for i := range wide {
		s.line("VMOV %s, %s", vec(i), vec(4+i))
	}
	s.line("CMP  R1, R6")
	s.line("BEQ  summed")
	s.label("block")
	s.line("SUB  $%d, R6, R6", sliceHeader)
	s.line("MOVD (R6), R7")
	s.line("ADD  R0, R7, R7")
	s.line("VLD1 (R7), %s", four(12))
	for i := range wide {
		s.line("VCMTST V30.B16, %s, %s", vec(4+i), vec(8+i))
		s.line("VADD %s, %s, %s", vec(4+i), vec(4+i), vec(4+i))
		s.line("VAND V31.B16, %s, %s", vec(8+i), vec(8+i))
		s.line("VEOR %s, %s, %s", vec(8+i), vec(4+i), vec(4+i))
		s.line("VEOR %s, %s, %s", vec(12+i), vec(i), vec(i))
		s.line("VEOR %s, %s, %s", vec(12+i), vec(4+i), vec(4+i))
	}
	s.line("CMP  R1, R6")
	s.line("BNE  block")
	s.label("summed")
	s.line("ADD  R0, R4, R9")
	s.line("ADD  R0, R5, R10")
	if check {
		compareNEON(s, wide)
	} else {
		s.line("VST1 %s, (R9)", four(0))
		s.line("VST1 %s, (R10)", four(4))
	}
	s.line("ADD  $%d, R0, R0", wide*16)
	s.label("next")
	s.line("CMP  R3, R0")
	s.line("BLT  column")
	if check {
		s.label("done")
		s.line("MOVD R0, ret+40(FP)")
	}
	s.line("RET")
}

// compareNEON jumps to done if P or Q differs from what R9 and R10 point to.
func compareNEON(s *source, wide int) {
	s.line("VLD1 (R9), %s", four(8))
	s.line("VLD1 (R10), %s", four(12))
	for i := range 2 * wide {
		s.line("VEOR %s, %s, %s", vec(8+i), vec(i), vec(i))
	}
	for i := 1; i < 2*wide; i++ {
		s.line("VORR %s, V0.B16, V0.B16", vec(i))
	}
	s.line("VMOV V0.D[0], R9")
	s.line("VMOV V0.D[1], R10")
	s.line("ORR  R9, R10, R9")
	s.line("CBNZ R9, done")
}

// mulTwoNEON writes mulTwoNEON(dst, a, b *byte, length int, tables
// *[4][16]byte), as on amd64. length is a multiple of 16 and not 0.
func mulTwoNEON(s *source) {
	s.text("mulTwoNEON", 40)
	s.line("MOVD dst+0(FP), R4")
	s.line("MOVD a+8(FP), R5")
	s.line("MOVD b+16(FP), R6")
	s.line("MOVD length+24(FP), R3")
	s.line("MOVD tables+32(FP), R7")
	s.line("VLD1 (R7), %s", four(0))
	s.line("MOVD $0x0f, R9")
	s.line("VDUP R9, V31.B16")
	s.label("column")
	for i, from := range []string{"R5", "R6"} {
		lo, hi := 4+2*i, 5+2*i
		s.line("VLD1.P 16(%s), [%s]", from, vec(lo))
		s.line("VUSHR $4, %s, %s", vec(lo), vec(hi))
		s.line("VAND V31.B16, %s, %s", vec(lo), vec(lo))
		s.line("VTBL %s, [%s], %s", vec(lo), vec(2*i), vec(lo))
		s.line("VTBL %s, [%s], %s", vec(hi), vec(2*i+1), vec(hi))
	}
	s.line("VEOR V5.B16, V4.B16, V4.B16")
	s.line("VEOR V7.B16, V6.B16, V6.B16")
	s.line("VEOR V6.B16, V4.B16, V4.B16")
	s.line("VST1.P [V4.B16], 16(R4)")
	s.line("SUBS $16, R3, R3")
	s.line("BNE  column")
	s.line("RET")
}
