package mdadm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/report"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/manage/watch"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// waitLine is one line of --wait --json: one is printed at every change of progress,
// and at the end.
type waitLine struct {
	ui.Document
	Device string `json:"device"`
	Name   string `json:"name,omitempty"` // the kernel's
	Done   bool   `json:"done"`           // there is nothing left to wait for
	Waited bool   `json:"waited"`         // there was something
	Action string `json:"action,omitempty"`
	State  string `json:"state,omitempty"` // of the action: "running", "delayed", "pending", "remote"
	Synced int64  `json:"synced"`          // bytes of each member that are done
	Total  int64  `json:"total"`           // bytes of each member
	Speed  int64  `json:"speed"`           // bytes a second
}

// wait is --wait of one array: 0 if there was something to wait for, 1 if not.
func (c *Command) wait(ctx context.Context, std ui.IO, device string) int {
	name, code := blockName(std, device)
	if code != 0 {
		return code
	}
	ctx, stop := std.Cancellable(ctx)
	defer stop()
	line := waitLine{Document: ui.Schema("wait"), Device: device, Name: name}
	var drawn *ui.Progress
	waited, err := watch.AwaitSync(ctx, sysfs.Host, name, func(s sysmd.MdstatSync) {
		if c.JSON {
			line.progress(s)
			_ = std.JSONLine(line) // the exit code tells it as well
			return
		}
		if drawn == nil && s.Running() {
			drawn = std.Progress(device+": "+s.Action, int64(s.Total)<<10, c.Verbose < 0)
		}
		if drawn != nil {
			drawn.Update(int64(s.Done) << 10)
		}
	})
	if drawn != nil {
		drawn.Close()
	}
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: %s: %v\n", device, err)
		return 2
	}
	if c.JSON {
		line = waitLine{Document: line.Document, Device: device, Name: name, Done: true, Waited: waited}
		if err := std.JSONLine(line); err != nil {
			return 2
		}
	}
	if waited {
		return 0
	}
	return 1
}

func (l *waitLine) progress(s sysmd.MdstatSync) {
	l.Waited, l.Action, l.State = true, s.Action, "running"
	switch {
	case s.Delayed:
		l.State = "delayed"
	case s.Pending:
		l.State = "pending"
	case s.Remote:
		l.State = "remote"
	}
	l.Synced, l.Total, l.Speed = int64(s.Done)<<10, int64(s.Total)<<10, s.SpeedKiB<<10
}

// blockName finds the kernel's name of a block device; for anything else the exit
// code is 2.
func blockName(std ui.IO, device string) (name string, code int) {
	num, code := blockNumber(std, device)
	if code != 0 {
		return "", code
	}
	dev, err := sysblock.OpenNum(sysfs.Host, num)
	if err != nil {
		fmt.Fprintln(std.Err, "mdadm: Cannot get md device name.")
		return "", 2
	}
	return dev.Name(), 0
}

func blockNumber(std ui.IO, dev string) (num sysblock.Num, code int) {
	var st unix.Stat_t
	switch err := unix.Stat(dev, &st); {
	case err != nil:
		fmt.Fprintf(std.Err, "mdadm: stat failed for %s: %s\n", dev, mdtext.Errno(err))
	case st.Mode&unix.S_IFMT != unix.S_IFBLK:
		fmt.Fprintf(std.Err, "mdadm: %s is not a block device.\n", dev)
	default:
		return sysblock.Num{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)}, 0
	}
	return num, 2
}

// waitClean is --wait-clean of one array. If the kernel keeps the array's metadata,
// the kernel itself makes sure that the array is marked clean.
func (c *Command) waitClean(std ui.IO, device string) int {
	if _, code := blockNumber(std, device); code != 0 {
		return code
	}
	f, err := os.Open(device)
	if err != nil {
		if c.Verbose != 0 {
			fmt.Fprintf(std.Err, "mdadm: Couldn't open %s: %s\n", device, errText(err))
		}
		return 1
	}
	f.Close()
	name, code := blockName(std, device)
	if code != 0 {
		return code
	}
	a, err := sysmd.Open(sysfs.Host, name)
	if err == nil {
		var m sysmd.Metadata
		if m, err = a.Metadata(); err == nil {
			if _, _, _, member := m.Subarray(); member {
				return c.notBuilt(std, "--wait-clean of arrays in containers")
			}
			return 0
		}
	}
	if c.Verbose != 0 {
		fmt.Fprintf(std.Err, "mdadm: Failed to read sysfs attributes for %s\n", device)
	}
	return 0
}

// waitCleanScan is --wait-clean --scan.
func (c *Command) waitCleanScan(std ui.IO) int {
	names, err := report.NewReports().Arrays()
	if err != nil {
		return leave(fmt.Errorf("cannot list arrays: %w", err), std)
	}
	code := 0
	for _, n := range names {
		if n.Path == "" {
			fmt.Fprintf(std.Err, "mdadm: cannot find device file for %s\n", n.Name)
			continue
		}
		code |= c.waitClean(std, n.Path)
	}
	return code
}

// setAction is --action of one array.
func (c *Command) setAction(ctx context.Context, std ui.IO, device string) int {
	t := c.messages(std)
	pl, err := live.PlanAction(sysfs.Host, device, c.Action, t.report)
	var steps []plan.StepInfo
	if err == nil {
		steps = pl.Describe()
		_, err = (&plan.Runner{DryRun: c.DryRun}).Run(ctx, pl)
	}
	code := 0
	if t.failed(err); err != nil {
		code = 1
	}
	return c.finishPlan(t, "action", code, planDoc{Device: device, Name: filepath.Base(device)}, steps)
}

// subarray is --kill-subarray and --update-subarray. Only containers of
// external metadata have subarrays, and mdkit does not write those.
func (c *Command) subarray(std ui.IO, d Device) int {
	if d.Op == UpdateSubarray && c.Update == "" {
		return leave(failure("-U/--update must be specified with --update-subarray"), std)
	}
	say := func(format string, args ...any) int {
		if c.Verbose >= 0 {
			fmt.Fprintf(std.Err, "mdadm: "+format+"\n", args...)
		}
		return 2
	}
	f, err := os.OpenFile(d.Name, os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		say("Couldn't open %s, aborting", d.Name)
		if c.Verbose >= 0 {
			fmt.Fprintf(std.Err, "       %s\n", errText(errors.Unwrap(err)))
		}
		return 2
	}
	defer f.Close()
	metadata, container, err := live.Container(sysfs.Host, d.Name)
	switch {
	case err != nil:
		return say("Failed to read sysfs for %s", d.Name)
	case !container:
		return say("%s is not a container", d.Name)
	}
	return say("Operation not supported for %s metadata", metadata)
}
