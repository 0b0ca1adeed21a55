package dmsetup

import (
	"context"
	"errors"
	"fmt"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// changes changes devices, or shows what would be done.
type changes struct {
	*reports
	*cookies
}

// carryOut applies a change, or shows it under --dry-run. tasks says what messages call
// a refused command, and d names the device in them.
func (ch *changes) carryOut(ctx context.Context, c *mapper.Change, d dmtask.Device, tasks tasks, show bool) error {
	_, err := ch.run(ctx, c, d, tasks, show)
	return err
}

// run is carryOut, and also returns whether the change was applied.
func (ch *changes) run(ctx context.Context, c *mapper.Change, d dmtask.Device, tasks tasks, show bool) (applied bool, err error) {
	if ch.synchronises() { // interrupting the wait for udev must not leave a semaphore
		var stop context.CancelFunc
		ctx, stop = ch.Std.Cancellable(ctx)
		defer stop()
	}
	if applied, err = ch.Run(ctx, d.String(), &c.Plan); !applied {
		return false, err
	}
	for _, note := range c.Notes() {
		ch.Warn("WARNING: %v", note)
	}
	if err != nil {
		return true, ch.failedPlan(err, d, tasks, c.Info())
	}
	i := c.Info()
	if err := ch.UnmangleInfo(&i); err != nil {
		return true, err
	}
	if ch.Line.Has(dmopt.JSON) {
		row := dmtask.Changed{Device: d.String(), Applied: true, Steps: c.Describe()}
		if show {
			info := ch.infoJSON(&i)
			row.Info = &info
		}
		ch.Show(row)
		return true, nil
	}
	if !show || !ch.Line.Has(dmopt.Verbose) {
		return true, nil
	}
	return true, ch.showInfo(ctx, &i)
}

// tasks names the commands of a change.
type tasks map[dm.Command]string

// oneTask returns tasks in which every command has the same name.
func oneTask(name string) tasks { return tasks{anyCommand: name} }

// anyCommand stands for all commands that tasks does not list.
const anyCommand = ^dm.Command(0)

// failedPlan returns the error for a plan that was refused: the task, the errno, what
// the kernel logged, and what could not be undone.
func (ch *changes) failedPlan(err error, d dmtask.Device, names tasks, i dm.Info) error {
	var failed *plan.PlanError
	if !errors.As(err, &failed) {
		return dmtask.Failed(names[anyCommand], d, err)
	}
	task := names[anyCommand]
	var refused *dm.Error
	if errors.As(err, &refused) {
		if name, ok := names[refused.Command]; ok {
			task = name
		}
	}
	foreign := d.Creating && d.Num.Major != 0 && d.Num.Major != mapper.Major(sysfs.Host)
	wish := d.Num
	switch {
	case !d.Creating:
	case task == dmtask.TaskReload:
		d.Num, d.UUID = i.Number, ""
	case task == dmtask.TaskResume:
		d.UUID = ""
	case foreign && !ch.Line.Has(dmopt.NoTable): // libdevmapper corrects it to create, but not to resume
		d.Num.Major = mapper.Major(sysfs.Host)
	}
	out := dmtask.Failed(task, d, failed.Err)
	var t *dmtask.TaskError
	if errors.As(out, &t) {
		if foreign && task == dmtask.TaskResume {
			t.More = append(t.More, foreignMajor(wish))
		}
		for _, l := range failed.Left {
			t.More = append(t.More, fmt.Sprintf("not taken back: %v: %v", l.Step, l.Err))
		}
	}
	return out
}

// foreignMajor says why a device cannot have that number.
func foreignMajor(n dm.Number) string {
	return fmt.Sprintf("the device mapper's major number is %d, not %d: leave out --major and --minor, or give --major %[1]d",
		mapper.Major(sysfs.Host), n.Major)
}

// loads applies a change that loads a table. If the kernel refuses that, the reasons
// that mdkit knows come first; under --dry-run they are warnings, because the devices of
// the table may not exist yet.
func (ch *changes) loads(ctx context.Context, m *mapper.Mapper, c *mapper.Change, d dmtask.Device, t grammar.Table, readOnly bool, names tasks) error {
	applied, err := ch.run(ctx, c, d, names, true)
	if !applied {
		if d.Creating && d.Num.Major != 0 && d.Num.Major != mapper.Major(sysfs.Host) {
			ch.Warn("WARNING: %s", foreignMajor(d.Num))
		}
		for _, p := range problems(m.Check(t, readOnly)) {
			ch.Warn("WARNING: %v", p)
		}
	}
	var refused *dmtask.TaskError
	if errors.As(err, &refused) && refused.Task == dmtask.TaskReload {
		var reasons []string
		for _, p := range problems(m.Check(t, readOnly)) {
			reasons = append(reasons, p.Error())
		}
		refused.More = append(reasons, refused.More...)
	}
	return err
}

// manager returns the manager of mapped devices. If sync is false, it does not wait for
// udev.
func (ch *changes) manager(sync bool) (*mapper.Mapper, error) {
	ctl, err := ch.Control()
	if err != nil {
		return nil, err
	}
	m := &mapper.Mapper{Control: ctl, Nodes: mapper.Nodes{Dir: ch.Folder()}, Udev: mapper.NoUdev{}, FS: sysfs.Host, Patience: ch.Line.KernelPatience()}
	if sync && ch.synchronises() {
		if err := ch.checkCookie(); err != nil {
			return nil, err
		}
		m.Udev = mapper.Semaphores{Join: ch.cookie, Deadline: ch.Line.Timeout}
	}
	return m, nil
}

// suspendOptions returns --noflush and --nolockfs.
func suspendOptions(a *dmopt.Line) dm.SuspendOptions {
	return dm.SuspendOptions{NoFlush: a.Has(dmopt.NoFlush), SkipLockFS: a.Has(dmopt.NoLockFS)}
}

// readAheadWish returns --readahead.
func readAheadWish(a *dmopt.Line) mapper.ReadAhead {
	n := a.Number[dmopt.ReadAhead]
	if !a.Has(dmopt.ReadAhead) || n == dmopt.ReadAheadAuto {
		return mapper.ReadAhead{}
	}
	return mapper.ReadAhead{Set: true, Sectors: uint32(n), AtLeast: a.AtLeast}
}

// owner returns the owner and mode for nodes.
func owner(a *dmopt.Line) mapper.Owner {
	o := mapper.DefaultOwner
	if a.Has(dmopt.UID) {
		o.UID = a.Number[dmopt.UID]
	}
	if a.Has(dmopt.GID) {
		o.GID = a.Number[dmopt.GID]
	}
	if a.Has(dmopt.Mode) {
		o.Mode = uint32(a.Number[dmopt.Mode])
	}
	return o
}

// errTimeout matches a deadline that has passed.
var errTimeout = mapper.ErrUdevTimeout
