package lab

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// group puts the command into a process group of its own, and ties its life to
// ours: user-mode Linux is several processes, and none may outlive the test.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills the command and all its helpers.
func killGroup(cmd *exec.Cmd) {
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
}

// streamPair is a connected pair of stream sockets: ours, which can wait with
// deadlines, and the one to be inherited by the machine.
func streamPair(name string) (host, guest *os.File, err error) {
	return socketPair(name, unix.SOCK_STREAM)
}

// packetPair is the same with packet boundaries: a network cable.
func packetPair(name string) (host, guest *os.File, err error) {
	return socketPair(name, unix.SOCK_DGRAM)
}

func socketPair(name string, kind int) (host, guest *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name+"-guest"), nil
}
