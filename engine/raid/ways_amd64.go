package raid

import (
	"golang.org/x/sys/cpu"
)

// ways lists the implementations that can run here, the fastest first.
func ways() []functions {
	list := []functions{generic}
	if cpu.X86.HasAVX2 {
		list = []functions{avx2.functions(), generic}
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512GFNI {
			list = []functions{avx512.functions(), avx2.functions(), generic}
		}
	}
	return list
}

var avx512 = vector{
	name:     "avx512+gfni",
	columnP:  512,
	columnPQ: 512,
	columnM:  32,
	genP:     genPAVX512,
	checkP:   checkPAVX512,
	genPQ:    genPQAVX512,
	checkPQ:  checkPQAVX512,
	mulTwo:   mulTwoAVX2,
}

var avx2 = vector{
	name:     "avx2",
	columnP:  256,
	columnPQ: 128,
	columnM:  32,
	genP:     genPAVX2,
	checkP:   checkPAVX2,
	genPQ:    genPQAVX2,
	checkPQ:  checkPQAVX2,
	mulTwo:   mulTwoAVX2,
}

//go:noescape
func genPAVX2(p *byte, data *[]byte, n, length int)

//go:noescape
func checkPAVX2(p *byte, data *[]byte, n, length int) int

//go:noescape
func genPQAVX2(p, q *byte, data *[]byte, n, length int)

//go:noescape
func checkPQAVX2(p, q *byte, data *[]byte, n, length int) int

//go:noescape
func mulTwoAVX2(dst, a, b *byte, length int, tables *[4][16]byte)

//go:noescape
func genPAVX512(p *byte, data *[]byte, n, length int)

//go:noescape
func checkPAVX512(p *byte, data *[]byte, n, length int) int

//go:noescape
func genPQAVX512(p, q *byte, data *[]byte, n, length int)

//go:noescape
func checkPQAVX512(p, q *byte, data *[]byte, n, length int) int
