package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// kernelBusy names a kernel thread that has something to do: one in state R or
// D (fs/proc/array.c:task_state_array). Threads with nothing to do are in S or
// I. There are some sixty of them, and system calls are slow in user-mode Linux,
// so there are only three for each thread, and package os is not used.
func kernelBusy() string {
	tasks, err := os.ReadDir("/proc")
	if err != nil {
		return err.Error()
	}
	var buf [512]byte
	for _, task := range tasks {
		if c := task.Name()[0]; c < '0' || c > '9' {
			continue
		}
		fd, err := unix.Open(filepath.Join("/proc", task.Name(), "stat"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // it has ended
		}
		n, err := unix.Read(fd, buf[:])
		unix.Close(fd)
		if err != nil {
			continue
		}
		name, state, parent := taskStat(buf[:n])
		if parent == "2" && (state == "R" || state == "D") {
			return fmt.Sprintf("kernel thread %s is in state %s", name, state)
		}
	}
	return ""
}
