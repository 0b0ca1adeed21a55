package stats

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// DaemonFile is the descriptor under which a daemon started by [StartDaemon] finds its
// file.
const DaemonFile = 3

// StartDaemon starts this program again as a daemon, with the given arguments, of which
// the first is its name. The daemon has a session of its own, does not keep a mount busy
// by its folder, and has the file open as [DaemonFile].
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

// FileDevice returns the device that a file is on.
func FileDevice(f *os.File) (dm.Number, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return dm.Number{}, fmt.Errorf("%s: fstat: %w", f.Name(), err)
	}
	return dm.Number{Major: unix.Major(uint64(st.Dev)), Minor: unix.Minor(uint64(st.Dev))}, nil
}
