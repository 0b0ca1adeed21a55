//go:build 386 || arm || mips || mipsle || ppc

package mapper

import "golang.org/x/sys/unix"

// sysSemtimedop is the system call with 64-bit times (Linux 5.1).
const sysSemtimedop = unix.SYS_SEMTIMEDOP_TIME64
