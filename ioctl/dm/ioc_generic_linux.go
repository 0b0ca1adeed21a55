//go:build !(mips || mipsle || mips64 || mips64le || ppc64 || ppc64le)

package dm

// How the direction goes into a command's number (asm-generic/ioctl.h).
const (
	iocNone      = 0
	iocReadWrite = 3
	dirShift     = 30
)
