package mdadm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
)

// sharerFile names the process that moves spares between arrays.
const sharerFile = node.MapDir + "/autorebuild.pid"

// onlySharer looks for another process that moves spares.
func (c *Command) onlySharer(std ui.IO) error {
	b, err := os.ReadFile(sharerFile)
	if err != nil {
		return nil //nolint:nilerr // no process has begun to
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

// writeSharer records this process as the one that moves spares, under the name
// that mdadm looks for.
func writeSharer(std ui.IO) {
	err := os.Mkdir(node.MapDir, 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = os.WriteFile(sharerFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o700)
	}
	if err != nil {
		fmt.Fprintln(std.Err, "mdadm: Can't create autorebuild.pid file")
		return
	}
	// This is only a name: if it cannot be set, mdadm does not recognize us.
	_ = os.WriteFile("/proc/self/comm", []byte("mdadm"), 0)
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
