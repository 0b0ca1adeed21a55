package mapper

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// Dump describes every device that keep picks (all of them if it is nil) and
// that has a live table, so that making them in this order works: a device
// comes after those it stands on.
func (m *Mapper) Dump(keep func(dm.Entry) bool) ([]table.Device, error) {
	list, err := m.Control.List(dm.ListOptions{})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b dm.Entry) int { return cmp.Compare(a.Name, b.Name) })
	var devices []table.Device
	needs := make(map[string][]string) // names by name
	names := make(map[dm.Number]string)
	for _, e := range list {
		names[e.Number] = e.Name
	}
	for _, e := range list {
		if keep != nil && !keep(e) {
			continue
		}
		dev := dm.ByNumber(e.Number.Major, e.Number.Minor)
		info, lines, err := m.Control.TableStatus(dev, dm.TableStatusOptions{Kind: dm.KindTable, NoFlush: true})
		if err != nil {
			return nil, err
		}
		if !info.LiveTable() {
			continue
		}
		_, deps, err := m.Control.Deps(dev, dm.DepsOptions{})
		if err != nil {
			return nil, err
		}
		for _, n := range deps {
			if name, ok := names[n]; ok {
				needs[e.Name] = append(needs[e.Name], name)
			}
		}
		devices = append(devices, table.Device{
			Name: info.Name, UUID: info.UUID, Minor: int(info.Number.Minor),
			ReadOnly: info.ReadOnly(), Table: lines,
		})
	}
	return inOrder(devices, nameOf, needs), nil
}

// Order puts devices that are to be made in an order that works: a device whose
// table names another of them, by its node's path or by its minor number, comes
// after that. Otherwise they stay as they are.
func (m *Mapper) Order(devices []table.Device) []table.Device {
	byMinor, known := make(map[int]string), make(map[string]bool)
	for _, d := range devices {
		known[d.Name] = true
		if d.Minor != table.NoMinor {
			byMinor[d.Minor] = d.Name
		}
	}
	needs := make(map[string][]string)
	for _, d := range devices {
		for _, l := range d.Table {
			for _, word := range strings.Fields(l.Params) {
				name, isNode := strings.CutPrefix(word, m.Nodes.dir()+"/")
				if !isNode {
					name = byMinor[minorOf(word)]
				}
				if name != d.Name && known[name] {
					needs[d.Name] = append(needs[d.Name], name)
				}
			}
		}
	}
	return inOrder(devices, nameOf, needs)
}

// minorOf reads the minor of "major:minor" or "/dev/dm-minor", or gives -2. The
// major of the device mapper is whatever was free, so any will do: an order
// with one dependency too many works as well.
func minorOf(word string) int {
	digits, ok := strings.CutPrefix(word, "/dev/dm-")
	if !ok {
		if _, minor, ok := table.Ref(word).Number(); ok {
			return int(minor)
		}
		return -2
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -2
	}
	return n
}

// RestoreOrder puts devices behind those that they use, so that the list can be
// made again from its beginning. Others stay where they are. A device that cannot
// be asked uses nothing. inactive asks for what the table that is not live uses.
func (m *Mapper) RestoreOrder(list []dm.Entry, inactive bool) []dm.Entry {
	needs := make(map[dm.Number][]dm.Number)
	for _, e := range list {
		_, deps, err := m.Control.Deps(dm.ByNumber(e.Number.Major, e.Number.Minor), dm.DepsOptions{Inactive: inactive})
		if err == nil {
			needs[e.Number] = deps
		}
	}
	return inOrder(list, func(e dm.Entry) dm.Number { return e.Number }, needs)
}

// inOrder sorts a list so that each item comes after those it needs, and keeps
// the order otherwise. A circle, which no kernel makes, is cut somewhere.
func inOrder[T any, K comparable](list []T, key func(T) K, needs map[K][]K) []T {
	byKey := make(map[K]T, len(list))
	for _, item := range list {
		byKey[key(item)] = item
	}
	sorted := make([]T, 0, len(list))
	seen := make(map[K]bool, len(list))
	var visit func(item T)
	visit = func(item T) {
		if seen[key(item)] {
			return
		}
		seen[key(item)] = true
		for _, k := range needs[key(item)] {
			if below, ok := byKey[k]; ok {
				visit(below)
			}
		}
		sorted = append(sorted, item)
	}
	for _, item := range list {
		visit(item)
	}
	return sorted
}

// nameOf is a device's name.
func nameOf(d table.Device) string { return d.Name }

// Restoration is a planned creation of several devices.
type Restoration struct {
	plan.Plan
	Changes []*Change // one for each device, in order
}

// PlanRestore plans the devices of a concise specification, in an order that
// works. If a step fails none of them is left. each fills in what the
// specification does not say; it may be nil.
func (m *Mapper) PlanRestore(devices []table.Device, each func(*CreateRequest)) (*Restoration, error) {
	all := &Restoration{}
	for _, d := range m.Order(devices) {
		req := CreateRequest{
			Name: d.Name, UUID: d.UUID, Table: d.Table, ReadOnly: d.ReadOnly, Owner: DefaultOwner,
		}
		if d.Minor != table.NoMinor {
			req.Number = &dm.Number{Minor: uint32(d.Minor)}
		}
		if each != nil {
			each(&req)
		}
		c, err := m.PlanCreate(req)
		if err != nil {
			return nil, err
		}
		all.Changes = append(all.Changes, c)
		all.Steps = append(all.Steps, c.Steps...)
	}
	return all, nil
}
