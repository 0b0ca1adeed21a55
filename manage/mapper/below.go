package mapper

import (
	"context"
	"slices"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// SuspendedUse is a device and a suspended device that it uses. If both were suspended,
// I/O could get stuck between them.
type SuspendedUse struct {
	User      dm.Number // the zero value is the device for which the search was made
	Suspended dm.Number
}

// SuspendedBelow searches the devices that a device is built on for suspended ones, and
// goes no deeper at those. uses are the devices that it uses directly. ask is called for
// devices with that major number, which is the one of mapped devices. If there is an
// error, what was found before is returned with it.
func SuspendedBelow(uses []dm.Number, major uint32, ask Asker) (found []SuspendedUse, err error) {
	var search func(user dm.Number, uses []dm.Number) error
	search = func(user dm.Number, uses []dm.Number) error {
		for _, n := range uses {
			if n.Major != major {
				continue
			}
			info, below, err := ask(n)
			if err != nil {
				return err
			}
			if info.Suspended() {
				found = append(found, SuspendedUse{User: user, Suspended: n})
				continue
			}
			if err := search(n, below); err != nil {
				return err
			}
		}
		return nil
	}
	err = search(dm.Number{}, uses)
	return found, err
}

// Over returns the Control for a command about a device that may wait for its I/O: if a
// device below is suspended, it waits no longer than Patience, and ends with ctx; the error
// matches [dm.ErrStuck].
func (m *Mapper) Over(ctx context.Context, dev dm.Device) *dm.Control {
	return m.patient(ctx, m.uses(dev))
}

// overAll is Over for a command about all devices.
func (m *Mapper) overAll(ctx context.Context) *dm.Control {
	if m.Patience <= 0 || len(m.suspended()) == 0 {
		return m.Control
	}
	return m.Control.Bounded(ctx, m.Patience)
}

// suspended returns the devices that are suspended.
func (m *Mapper) suspended() []dm.Info {
	list, err := m.Control.List(dm.ListOptions{})
	if err != nil {
		return nil // the command itself says why
	}
	var found []dm.Info
	for _, e := range list {
		info, err := m.Control.Status(dm.ByNumber(e.Number.Major, e.Number.Minor), dm.StatusOptions{NoOpenCount: true})
		if err == nil && info.Suspended() {
			found = append(found, info)
		}
	}
	return found
}

// overTable is Over for a table that is not loaded yet: targets read their metadata.
func (m *Mapper) overTable(ctx context.Context, t table.Table) *dm.Control {
	if m.Patience <= 0 {
		return m.Control
	}
	var uses []dm.Number
	for _, l := range t {
		args, err := table.ParseArgs(l.Type, l.Params)
		if err != nil {
			continue // the kernel says what is wrong
		}
		for _, ref := range args.Devices() {
			if n, err := number(string(ref)); err == nil {
				uses = append(uses, dm.Number{Major: n.Major, Minor: n.Minor})
			}
		}
	}
	return m.patient(ctx, uses)
}

func (m *Mapper) patient(ctx context.Context, uses []dm.Number) *dm.Control {
	if m.Patience <= 0 || len(m.suspendedUnder(uses)) == 0 {
		return m.Control
	}
	return m.Control.Bounded(ctx, m.Patience)
}

// uses returns what both tables of a device use, as far as the kernel tells.
func (m *Mapper) uses(dev dm.Device) []dm.Number {
	_, live, _ := m.Control.Deps(dev, dm.DepsOptions{})
	_, next, _ := m.Control.Deps(dev, dm.DepsOptions{Inactive: true})
	return slices.Concat(live, next)
}

// suspendedUnder returns the suspended devices among those that a device uses, and those
// below these, each once.
func (m *Mapper) suspendedUnder(uses []dm.Number) []dm.Info {
	major := Major(m.FS)
	if !slices.ContainsFunc(uses, func(n dm.Number) bool { return n.Major == major }) {
		return nil
	}
	var infos []dm.Info
	found, _ := SuspendedBelow(uses, major, func(n dm.Number) (*dm.Info, []dm.Number, error) {
		dev := dm.ByNumber(n.Major, n.Minor)
		info, err := m.Control.Status(dev, dm.StatusOptions{NoOpenCount: true})
		if err != nil {
			return nil, nil, err
		}
		return &info, m.uses(dev), nil
	})
	for _, f := range found {
		info, err := m.Control.Status(dm.ByNumber(f.Suspended.Major, f.Suspended.Minor), dm.StatusOptions{NoOpenCount: true})
		if err == nil && !slices.ContainsFunc(infos, func(i dm.Info) bool { return i.Number == info.Number }) {
			infos = append(infos, info)
		}
	}
	return infos
}
