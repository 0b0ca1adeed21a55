package mdadm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
)

// sharerFile names the process that moves spares between arrays.
const (
	sharerName = "autorebuild.pid"
	sharerFile = node.MapDir + "/" + sharerName
)

// openSharer opens the file in the folder of the map. Neither of them may be a symbolic
// link, by which a monitor, which is root, would be led to a file of somebody's choice.
func openSharer(flags int) (*os.File, error) {
	folder, err := unix.Open(node.MapDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) {
		return nil, failure("%s is not a regular directory.", node.MapDir)
	} else if err != nil {
		return nil, err
	}
	defer unix.Close(folder)
	// Without O_NONBLOCK a pipe would hold us up.
	fd, err := unix.Openat(folder, sharerName, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o700)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return nil, failure("%s is not a regular file.", sharerFile)
	} else if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), sharerFile)
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, failure("%s is not a regular file.", sharerFile)
	}
	return f, nil
}

// onlySharer looks for another process that moves spares.
func (c *Command) onlySharer(std ui.IO) error {
	f, err := openSharer(unix.O_RDONLY)
	if err != nil {
		return onlyExit(err) // else no process has begun to
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return nil //nolint:nilerr // as if it were not there
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return nil //nolint:nilerr // no process can be found by that
	}
	comm, err := os.ReadFile(path.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil || !strings.HasPrefix(string(comm), "mdadm") && !strings.HasPrefix(string(comm), "mdkit") {
		return nil //nolint:nilerr // it has ended
	}
	if c.Scan {
		return failure("Only one autorebuild process allowed in scan mode, aborting")
	}
	fmt.Fprintln(std.Err, "mdadm: Warning: One autorebuild process already running.")
	return nil
}

// onlyExit returns err if it is a reason not to monitor.
func onlyExit(err error) error {
	if e := (*exit)(nil); errors.As(err, &e) {
		return e
	}
	return nil
}

// writeSharer records this process as the one that moves spares, under the name
// that mdadm looks for.
func writeSharer(std ui.IO) error {
	err := os.Mkdir(node.MapDir, 0o700)
	var f *os.File
	if err == nil || errors.Is(err, fs.ErrExist) {
		f, err = openSharer(unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		if err := onlyExit(err); err != nil {
			return err
		}
		fmt.Fprintln(std.Err, "mdadm: Can't create autorebuild.pid file")
		return nil
	}
	// This is only a name: if it cannot be set, mdadm does not recognize us.
	_ = os.WriteFile("/proc/self/comm", []byte("mdadm"), 0)
	return nil
}

// backgroundEnv marks the process that --daemonise has started.
const backgroundEnv = "MDKIT_MONITOR_BACKGROUND"

// daemonise starts the same command line in the background, and prints its process
// number or writes it to a file.
func (c *Command) daemonise(std ui.IO) int {
	program, err := os.Executable()
	if err != nil {
		return leave(fmt.Errorf("daemonise: %w", err), std)
	}
	cmd := exec.Command(program, c.args[1:]...)
	cmd.Args[0] = "mdadm"
	cmd.Env = append(os.Environ(), backgroundEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return leave(fmt.Errorf("daemonise: %w", err), std)
	}
	if c.Watching.PIDFile == "" {
		fmt.Fprintln(std.Out, cmd.Process.Pid)
	} else if err := os.WriteFile(c.Watching.PIDFile, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		fmt.Fprintf(std.Err, "cannot create pid file: %s\n", errText(err))
	}
	return 0
}
