package dmtask

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// Driver queries the device mapper, over a connection that is opened when it is first
// needed. If the kernel refuses a request, the error is a [*TaskError].
type Driver struct {
	*Names
	ctl *dm.Control
}

// Close closes the connection.
func (dr *Driver) Close() {
	if dr.ctl != nil {
		dr.ctl.Close()
	}
}

// Control returns the connection, opening it if necessary.
func (dr *Driver) Control() (*dm.Control, error) {
	if dr.ctl != nil {
		return dr.ctl, nil
	}
	ctl, err := dm.OpenIn(dr.Folder())
	if err != nil {
		return nil, dr.Complain(&driverError{path: filepath.Join(dr.Folder(), "control"), err: err})
	}
	dr.ctl = ctl
	return ctl, nil
}

// Failed returns the error for a refused task. Requests that were refused before the
// kernel was asked keep their own words.
func Failed(task string, d Device, err error) error {
	if err == nil {
		return nil
	}
	errno := Errno(err)
	switch {
	case errno == 0 && d.Selector() == (dm.Device{}) && task != TaskCreate && task != TaskTargetVersion:
		errno = unix.ENXIO // no device was given
	case errno == 0 && (errors.Is(err, dm.ErrInvalid) || errors.Is(err, mapper.ErrEmptyName)):
		errno = unix.EINVAL // refused before the kernel was asked
	case errno == 0:
		return err
	}
	return &TaskError{Task: task, Label: d.Label(), Errno: errno, Err: err, More: explained(err)}
}

// needDevice returns the error for a request that names no device.
func needDevice(d Device) error {
	if d.Selector() == (dm.Device{}) {
		return &dm.Error{Errno: unix.ENXIO}
	}
	return nil
}

// AskInfo asks for a device's state; nil without an error means that there is no such
// device.
func (dr *Driver) AskInfo(task string, d Device) (*dm.Info, error) {
	ctl, err := dr.Control()
	if err != nil {
		return nil, err
	}
	info, err := dm.Info{}, needDevice(d)
	if err == nil {
		info, err = ctl.Status(d.Selector(), dm.StatusOptions{
			Inactive: dr.Line.Has(dmopt.Inactive), NoOpenCount: dr.Line.Has(dmopt.NoOpenCount),
		})
	}
	if Errno(err) == unix.ENXIO {
		return nil, nil //nolint:nilnil // as documented
	}
	if err != nil {
		return nil, Failed(task, d, err)
	}
	return &info, dr.UnmangleInfo(&info)
}

// AskList asks for all devices, in the kernel's order, as the original does.
func (dr *Driver) AskList() ([]dm.Entry, error) {
	ctl, err := dr.Control()
	if err != nil {
		return nil, err
	}
	list, err := ctl.List(dm.ListOptions{})
	if err != nil {
		return nil, Failed(TaskNames, Device{}, err)
	}
	var bad error
	for i := range list {
		bad = errors.Join(bad, dr.Unmangle("name", &list[i].Name), dr.Unmangle("UUID", &list[i].UUID))
	}
	return list, bad
}

// AskTargets asks for the table or the status of a device; nil without an error means
// that there is no such device, which is an error except for status.
func (dr *Driver) AskTargets(ctx context.Context, task string, d Device, kind dm.Kind) (*dm.Info, []dm.Target, error) {
	ctl, err := dr.Control()
	if err != nil {
		return nil, nil, err
	}
	var info dm.Info
	var targets []dm.Target
	if err = needDevice(d); err == nil {
		m := &mapper.Mapper{Control: ctl, FS: sysfs.Host, Patience: dr.Line.KernelPatience()}
		err = m.Explained(d.Selector(), func() (err error) {
			info, targets, err = m.Over(ctx, d.Selector()).TableStatus(d.Selector(), dm.TableStatusOptions{
				Kind: kind, NoFlush: dr.Line.Has(dmopt.NoFlush), Inactive: dr.Line.Has(dmopt.Inactive),
			})
			return err
		})
	}
	if task == TaskStatus && Errno(err) == unix.ENXIO {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, Failed(task, d, err)
	}
	return &info, targets, dr.UnmangleInfo(&info)
}

// AskDeps asks which devices a device uses.
func (dr *Driver) AskDeps(d Device, inactive bool) (*dm.Info, []dm.Number, error) {
	ctl, err := dr.Control()
	if err != nil {
		return nil, nil, err
	}
	var info dm.Info
	var deps []dm.Number
	if err = needDevice(d); err == nil {
		info, deps, err = ctl.Deps(d.Selector(), dm.DepsOptions{Inactive: inactive})
	}
	if err != nil {
		return nil, nil, Failed(TaskDeps, d, err)
	}
	return &info, deps, dr.UnmangleInfo(&info)
}
