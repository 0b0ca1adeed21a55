// Package mdadm is the drop-in face for mdadm 4.2: its command line, its text
// and its exit codes, over the engine and the managers of this project.
package mdadm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
)

// Main runs one mdadm command line and returns its exit code. args[0] is the
// name the program was called by.
func Main(ctx context.Context, args []string, std ui.IO) int {
	cmd, err := parse(args, std)
	if err != nil {
		return leave(err, std)
	}
	return cmd.run(ctx, std)
}

// leave prints the text of an *exit and returns its code.
func leave(err error, std ui.IO) int {
	var e *exit
	if !errors.As(err, &e) {
		fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		return 1
	}
	_, _ = io.WriteString(std.Out, e.out)
	_, _ = io.WriteString(std.Err, e.err)
	return e.code
}

// run hands the command to its verb; each verb has a file of that name.
func (c *Command) run(ctx context.Context, std ui.IO) int {
	if c.BackupMetadata != "" && !c.overwrites() {
		return leave(usage("--backup-metadata has nothing to save here: it goes with --create, --assemble, --manage, "+
			"--grow, --incremental, --zero-superblock, --restore and --restore-metadata."), std)
	}
	switch c.Mode {
	case Create:
		return c.create(ctx, std)
	case Build:
		return c.build(ctx, std)
	case Grow: // which opens the array first
		return c.grow(ctx, std)
	}
	if err := c.check(); err != nil {
		return leave(err, std)
	}
	switch c.Mode {
	case Assemble:
		return c.assemble(ctx, std)
	case Manage:
		return c.manage(ctx, std)
	case Misc:
		return c.misc(ctx, std)
	case Monitor:
		return c.monitor(ctx, std)
	case AutoDetect:
		return c.autoDetect(ctx, std)
	case Incremental:
		return c.incremental(ctx, std)
	}
	return c.notBuilt(std, "--"+c.Mode.String())
}

// overwrites reports whether the command is one that may overwrite metadata.
func (c *Command) overwrites() bool {
	switch c.Mode {
	case Create, Assemble, Manage, Grow:
		return true
	case Incremental:
		return c.Op != Fail
	case Misc:
		return c.RestoreMetadata != "" || slices.ContainsFunc(c.Devices, func(d Device) bool {
			return d.Op == ZeroSuperblock || d.Op == Restore
		})
	}
	return false
}

// misc runs the actions of misc mode: --examine over all devices at once, the
// others device by device, each with the action in force where it was named.
func (c *Command) misc(ctx context.Context, std ui.IO) int {
	if c.Op == Examine {
		return c.examine(ctx, std)
	}
	if !c.superUser(std) {
		return 1
	}
	if c.Op == DetailPlatform {
		return c.detailPlatform(std)
	}
	if c.RestoreMetadata != "" {
		return c.restoreMetadata(ctx, std)
	}
	if len(c.Devices) == 0 {
		return c.miscScan(ctx, std)
	}
	if report := c.jsonReport(); report != nil {
		var names []string
		for _, d := range c.Devices {
			names = append(names, d.Name)
		}
		return report(std, names...)
	}
	code := 0
	for _, d := range c.Devices {
		if code |= c.miscDevice(ctx, std, d); code&badDirectory != 0 {
			break
		}
	}
	return code
}

// jsonReport is the report that --json asks for: one document for all devices of
// the command line. It is nil without --json, and if the line asks for different
// actions.
func (c *Command) jsonReport() func(std ui.IO, names ...string) int {
	if !c.JSON {
		return nil
	}
	for _, d := range c.Devices {
		if d.Op != c.Op {
			return nil
		}
	}
	switch c.Op {
	case Detail:
		return c.detail
	case Query:
		return c.query
	case ExamineBitmap:
		return c.examineBitmap
	case ExamineBadBlocks:
		return c.examineBadBlocks
	}
	return nil
}

// badDirectory is the bit of the exit code at which --dump and --restore stop
// going through the devices.
const badDirectory = 16

// miscScan runs the actions that may come without a device.
func (c *Command) miscScan(ctx context.Context, std ui.IO) int {
	if c.Scan {
		switch c.Op {
		case Stop:
			return c.stopScan(ctx, std)
		case Detail:
			return c.detailScan(std)
		case WaitClean:
			return c.waitCleanScan(std)
		}
	}
	if c.Op == UdevRules {
		return c.udevRules(ctx, std)
	}
	return leave(usage("No devices given."), std)
}

// miscDevice runs the action of one device.
func (c *Command) miscDevice(ctx context.Context, std ui.IO, d Device) int {
	switch d.Op {
	case Detail:
		return c.detail(std, d.Name)
	case Query:
		return c.query(std, d.Name)
	case ExamineBitmap:
		return c.examineBitmap(std, d.Name)
	case ExamineBadBlocks:
		return c.examineBadBlocks(std, d.Name)
	case ZeroSuperblock:
		return c.zeroSuperblock(ctx, std, d)
	case Run:
		return c.start(ctx, std, d.Name)
	case Stop:
		return c.stop(ctx, std, d.Name)
	case ReadOnly:
		return c.setReadOnly(ctx, std, d.Name, true)
	case ReadWrite:
		return c.setReadOnly(ctx, std, d.Name, false)
	case Wait:
		return c.wait(ctx, std, d.Name)
	case WaitClean:
		return c.waitClean(std, d.Name)
	case KillSubarray, UpdateSubarray:
		return c.subarray(std, d)
	case Dump, Restore:
		return c.copyMetadata(ctx, std, d)
	case SetAction:
		return c.setAction(ctx, std, d.Name)
	}
	// Without an action mdadm opens the array and leaves it at that.
	if _, err := c.openManaged(c.messages(std), d.Name); err != nil {
		return 1
	}
	return 0
}

// preflight is what mdadm checks before it makes an array: if the named device
// exists it must be an md device, the options must make sense, and the user must be
// root. It returns the exit code, 0 to go on.
func (c *Command) preflight(std ui.IO) int {
	name := c.Devices[0].Name
	if node.IsOther(name) {
		return leave(failure("device %s exists but is not an md array.", name), std)
	}
	if err := c.check(); err != nil {
		return leave(err, std)
	}
	if !c.superUser(std) {
		return 1
	}
	return 0
}

// superUser refuses all users except root, as mdadm does for all but --examine.
func (c *Command) superUser(std ui.IO) bool {
	if os.Geteuid() == 0 {
		return true
	}
	fmt.Fprintln(std.Err, "mdadm: must be super-user to perform this action")
	return false
}

// notBuilt refuses, by name, what mdadm can do and this face cannot do yet.
func (c *Command) notBuilt(std ui.IO, what string) int {
	fmt.Fprintf(std.Err, "mdadm: %s is not supported by this build of mdkit\n", what)
	return 1
}
