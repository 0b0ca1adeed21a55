//go:build !(386 || arm || mips || mipsle || ppc)

package mapper

import "golang.org/x/sys/unix"

const sysSemtimedop = unix.SYS_SEMTIMEDOP
