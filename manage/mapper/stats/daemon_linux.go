package stats

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// DaemonFile is the descriptor at which a daemon that was started by
// [StartDaemon] finds its file.
const DaemonFile = 3

// StartDaemon starts this program once more, with other arguments of which the
// first is its name, and leaves it to itself: in a session and a folder that
// nobody waits for, with the file open as [DaemonFile].
func StartDaemon(f *os.File, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{
		Path: self, Args: args, Dir: "/",
		ExtraFiles: []*os.File{f}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// FileDevice is the device that a file is on.
func FileDevice(f *os.File) (dm.Number, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return dm.Number{}, fmt.Errorf("%s: fstat: %w", f.Name(), err)
	}
	return dm.Number{Major: unix.Major(uint64(st.Dev)), Minor: unix.Minor(uint64(st.Dev))}, nil
}
