package raid

// ways lists the implementations that can run here, the fastest first. Every
// arm64 processor that Go runs on has NEON. Plain xor is left to the standard
// library, which uses it too.
func ways() []functions { return []functions{neon.functions(), generic} }

var neon = vector{
	name:     "neon",
	columnPQ: 64,
	columnM:  16,
	genPQ:    genPQNEON,
	checkPQ:  checkPQNEON,
	mulTwo:   mulTwoNEON,
}

//go:noescape
func genPQNEON(p, q *byte, data *[]byte, n, length int)

//go:noescape
func checkPQNEON(p, q *byte, data *[]byte, n, length int) int

//go:noescape
func mulTwoNEON(dst, a, b *byte, length int, tables *[4][16]byte)
