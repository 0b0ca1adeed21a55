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
func (s *changes) suspend(ctx context.Context, c dmtask.Call) error {
	d, m, err := s.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	if s.Line.Has(dmopt.Checks) {
		if err := s.checkBelow(d); err != nil {
			return err
		}
	}
	return s.carryOut(ctx, m.PlanSuspend(d.Selector(), suspendOptions(s.Line)), d, oneTask(dmtask.TaskSuspend), true)
}

// deviceAndManager is the start of commands about one device. sync is for those
// that udev hears of.
func (s *changes) deviceAndManager(c dmtask.Call, sync bool) (dmtask.Device, *mapper.Mapper, error) {
	d, err := s.Device(c)
	if err != nil {
		return d, nil, err
	}
	m, err := s.manager(sync)
	return d, m, err
}

// checkBelow says which devices below are suspended already: I/O could be
// caught between the two.
func (s *changes) checkBelow(d dmtask.Device) error {
	_, deps, err := s.AskDeps(d, false)
	if err != nil {
		return err
	}
	found, err := mapper.SuspendedBelow(deps, mapper.Major(sysfs.Host), s.asker(nil))
	for _, f := range found {
		user := d
		if f.User != (dm.Number{}) {
			user = dmtask.Device{Num: f.User, ByNum: true}
		}
		what := user.Known + user.UUID
		if user.Num.Major > 0 {
			what += "(" + user.Num.String() + ") "
		}
		s.Warn("Internal error: Attempt to suspend device %sthat uses already-suspended device (%v)", what, f.Suspended)
	}
	return err
}

// resume is the command resume.
func (s *changes) resume(ctx context.Context, c dmtask.Call) error {
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanResume(d.Selector(), d.Known, mapper.ResumeRequest{
		Suspend: suspendOptions(s.Line), Owner: mapper.DefaultOwner, ReadAhead: readAheadWish(s.Line),
		UdevFlags: s.udevFlags(),
	}), d, oneTask(dmtask.TaskResume), true)
}

// clear is the command clear.
func (s *changes) clear(ctx context.Context, c dmtask.Call) error {
	d, m, err := s.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanClear(d.Selector()), d, oneTask(dmtask.TaskClear), true)
}

// remove is the command remove.
func (s *changes) remove(ctx context.Context, c dmtask.Call) error {
	if s.Line.Has(dmopt.Force) && len(c.Args) > 0 {
		if s.cookie != 0 {
			s.Warn("WARNING: Use of cookie and --force is not compatible.")
		}
		_ = s.Complain(s.wipe(ctx, c)) // what it said will do
	}
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanRemove(d.Selector(), d.Known, mapper.RemoveRequest{
		Retry: s.Line.Has(dmopt.Retry), Deferred: s.Line.Has(dmopt.Deferred), UdevFlags: s.udevFlags(),
	}), d, oneTask(dmtask.TaskRemove), false)
}

// wipe is the command wipe_table: from then on I/O to the device fails.
func (s *changes) wipe(ctx context.Context, c dmtask.Call) error {
	if name, _ := c.First(); name == "" {
		return s.Refuse("No device specified.")
	}
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	o := suspendOptions(s.Line)
	if s.Line.Has(dmopt.Force) {
		o = dm.SuspendOptions{NoFlush: true, SkipLockFS: true}
	}
	change, err := m.PlanWipe(d.Selector(), o, s.udevFlags())
	switch {
	case errors.Is(err, dm.ErrNoTable):
		return &dmtask.TaskError{Task: dmtask.TaskReload, Label: d.Label(), Errno: unix.EINVAL, Err: err, More: []string{"it has no table"}}
	case err != nil:
		// The original goes on without a size, and fails again.
		_ = s.Complain(dmtask.Failed(dmtask.TaskTable, d, err))
		return dmtask.Failed(dmtask.TaskReload, d, err)
	}
	return s.carryOut(ctx, change, d, tasks{dm.CmdTableLoad: dmtask.TaskReload, anyCommand: dmtask.TaskResume}, false)
}
