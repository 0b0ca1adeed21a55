package lab

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// group puts the command into a process group of its own and has it die with us:
// user-mode Linux is several processes, and none may outlive the test.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// guard starts a process that outlives us if we are killed, and then kills the
// machine's group and removes its folder: if only the main process of a user-mode
// Linux dies, the others stay for ever. The returned function ends the guard.
func guard(pgid int, dir string) (dismiss func(), err error) {
	cmd := exec.Command("/bin/sh", "-c", `read -r _; kill -KILL "-$1"; rm -rf -- "$2"`, "lab-guard", strconv.Itoa(pgid), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return func() {
		cmd.Process.Kill() // before its input ends, so that it does nothing
		hold.Close()
		cmd.Wait() //nolint:errcheck // killed
	}, nil
}

// killGroup kills the command and all its helpers.
func killGroup(cmd *exec.Cmd) {
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
}

// streamPair is a connected pair of stream sockets: ours, on which deadlines
// work, and the one that the machine inherits.
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

// memoryDir chooses the folder for user-mode Linux's memory, an unlinked file that
// it maps executable. RAM is best; a container's /dev/shm, however, is often tiny
// or mounted noexec. The last resort is the machine's own folder.
func memoryDir(own string, size int64) (string, error) {
	dirs := []string{"/dev/shm", os.TempDir(), own}
	for _, d := range dirs {
		var st unix.Statfs_t
		if unix.Statfs(d, &st) != nil || unix.Access(d, unix.W_OK) != nil {
			continue
		}
		if st.Flags&unix.ST_NOEXEC == 0 && int64(st.Bavail)*int64(st.Bsize) >= size {
			return d, nil
		}
	}
	return "", fmt.Errorf("no room for a machine of %d MiB: none of %v has it free and without noexec; set TMPDIR", size>>20, dirs)
}
