package block

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/sysfs"
)

// Process is a process that has a device open.
type Process struct {
	PID     int    // process id
	Command string // name of its program, up to 15 bytes
}

// Openers returns the processes that have the device with that number open, in
// the order of /proc. Only root sees the descriptors of other users' processes;
// the calling process is included if it has the device open.
func Openers(fs sysfs.FS, n Num) ([]Process, error) {
	names, err := sysfs.Dir(fs.Proc()).List()
	if err != nil {
		return nil, err
	}
	dev := unix.Mkdev(n.Major, n.Minor)
	var found []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || !hasOpen(fs.Proc(name, "fd"), dev) {
			continue
		}
		// The process may be gone by now; its number is still worth reporting.
		comm, _ := sysfs.ReadProc(fs.Proc(name, "comm"))
		found = append(found, Process{PID: pid, Command: strings.TrimSuffix(comm, "\n")})
	}
	return found, nil
}

// hasOpen reports whether one of a process's descriptors is the device.
// Processes may end and descriptors close meanwhile: what cannot be read does
// not count.
func hasOpen(fdDir string, dev uint64) bool {
	ents, err := os.ReadDir(fdDir)
	if err != nil {
		return false
	}
	for _, e := range ents {
		fi, err := os.Stat(filepath.Join(fdDir, e.Name()))
		if err != nil {
			continue
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if ok && st.Mode&syscall.S_IFMT == syscall.S_IFBLK && uint64(st.Rdev) == dev {
			return true
		}
	}
	return false
}
