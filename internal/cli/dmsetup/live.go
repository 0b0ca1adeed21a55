package dmsetup

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// suspend is the command suspend.
func (ch *changes) suspend(ctx context.Context, c dmtask.Call) error {
	d, m, err := ch.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	if ch.Line.Has(dmopt.Checks) {
		if err := ch.checkBelow(d); err != nil {
			return err
		}
	}
	return ch.carryOut(ctx, m.PlanSuspend(d.Selector(), suspendOptions(ch.Line)), d, oneTask(dmtask.TaskSuspend), true)
}

// deviceAndManager prepares commands about one device. sync is for commands that cause
// uevents.
func (ch *changes) deviceAndManager(c dmtask.Call, sync bool) (dmtask.Device, *mapper.Mapper, error) {
	d, err := ch.Device(c)
	if err != nil {
		return d, nil, err
	}
	m, err := ch.manager(sync)
	return d, m, err
}

// checkBelow reports which devices below are already suspended: I/O could get stuck
// between them.
func (ch *changes) checkBelow(d dmtask.Device) error {
	_, deps, err := ch.AskDeps(d, false)
	if err != nil {
		return err
	}
	found, err := mapper.SuspendedBelow(deps, mapper.Major(sysfs.Host), ch.asker(nil))
	for _, f := range found {
		user := d
		if f.User != (dm.Number{}) {
			user = dmtask.Device{Num: f.User, ByNum: true}
		}
		what := user.Known + user.UUID
		if user.Num.Major > 0 {
			what += "(" + user.Num.String() + ") "
		}
		ch.Warn("Internal error: Attempt to suspend device %sthat uses already-suspended device (%v)", what, f.Suspended)
	}
	return err
}

// resume is the command resume.
func (ch *changes) resume(ctx context.Context, c dmtask.Call) error {
	d, m, err := ch.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return ch.carryOut(ctx, m.PlanResume(d.Selector(), d.Known, mapper.ResumeRequest{
		Suspend: suspendOptions(ch.Line), Owner: mapper.DefaultOwner, ReadAhead: readAheadWish(ch.Line),
		UdevFlags: ch.udevFlags(),
	}), d, oneTask(dmtask.TaskResume), true)
}

// clear is the command clear.
func (ch *changes) clear(ctx context.Context, c dmtask.Call) error {
	d, m, err := ch.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	return ch.carryOut(ctx, m.PlanClear(d.Selector()), d, oneTask(dmtask.TaskClear), true)
}

// remove is the command remove.
func (ch *changes) remove(ctx context.Context, c dmtask.Call) error {
	if ch.Line.Has(dmopt.Force) && len(c.Args) > 0 {
		if ch.cookie != 0 {
			ch.Warn("WARNING: Use of cookie and --force is not compatible.")
		}
		_ = ch.Complain(ch.wipe(ctx, c)) // its own message is enough
	}
	d, m, err := ch.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return ch.carryOut(ctx, m.PlanRemove(d.Selector(), d.Known, mapper.RemoveRequest{
		Retry: ch.Line.Has(dmopt.Retry), Deferred: ch.Line.Has(dmopt.Deferred), UdevFlags: ch.udevFlags(),
	}), d, oneTask(dmtask.TaskRemove), false)
}

// wipe is the command wipe_table: afterwards all I/O to the device fails.
func (ch *changes) wipe(ctx context.Context, c dmtask.Call) error {
	if name, _ := c.First(); name == "" {
		return ch.Refuse("No device specified.")
	}
	d, m, err := ch.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	o := suspendOptions(ch.Line)
	if ch.Line.Has(dmopt.Force) {
		o = dm.SuspendOptions{NoFlush: true, SkipLockFS: true}
	}
	change, err := m.PlanWipe(d.Selector(), o, ch.udevFlags())
	switch {
	case errors.Is(err, dm.ErrNoTable):
		return &dmtask.TaskError{Task: dmtask.TaskReload, Label: d.Label(), Errno: unix.EINVAL, Err: err, More: []string{"it has no table"}}
	case err != nil:
		// The original continues without a size, and fails again.
		_ = ch.Complain(dmtask.Failed(dmtask.TaskTable, d, err))
		return dmtask.Failed(dmtask.TaskReload, d, err)
	}
	return ch.carryOut(ctx, change, d, tasks{dm.CmdTableLoad: dmtask.TaskReload, anyCommand: dmtask.TaskResume}, false)
}
