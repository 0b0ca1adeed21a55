package dmsetup

import (
	"context"
	"errors"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// renames renames devices.
type renames struct {
	*changes
	target string // the form of names for the command mangle: auto, hex or none
}

// rename is the command rename. The kernel finds devices to rename only by name; a
// device given by UUID or number is looked up first.
func (rn *renames) rename(ctx context.Context, c dmtask.Call) error {
	to := c.Args[len(c.Args)-1]
	c.Args = c.Args[:len(c.Args)-1]
	d, err := rn.Device(c)
	if err != nil {
		return err
	}
	return rn.renameTo(ctx, d, to, rn.Line.Has(dmopt.SetUUID))
}

func (rn *renames) renameTo(ctx context.Context, d dmtask.Device, to string, uuid bool) error {
	known, err := rn.newText(to, uuid)
	if err != nil {
		return err
	}
	m, err := rn.manager(true)
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
		change = m.PlanSetUUID(d.Known, known, rn.udevFlags())
	} else if change, err = m.PlanRename(d.Known, known, rn.udevFlags()); err != nil {
		return dmtask.Failed(dmtask.TaskRename, d, err)
	}
	return rn.carryOut(ctx, change, d, oneTask(dmtask.TaskRename), false)
}

// newText checks a new name or UUID and mangles it.
func (rn *renames) newText(text string, uuid bool) (string, error) {
	what, room := "new name", dmtask.NameRoom
	if uuid {
		what, room = "new UUID", dmtask.UUIDRoom
	}
	switch {
	case !uuid && strings.Contains(text, "/"):
		return "", rn.Refuse("Name \"%s\" invalid. It contains \"/\".", text)
	case len(text) >= room:
		return "", rn.Refuse("%s \"%s\" too long", ui.Choose(uuid, "Uuid", "Name"), text)
	case !uuid && text == "":
		return "", rn.Refuse("Non empty new name is required.")
	}
	return rn.MangleAs(what, ui.Choose(uuid, "new device UUID", "new device name"), text, "")
}

// mangle is the command mangle: it renames devices whose names are not in the form of
// the requested mode.
func (rn *renames) mangle(ctx context.Context, c dmtask.Call) error {
	if rn.All(c) {
		return rn.Each(ctx, c, rn.mangle)
	}
	d, err := rn.Device(c)
	if err != nil {
		return err
	}
	i, err := rn.AskInfo(dmtask.TaskStatus, d)
	if err != nil {
		return err
	}
	if i == nil {
		return &dmtask.Printed{Err: errors.Join(dmtask.ErrRefused, dm.ErrNotExist)}
	}
	name := ui.Choose(d.Name != "", d.Name, i.Name)
	wanted, uuid, err := rn.wantedNames(name, i)
	switch {
	case err != nil:
		return err
	case uuid != i.UUID:
		rn.Warn("%s: %s: UUID in incorrect form. ", name, i.UUID)
		return rn.Refuse("Unable to change device UUID. The device must be deactivated first.")
	case wanted == name && rn.Line.Has(dmopt.JSON):
		rn.Show(dmtask.Changed{Device: name, Steps: []plan.StepInfo{}})
		return nil
	case wanted == name:
		rn.Printf("%s: %s: name %salready in correct form\n", name,
			ui.Choose(i.UUID != "", i.UUID, "[no UUID]"), ui.Choose(i.UUID != "", "and UUID ", ""))
		return nil
	}
	if !rn.Line.Has(dmopt.JSON) {
		rn.Printf("%s: renaming to %s\n", name, wanted)
	}
	return rn.renameTo(ctx, d, wanted, false)
}

// wantedNames returns the name and the UUID in the form that they should have.
func (rn *renames) wantedNames(name string, i *dm.Info) (wanted, uuid string, err error) {
	if rn.target == "auto" {
		if strings.Contains(name, `\x5cx`) {
			return "", "", rn.Refuse("The name \"%s\" seems to be mangled more than once. Manual intervention required to rename the device.", name)
		}
		if strings.Contains(i.UUID, `\x5cx`) {
			return "", "", rn.Refuse("The UUID \"%s\" seems to be mangled more than once. Manual intervention required to correct the device UUID.", i.UUID)
		}
	}
	show := rn.ShownMangled
	if rn.target == "none" {
		show = rn.ShownUnmangled
	}
	if wanted, err = show("name", i.Name); err == nil {
		uuid, err = show("UUID", i.UUID)
	}
	return wanted, uuid, err
}

// mangleNothing turns mangling off: the command mangle does it itself.
func (rn *renames) mangleNothing() {
	rn.target = rn.Mangling()
	if !rn.Line.Has(dmopt.MangleName) {
		rn.target = "auto"
	}
	rn.Line.Mangle = "none"
}
