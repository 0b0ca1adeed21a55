//go:build mips || mipsle || mips64 || mips64le || ppc64 || ppc64le

package md

// How the direction goes into a request number (arch/mips and arch/powerpc
// include/uapi/asm/ioctl.h).
const (
	dirNone  = 1
	dirRead  = 2
	dirWrite = 4
	dirShift = 29
)
