package dmsetup

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// suspend is the command suspend.
func (s *session) suspend(ctx context.Context, c call) error {
	d, m, err := s.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	if s.args.Has(dmopt.Checks) {
		if err := s.checkBelow(d); err != nil {
			return err
		}
	}
	return s.carryOut(ctx, m.PlanSuspend(d.selector(), s.suspendOptions()), d, oneTask(taskSuspend), true)
}

// deviceAndManager is the start of commands about one device. sync is for those
// that udev hears of.
func (s *session) deviceAndManager(c call, sync bool) (device, *mapper.Mapper, error) {
	d, err := s.device(c)
	if err != nil {
		return d, nil, err
	}
	m, err := s.manager(sync)
	return d, m, err
}

// checkBelow says which devices below are suspended already: I/O could be
// caught between the two.
func (s *session) checkBelow(d device) error {
	_, deps, err := s.askDeps(d, false)
	if err != nil {
		return err
	}
	for _, n := range deps {
		if n.Major != mappedMajor() {
			continue
		}
		below := device{num: n, byNum: true}
		i, err := s.askInfo(taskInfo, below)
		switch {
		case err != nil:
			return err
		case i != nil && i.Suspended():
			what := d.known + d.uuid
			if d.num.Major > 0 {
				what += "(" + d.num.String() + ") "
			}
			s.warn("Internal error: Attempt to suspend device %sthat uses already-suspended device (%v)", what, n)
		default:
			if err := s.checkBelow(below); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume is the command resume.
func (s *session) resume(ctx context.Context, c call) error {
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanResume(d.selector(), d.known, mapper.ResumeRequest{
		Suspend: s.suspendOptions(), Owner: mapper.DefaultOwner, ReadAhead: s.readAheadWish(),
		UdevFlags: s.udevFlags(),
	}), d, oneTask(taskResume), true)
}

// clear is the command clear.
func (s *session) clear(ctx context.Context, c call) error {
	d, m, err := s.deviceAndManager(c, false)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanClear(d.selector()), d, oneTask(taskClear), true)
}

// remove is the command remove.
func (s *session) remove(ctx context.Context, c call) error {
	if s.args.Has(dmopt.Force) && len(c.args) > 0 {
		if s.cookie != 0 {
			s.warn("WARNING: Use of cookie and --force is not compatible.")
		}
		_ = s.complain(s.wipe(ctx, c)) // what it said will do
	}
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	return s.carryOut(ctx, m.PlanRemove(d.selector(), d.known, mapper.RemoveRequest{
		Retry: s.args.Has(dmopt.Retry), Deferred: s.args.Has(dmopt.Deferred), UdevFlags: s.udevFlags(),
	}), d, oneTask(taskRemove), false)
}

// wipe is the command wipe_table: from then on I/O to the device fails.
func (s *session) wipe(ctx context.Context, c call) error {
	if name, _ := c.first(); name == "" {
		return s.refuse("No device specified.")
	}
	d, m, err := s.deviceAndManager(c, true)
	if err != nil {
		return err
	}
	o := s.suspendOptions()
	if s.args.Has(dmopt.Force) {
		o = dm.SuspendOptions{NoFlush: true, SkipLockFS: true}
	}
	change, err := m.PlanWipe(d.selector(), o, s.udevFlags())
	switch {
	case errors.Is(err, dm.ErrNoTable):
		return &taskError{task: taskReload, label: d.label(), errno: unix.EINVAL, err: err, more: []string{"it has no table"}}
	case err != nil:
		// The original goes on without a size, and fails again.
		_ = s.complain(s.failed(taskTable, d, err))
		return s.failed(taskReload, d, err)
	}
	return s.carryOut(ctx, change, d, tasks{dm.CmdTableLoad: taskReload, anyCommand: taskResume}, false)
}

// load is the commands load and reload.
func (s *session) load(ctx context.Context, c call) error {
	a := s.args
	if a.Has(dmopt.NoTable) {
		return s.refuse("--notable only available when creating new device.")
	}
	words := c.args
	switch {
	case !a.Has(dmopt.UUID) && !a.Has(dmopt.Major):
		if len(words) == 0 {
			return s.refuse("Please specify device.")
		}
		c.args, words = words[:1], words[1:]
	case len(words) > 1:
		return s.refuse("Too many command line arguments.")
	default:
		c.args = nil
	}
	d, err := s.device(c)
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
	return s.loads(ctx, m, m.PlanLoad(d.selector(), req), d, table, req.ReadOnly, oneTask(taskReload))
}

// rename is the command rename. The kernel finds devices to be renamed by name
// only; one given by UUID or number is looked up first.
func (s *session) rename(ctx context.Context, c call) error {
	to := c.args[len(c.args)-1]
	c.args = c.args[:len(c.args)-1]
	d, err := s.device(c)
	if err != nil {
		return err
	}
	return s.renameTo(ctx, d, to, s.args.Has(dmopt.SetUUID))
}

func (s *session) renameTo(ctx context.Context, d device, to string, uuid bool) error {
	known, err := s.newText(to, uuid)
	if err != nil {
		return err
	}
	m, err := s.manager(true)
	if err != nil {
		return err
	}
	if d.known == "" {
		i, err := m.Control.Status(d.selector(), dm.StatusOptions{})
		if err != nil {
			return s.failed(taskRename, d, err)
		}
		d.known = i.Name
	}
	var change *mapper.Change
	if uuid {
		change = m.PlanSetUUID(d.known, known, s.udevFlags())
	} else if change, err = m.PlanRename(d.known, known, s.udevFlags()); err != nil {
		return s.failed(taskRename, d, err)
	}
	return s.carryOut(ctx, change, d, oneTask(taskRename), false)
}

// newText checks a new name or UUID and mangles it.
func (s *session) newText(text string, uuid bool) (string, error) {
	what, room := "new name", nameRoom
	if uuid {
		what, room = "new UUID", uuidRoom
	}
	switch {
	case !uuid && strings.Contains(text, "/"):
		return "", s.refuse("Name \"%s\" invalid. It contains \"/\".", text)
	case len(text) >= room:
		return "", s.refuse("%s \"%s\" too long", choose(uuid, "Uuid", "Name"), text)
	case !uuid && text == "":
		return "", s.refuse("Non empty new name is required.")
	}
	return s.mangleAs(what, choose(uuid, "new device UUID", "new device name"), text, "")
}

// mangle is the command mangle: it renames devices whose names are not in the
// form that the mode asks for.
func (s *session) mangle(ctx context.Context, c call) error {
	if s.all(c) {
		return s.each(ctx, c, s.mangle)
	}
	d, err := s.device(c)
	if err != nil {
		return err
	}
	i, err := s.askInfo(taskStatus, d)
	if err != nil {
		return err
	}
	if i == nil {
		return &said{errors.Join(errSaid, dm.ErrNotExist)}
	}
	name := choose(d.name != "", d.name, i.Name)
	wanted, uuid, err := s.wantedNames(name, i)
	switch {
	case err != nil:
		return err
	case uuid != i.UUID:
		s.warn("%s: %s: UUID in incorrect form. ", name, i.UUID)
		return s.refuse("Unable to change device UUID. The device must be deactivated first.")
	case wanted == name && s.args.Has(dmopt.JSON):
		s.rows = append(s.rows, changed{Device: name, Steps: []plan.StepInfo{}})
		return nil
	case wanted == name:
		s.printf("%s: %s: name %salready in correct form\n", name,
			choose(i.UUID != "", i.UUID, "[no UUID]"), choose(i.UUID != "", "and UUID ", ""))
		return nil
	}
	if !s.args.Has(dmopt.JSON) {
		s.printf("%s: renaming to %s\n", name, wanted)
	}
	return s.renameTo(ctx, d, wanted, false)
}

// wantedNames are the name and the UUID in the form that they should have.
func (s *session) wantedNames(name string, i *dm.Info) (wanted, uuid string, err error) {
	if s.target == "auto" {
		if strings.Contains(name, `\x5cx`) {
			return "", "", s.refuse("The name \"%s\" seems to be mangled more than once. Manual intervention required to rename the device.", name)
		}
		if strings.Contains(i.UUID, `\x5cx`) {
			return "", "", s.refuse("The UUID \"%s\" seems to be mangled more than once. Manual intervention required to correct the device UUID.", i.UUID)
		}
	}
	show := s.shownMangled
	if s.target == "none" {
		show = s.shownUnmangled
	}
	if wanted, err = show("name", i.Name); err == nil {
		uuid, err = show("UUID", i.UUID)
	}
	return wanted, uuid, err
}
