package dmsetup

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// suspend is the command suspend.
func (s *session) suspend(ctx context.Context, c dmtask.Call) error {
	d, m, err := s.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	if s.Line.Has(dmopt.Checks) {
		if err := s.checkBelow(d); err != nil {
			return err
		}
	}
	return s.carryOut(ctx, m.PlanSuspend(d.Selector(), s.suspendOptions()), d, oneTask(dmtask.TaskSuspend), true)
}

// deviceAndManager is the start of commands about one device. sync is for those
// that udev hears of.
func (s *session) deviceAndManager(c dmtask.Call, sync bool) (dmtask.Device, *mapper.Mapper, error) {
	d, err := s.Device(c)
	if err != nil {
		return d, nil, err
	}
	m, err := s.manager(sync)
	return d, m, err
}

// checkBelow says which devices below are suspended already: I/O could be
// caught between the two.
func (s *session) checkBelow(d dmtask.Device) error {
	_, deps, err := s.AskDeps(d, false)
	if err != nil {
		return err
	}
	for _, n := range deps {
		if n.Major != mapper.Major(sysfs.Host) {
			continue
		}
		below := dmtask.Device{Num: n, ByNum: true}
		i, err := s.AskInfo(dmtask.TaskInfo, below)
		switch {
		case err != nil:
			return err
		case i != nil && i.Suspended():
			what := d.Known + d.UUID
			if d.Num.Major > 0 {
				what += "(" + d.Num.String() + ") "
			}
			s.Warn("Internal error: Attempt to suspend device %sthat uses already-suspended device (%v)", what, n)
		default:
			if err := s.checkBelow(below); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume is the command resume.
func (s *session) resume(ctx context.Context, c dmtask.Call) error {
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanResume(d.Selector(), d.Known, mapper.ResumeRequest{
		Suspend: s.suspendOptions(), Owner: mapper.DefaultOwner, ReadAhead: s.readAheadWish(),
		UdevFlags: s.udevFlags(),
	}), d, oneTask(dmtask.TaskResume), true)
}

// clear is the command clear.
func (s *session) clear(ctx context.Context, c dmtask.Call) error {
	d, m, err := s.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanClear(d.Selector()), d, oneTask(dmtask.TaskClear), true)
}

// remove is the command remove.
func (s *session) remove(ctx context.Context, c dmtask.Call) error {
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
func (s *session) wipe(ctx context.Context, c dmtask.Call) error {
	if name, _ := c.First(); name == "" {
		return s.Refuse("No device specified.")
	}
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	o := s.suspendOptions()
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

// load is the commands load and reload.
func (s *session) load(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	if a.Has(dmopt.NoTable) {
		return s.Refuse("--notable only available when creating new device.")
	}
	words := c.Args
	switch {
	case !a.Has(dmopt.UUID) && !a.Has(dmopt.Major):
		if len(words) == 0 {
			return s.Refuse("Please specify device.")
		}
		c.Args, words = words[:1], words[1:]
	case len(words) > 1:
		return s.Refuse("Too many command line arguments.")
	default:
		c.Args = nil
	}
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	table, err := s.readTable(words)
	if err != nil {
		return err
	}
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	req := mapper.LoadRequest{Table: table, ReadOnly: a.Has(dmopt.ReadOnly), Secure: hasKeys(table)}
	return s.loads(ctx, m, m.PlanLoad(d.Selector(), req), d, table, req.ReadOnly, oneTask(dmtask.TaskReload))
}

// rename is the command rename. The kernel finds devices to be renamed by name
// only; one given by UUID or number is looked up first.
func (s *session) rename(ctx context.Context, c dmtask.Call) error {
	to := c.Args[len(c.Args)-1]
	c.Args = c.Args[:len(c.Args)-1]
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	return s.renameTo(ctx, d, to, s.Line.Has(dmopt.SetUUID))
}

func (s *session) renameTo(ctx context.Context, d dmtask.Device, to string, uuid bool) error {
	known, err := s.newText(to, uuid)
	if err != nil {
		return err
	}
	m, err := s.manager(true)
	if err != nil {
		return err
	}
	if d.Known == "" {
		i, err := m.Control.Status(d.Selector(), dm.StatusOptions{})
		if err != nil {
			return dmtask.Failed(dmtask.TaskRename, d, err)
		}
		d.Known = i.Name
	}
	var change *mapper.Change
	if uuid {
		change = m.PlanSetUUID(d.Known, known, s.udevFlags())
	} else if change, err = m.PlanRename(d.Known, known, s.udevFlags()); err != nil {
		return dmtask.Failed(dmtask.TaskRename, d, err)
	}
	return s.carryOut(ctx, change, d, oneTask(dmtask.TaskRename), false)
}

// newText checks a new name or UUID and mangles it.
func (s *session) newText(text string, uuid bool) (string, error) {
	what, room := "new name", dmtask.NameRoom
	if uuid {
		what, room = "new UUID", dmtask.UUIDRoom
	}
	switch {
	case !uuid && strings.Contains(text, "/"):
		return "", s.Refuse("Name \"%s\" invalid. It contains \"/\".", text)
	case len(text) >= room:
		return "", s.Refuse("%s \"%s\" too long", ui.Choose(uuid, "Uuid", "Name"), text)
	case !uuid && text == "":
		return "", s.Refuse("Non empty new name is required.")
	}
	return s.MangleAs(what, ui.Choose(uuid, "new device UUID", "new device name"), text, "")
}

// mangle is the command mangle: it renames devices whose names are not in the
// form that the mode asks for.
func (s *session) mangle(ctx context.Context, c dmtask.Call) error {
	if s.All(c) {
		return s.Each(ctx, c, s.mangle)
	}
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	i, err := s.AskInfo(dmtask.TaskStatus, d)
	if err != nil {
		return err
	}
	if i == nil {
		return &dmtask.Said{Err: errors.Join(dmtask.ErrRefused, dm.ErrNotExist)}
	}
	name := ui.Choose(d.Name != "", d.Name, i.Name)
	wanted, uuid, err := s.wantedNames(name, i)
	switch {
	case err != nil:
		return err
	case uuid != i.UUID:
		s.Warn("%s: %s: UUID in incorrect form. ", name, i.UUID)
		return s.Refuse("Unable to change device UUID. The device must be deactivated first.")
	case wanted == name && s.Line.Has(dmopt.JSON):
		s.Show(dmtask.Changed{Device: name, Steps: []plan.StepInfo{}})
		return nil
	case wanted == name:
		s.Printf("%s: %s: name %salready in correct form\n", name,
			ui.Choose(i.UUID != "", i.UUID, "[no UUID]"), ui.Choose(i.UUID != "", "and UUID ", ""))
		return nil
	}
	if !s.Line.Has(dmopt.JSON) {
		s.Printf("%s: renaming to %s\n", name, wanted)
	}
	return s.renameTo(ctx, d, wanted, false)
}

// wantedNames are the name and the UUID in the form that they should have.
func (s *session) wantedNames(name string, i *dm.Info) (wanted, uuid string, err error) {
	if s.target == "auto" {
		if strings.Contains(name, `\x5cx`) {
			return "", "", s.Refuse("The name \"%s\" seems to be mangled more than once. Manual intervention required to rename the device.", name)
		}
		if strings.Contains(i.UUID, `\x5cx`) {
			return "", "", s.Refuse("The UUID \"%s\" seems to be mangled more than once. Manual intervention required to correct the device UUID.", i.UUID)
		}
	}
	show := s.ShownMangled
	if s.target == "none" {
		show = s.ShownUnmangled
	}
	if wanted, err = show("name", i.Name); err == nil {
		uuid, err = show("UUID", i.UUID)
	}
	return wanted, uuid, err
}

// mangleNothing switches the mangling off: the command mangle does its own.
func (s *session) mangleNothing() {
	s.target = s.Mangling()
	if !s.Line.Has(dmopt.MangleName) {
		s.target = "auto"
	}
	s.Line.Mangle = "none"
}
