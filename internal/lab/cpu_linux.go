package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// pin keeps what the calling thread starts on one processor that no other
// machine has, until release. User-mode Linux is one thread of control that
// moves between processes with every system call and page fault of the guest:
// on one processor that is a context switch; across two it is an interrupt, and
// a wait for a processor that may be asleep. If all processors are taken, pin
// does nothing. The caller must have locked its goroutine to its thread; restore
// lets the thread run on all its processors again.
func pin() (restore, release func()) {
	nothing := func() {}
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil || own.Count() < 2 {
		return nothing, nothing
	}
	for cpu := 0; cpu < len(own)*64; cpu++ {
		if !own.IsSet(cpu) {
			continue
		}
		held := holdCPU(cpu)
		if held == nil {
			continue
		}
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			held.Close()
			return nothing, nothing
		}
		return func() { unix.SchedSetaffinity(0, &own) }, //nolint:errcheck // it was like that
			func() { held.Close() }
	}
	return nothing, nothing
}

// holdCPU takes the lock of a processor, which other test processes of this
// user respect. It returns nil if the lock is taken.
func holdCPU(cpu int) *os.File {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("mdkit-lab-cpu-%d-%d", os.Getuid(), cpu))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil
	}
	return f
}
