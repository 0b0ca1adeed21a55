package dmsetup

import (
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// strayed are signals of which the Go runtime does not die as a C program does: it prints
// its stacks for SIGQUIT, and goes on after the others.
var strayed = []unix.Signal{unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR}

// sigaction has room for struct sigaction of any architecture; all zeroes are SIG_DFL with
// no flag.
type sigaction [64]byte

// dieAsC gives these signals their default action, until restore is called.
func dieAsC() (restore func()) {
	old := make([]sigaction, len(strayed))
	set := make([]bool, len(strayed))
	for i, s := range strayed {
		set[i] = change(s, &sigaction{}, &old[i])
	}
	return func() {
		for i, s := range strayed {
			if set[i] {
				change(s, &old[i], nil)
			}
		}
	}
}

// change is sigaction(2).
func change(s unix.Signal, to, old *sigaction) bool {
	size := uintptr(8) // of a set of signals
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		size = 16
	}
	_, _, no := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(old)), size, 0, 0)
	return no == 0
}
