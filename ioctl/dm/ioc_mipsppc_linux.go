//go:build mips || mipsle || mips64 || mips64le || ppc64 || ppc64le

package dm

// How the direction goes into a command's number (arch/mips and arch/powerpc,
// include/uapi/asm/ioctl.h).
const (
	iocNone      = 1
	iocReadWrite = 6
	dirShift     = 29
)
