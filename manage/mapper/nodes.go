package mapper

import (
	"errors"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// NodeChange is a node that MakeNodes made or removed.
type NodeChange struct {
	Name string
	Made bool // false if it was removed
}

// MakeNodes puts the folder of nodes right: a node for each device, and none
// that is no device's. It goes on after trouble with one.
func (m *Mapper) MakeNodes(o Owner) ([]NodeChange, error) {
	list, err := m.Control.List(dm.ListOptions{})
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(list))
	for _, e := range list {
		there[e.Name] = true
	}
	var changes []NodeChange
	var failed []error
	names, err := m.Nodes.Names()
	if err != nil {
		failed = append(failed, err)
	}
	for _, name := range names {
		if there[name] {
			continue
		}
		if gone, err := m.Nodes.Remove(name); err != nil {
			failed = append(failed, err)
		} else if gone {
			changes = append(changes, NodeChange{Name: name})
		}
	}
	for _, e := range list {
		if made, err := m.Nodes.Add(e.Name, e.Number, o); err != nil {
			failed = append(failed, err)
		} else if made {
			changes = append(changes, NodeChange{Name: e.Name, Made: true})
		}
	}
	return changes, errors.Join(failed...)
}

// MakeNode is MakeNodes for the device of one name.
func (m *Mapper) MakeNode(name string, o Owner) error {
	info, err := m.Control.Status(dm.ByName(name), dm.StatusOptions{NoOpenCount: true})
	if errors.Is(err, dm.ErrNotExist) {
		_, err = m.Nodes.Remove(name)
		return err
	}
	if err != nil {
		return err
	}
	_, err = m.Nodes.Add(name, info.Number, o)
	return err
}
