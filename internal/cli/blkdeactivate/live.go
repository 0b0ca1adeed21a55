package blkdeactivate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmsetup"
	"github.com/mdkit/mdkit/internal/cli/mdadm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/sysfs"
)

// Paths of the tools that are not built in.
const (
	lvmTool   = "/sbin/lvm"
	vdoTool   = "/bin/vdo"
	mpathTool = "/sbin/multipathd"
)

// live carries out the actions for real.
type live struct {
	options
	std ui.IO
}

// streams returns the streams for the tools: their output is shown with --verbose, their
// errors with --errors.
func (l *live) streams() ui.IO {
	std := ui.IO{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	if l.verbose && !l.json {
		std.Out = l.std.Out
	}
	if l.errors {
		std.Err = l.std.Err
	}
	return std
}

// Unmount unmounts a mount point.
func (l *live) Unmount(_ context.Context, mount string) bool {
	err := unix.Unmount(mount, unix.UMOUNT_NOFOLLOW)
	if err != nil && l.errors {
		fmt.Fprintf(l.std.Err, "umount: %s: %v\n", mount, err)
	}
	return err == nil
}

// Mounted reports whether something is mounted there.
func (l *live) Mounted(mount string) bool {
	text, err := sysfs.ReadProc(sysfs.Host.Proc("self", "mountinfo"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 4 && sysfs.Unescape(f[4]) == mount {
			return true
		}
	}
	return false
}

// RemoveMapped removes a mapped device as dmsetup does.
func (l *live) RemoveMapped(ctx context.Context, name string) bool {
	args := []string{"dmsetup"}
	if l.dmRetry {
		args = append(args, "--retry")
	}
	if l.dmForce {
		args = append(args, "--force")
	}
	return dmsetup.Main(ctx, append(args, "remove", name), l.streams()) == 0
}

// StopArray stops an array as mdadm does.
func (l *live) StopArray(ctx context.Context, kernel string) bool {
	return mdadm.Main(ctx, []string{"mdadm", "-S", "/dev/" + kernel}, l.streams()) == 0
}

// WaitArray waits until an array is idle.
func (l *live) WaitArray(ctx context.Context, kernel string) int {
	return mdadm.Main(ctx, []string{"mdadm", "-W", "/dev/" + kernel}, l.streams())
}

// SyncAction returns what an array is doing; "idle" if nothing.
func (l *live) SyncAction(kernel string) string {
	action, err := sysfs.ReadAttr(sysfs.Host.Sys("block", kernel, "md", "sync_action"))
	if err != nil {
		return "idle"
	}
	return strings.TrimSpace(action)
}

// LVM runs the lvm command.
func (l *live) LVM(ctx context.Context, args ...string) (string, bool) {
	return l.tool(ctx, lvmTool, args...)
}

// StopVDO stops a VDO volume.
func (l *live) StopVDO(ctx context.Context, name string) bool {
	_, ok := l.tool(ctx, vdoTool, append(append([]string{"stop"}, l.vdo...), "--name="+name)...)
	return ok
}

// DisableQueueing makes multipath devices fail I/O instead of queueing it.
func (l *live) DisableQueueing(ctx context.Context) (running, ok bool) {
	if !isFile(mpathTool) {
		return false, false
	}
	if out, _ := l.tool(ctx, mpathTool, "show", "daemon"); !strings.Contains(out, "running") {
		return false, false
	}
	out, _ := l.tool(ctx, mpathTool, "disablequeueing", "maps")
	return true, strings.TrimSpace(out) == "ok"
}

// tool runs a program and returns what it printed.
func (l *live) tool(ctx context.Context, path string, args ...string) (string, bool) {
	std := l.streams()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, std.Out), std.Err
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(std.Err, "%s: %v\n", path, err)
	}
	return out.String(), err == nil
}

// HasNode reports whether there is a block device at that path.
func (l *live) HasNode(path string) bool { return isBlock(path) }

// HasLVM reports whether the lvm command exists.
func (l *live) HasLVM() bool { return isFile(lvmTool) }

// HasVDO reports whether the vdo command exists.
func (l *live) HasVDO() bool { return isFile(vdoTool) }

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
