package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// nodes manages the folder of device nodes.
type nodes struct{ *changes }

// removeAll is the command remove_all. As in the original, it fails only if nothing at
// all has worked; under --exit-codes devices that are left are a failure too.
func (n *nodes) removeAll(ctx context.Context, c dmtask.Call) error {
	applied, first := n.removeFree(ctx)
	if !applied {
		return first
	}
	err := first
	if n.Line.Has(dmopt.Force) {
		err = n.removeByForce(ctx, c, first)
	}
	return errors.Join(err, n.tellLeft())
}

// removeByForce wipes the tables of the devices that are left, and tries again.
func (n *nodes) removeByForce(ctx context.Context, c dmtask.Call, first error) error {
	list, err := n.AskList()
	if err == nil && len(list) == 0 {
		return nil
	}
	worked := first == nil || err == nil
	worked = n.Complain(n.Among(ctx, c, list, n.wipe)) == nil || worked
	_, again := n.removeFree(ctx)
	worked = again == nil || worked
	left, err := n.AskList()
	if err == nil && len(left) == 0 {
		return nil
	}
	n.Warn("Unable to remove %d device(s).", len(left))
	if worked {
		return nil
	}
	return errors.Join(first, err)
}

// leftJSON is a device that remove_all has left.
type leftJSON struct {
	Device    string `json:"device"`
	Left      bool   `json:"left"`
	OpenCount int32  `json:"open_count"`
	Suspended bool   `json:"suspended"`
	Deferred  bool   `json:"deferred_remove"`
	Reason    string `json:"reason"`
}

// tellLeft names the devices that are left, each with the reason: below the original's
// line under --force, with --exit-codes, and in the document of --json. It fails only
// with --exit-codes, and not for devices that go when they are closed.
func (n *nodes) tellLeft() error {
	if !n.Line.Has(dmopt.ExitCodes) && !n.Line.Has(dmopt.JSON) && !n.Line.Has(dmopt.Force) {
		return nil
	}
	m, err := n.manager(false)
	if err != nil {
		return err
	}
	list, err := n.AskList()
	if err != nil {
		return err
	}
	var failed error
	for _, e := range list {
		dev := dm.ByNumber(e.Number.Major, e.Number.Minor)
		i, err := m.Control.Status(dev, dm.StatusOptions{})
		if err != nil {
			continue // it has gone meanwhile
		}
		row := leftJSON{Device: e.Name, Left: true, OpenCount: i.OpenCount, Suspended: i.Suspended(), Deferred: i.DeferredRemove(), Reason: whyLeft(&i, m.Holders(dev))}
		if n.Line.Has(dmopt.JSON) {
			n.Show(row)
		} else {
			n.Warn("  %s is left: %s", row.Device, row.Reason)
		}
		if !row.Deferred && n.Line.Has(dmopt.ExitCodes) {
			failed = &dmtask.Printed{Err: fmt.Errorf("%s is left: %w", row.Device, dm.ErrBusy)}
		}
	}
	return failed
}

// whyLeft says why a device has not been removed: the kernel passes over those that are
// open (dm.c, dm_lock_for_deletion).
func whyLeft(i *dm.Info, held string) string {
	var why []string
	switch {
	case held != "":
		why = append(why, held)
	case i.OpenCount > 0:
		why = append(why, fmt.Sprintf("open %d times, by whom is not known", i.OpenCount))
	default:
		why = append(why, "made since, or just closed")
	}
	if i.DeferredRemove() {
		why = append(why, "it is removed when the last user closes it")
	}
	if i.Suspended() {
		why = append(why, fmt.Sprintf("suspended, so that users may hang: dmsetup resume %s", i.Name))
	}
	return strings.Join(why, "; ")
}

