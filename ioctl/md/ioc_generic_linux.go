//go:build !(mips || mipsle || mips64 || mips64le || ppc64 || ppc64le)

package md

// How the direction goes into a request number (asm-generic/ioctl.h).
const (
	dirNone  = 0
	dirWrite = 1
	dirRead  = 2
	dirShift = 30
)
