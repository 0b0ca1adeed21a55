package mapper

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// NodePlan plans to correct the node of one name; it is empty if the node is right.
type NodePlan struct {
	plan.Plan
	Name string
	Make bool // false if it is to be removed
}

// PlanNode plans that the device with that name has its node, or that the node is
// removed if there is no such device.
func (m *Mapper) PlanNode(name string, o Owner) (*NodePlan, error) {
	info, err := m.Control.Status(dm.ByName(name), dm.StatusOptions{})
	there := err == nil
	if err != nil && !errors.Is(err, dm.ErrNotExist) {
		return nil, err
	}
	p := &NodePlan{Name: name, Make: there}
	path := m.Nodes.Path(name)
	num, err := nodeNumber(path)
	right := err == nil && num == unix.Mkdev(info.Number.Major, info.Number.Minor)
	switch {
	case there && !right:
		p.add(plan.StepInfo{Kind: plan.KindMknod, Target: path, What: "device node"}, func() error {
			_, err := m.Nodes.Add(name, info.Number, o)
			return err
		})
	case !there && err == nil:
		p.add(plan.StepInfo{Kind: plan.KindMknod, Target: path, What: "remove device node"}, func() error {
			_, err := m.Nodes.Remove(name)
			return err
		})
	}
	return p, nil
}

func (p *NodePlan) add(info plan.StepInfo, do func() error) {
	p.Steps = append(p.Steps, plan.NewStep(info, func(context.Context) error { return do() }, nil))
}

// PlanNodes plans to correct the folder of nodes: a node for each device, and no others.
// The list does not contain names whose nodes are right. The error is about names that
// could not be examined, each as a [*NodeError]; the list has the other names
// nevertheless.
func (m *Mapper) PlanNodes(o Owner) ([]*NodePlan, error) {
	var failed []error
	names, err := m.Nodes.Names()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		failed = append(failed, err)
	}
	list, err := m.Control.List(dm.ListOptions{})
	if err != nil {
		failed = append(failed, err)
	}
	devices := make(map[string]bool, len(list))
	for _, e := range list {
		devices[e.Name] = true
	}
	done := make(map[string]bool, len(names)+len(list))
	var plans []*NodePlan
	look := func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		p, err := m.PlanNode(name, o)
		switch {
		case err != nil:
			failed = append(failed, &NodeError{Name: name, Stray: !devices[name], Err: err})
		case len(p.Steps) > 0:
			plans = append(plans, p)
		}
	}
	for _, name := range names {
		look(name)
	}
	for _, e := range list {
		look(e.Name)
	}
	return plans, errors.Join(failed...)
}

// NodeError is a name for which it is not known whether its node is right.
type NodeError struct {
	Name  string
	Stray bool // no device has that name
	Err   error
}

// Error returns a single line.
func (e *NodeError) Error() string { return "node of " + e.Name + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *NodeError) Unwrap() error { return e.Err }