// removeFree removes the devices that are not in use, and corrects the nodes.
func (n *nodes) removeFree(ctx context.Context) (applied bool, err error) {
	m, err := n.manager(false)
	if err != nil {
		return true, err
	}
	applied, err = n.Run(ctx, "", &m.PlanRemoveAll(n.Line.Has(dmopt.Deferred)).Plan)
	err = n.Complain(dmtask.Failed(dmtask.TaskRemoveAll, dmtask.Device{}, refusal(err)))
	if n.Complain(n.allNodes(ctx, m)) == nil {
		return applied, nil
	}
	return applied, err
}

// mknodes is the command mknodes.
func (n *nodes) mknodes(ctx context.Context, c dmtask.Call) error {
	m, err := n.manager(false)
	if err != nil {
		return err
	}
	name, ok := c.First()
	if !ok {
		return n.allNodes(ctx, m)
	}
	d, err := n.Named(name)
	if err != nil {
		return err
	}
	return n.oneNode(ctx, m, d)
}

// allNodes corrects the folder of nodes: it removes those of devices that are gone, and
// makes missing ones. As in the original, problems with a name that does not belong to a
// device are not a failure.
func (n *nodes) allNodes(ctx context.Context, m *mapper.Mapper) error {
	plans, err := m.PlanNodes(mapper.DefaultOwner)
	var failed error
	for _, problem := range problems(err) {
		var name *mapper.NodeError
		var refused *dm.Error
		switch {
		case errors.As(problem, &name):
			told := n.Complain(dmtask.Failed(dmtask.TaskMknodes, named(name.Name), name.Err))
			if !name.Stray {
				failed = errors.Join(failed, told)
			}
		case errors.As(problem, &refused):
			failed = errors.Join(failed, n.Complain(dmtask.Failed(dmtask.TaskNames, dmtask.Device{}, problem)))
		default:
			_ = n.Complain(problem)
		}
	}
	for _, p := range plans {
		failed = errors.Join(failed, n.Complain(n.makeNode(ctx, p)))
	}
	return failed
}

// named returns the device with a name as it is in the kernel.
func named(name string) dmtask.Device { return dmtask.Device{Name: name, Known: name} }

// oneNode makes the node of a device that exists, and removes the node of one that does
// not.
func (n *nodes) oneNode(ctx context.Context, m *mapper.Mapper, d dmtask.Device) error {
	p, err := m.PlanNode(d.Known, mapper.DefaultOwner)
	if err != nil {
		return dmtask.Failed(dmtask.TaskMknodes, d, err)
	}
	return n.makeNode(ctx, p)
}

// makeNode corrects a node, or shows how.
func (n *nodes) makeNode(ctx context.Context, p *mapper.NodePlan) error {
	if len(p.Steps) == 0 {
		return nil
	}
	applied, err := n.Run(ctx, p.Name, &p.Plan)
	if applied && n.Line.Has(dmopt.JSON) {
		n.Show(dmtask.Changed{Device: p.Name, Applied: true, Steps: p.Describe()})
	}
	return refusal(err)
}

// refusal returns the error of the step at which a plan failed.
func refusal(err error) error {
	var failed *plan.PlanError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// execute is --exec: it runs the command with the path of the device's node appended.
// The result of the command does not matter.
func (n *nodes) execute(ctx context.Context, name string) error {
	m, err := n.manager(false)
	if err != nil {
		return err
	}
	d, err := n.Named(name)
	if err != nil {
		return err
	}
	if err := n.oneNode(ctx, m, d); err != nil {
		return err
	}
	words := strings.Fields(n.Line.Text[dmopt.Exec])
	switch {
	case len(words) == 0:
		return &dmtask.Printed{Err: dmtask.ErrRefused}
	case len(words) >= maxExecWords:
		return n.Refuse("Too many args to --exec.")
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], m.Nodes.Path(name))...)
	if err := n.Out.Flush(); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = n.Std.In, n.Std.Out, n.Std.Err
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			n.Warn("  %s cannot be run: %s", words[0], ui.Choose(dmtask.Errno(err) != 0, dmtask.Errno(err).Error(), "it is not found"))
		}
	}
	return nil
}

// maxExecWords is the maximum number of words for --exec.
const maxExecWords = 256
