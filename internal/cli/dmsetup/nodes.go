package dmsetup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// nodes keeps the folder of device nodes right.
type nodes struct{ *changes }

// removeAll is the command remove_all. As in the original it has failed only if
// nothing at all has worked.
func (s *nodes) removeAll(ctx context.Context, c dmtask.Call) error {
	first := s.removeFree(ctx)
	if !s.Line.Has(dmopt.Force) || s.Line.Has(dmopt.DryRun) {
		return first
	}
	list, err := s.AskList()
	if err == nil && len(list) == 0 {
		return nil
	}
	worked := first == nil || err == nil
	worked = s.Complain(s.Among(ctx, c, list, s.wipe)) == nil || worked
	worked = s.removeFree(ctx) == nil || worked
	left, err := s.AskList()
	if err == nil && len(left) == 0 {
		return nil
	}
	s.Warn("Unable to remove %d dmtask.Device(s).", len(left))
	if worked {
		return nil
	}
	return errors.Join(first, err)
}

// removeFree removes the devices that nobody uses, and puts the nodes right.
func (s *nodes) removeFree(ctx context.Context) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	if s.Line.Has(dmopt.DryRun) {
		s.ShowSteps("", plan.StepInfo{Kind: plan.KindIoctl, Target: "all devices", What: dm.CmdRemoveAll.String()})
		return s.allNodes(ctx, m)
	}
	err = m.Control.RemoveAll(dm.RemoveOptions{Deferred: s.Line.Has(dmopt.Deferred)})
	err = s.Complain(dmtask.Failed(dmtask.TaskRemoveAll, dmtask.Device{}, err))
	if s.Complain(s.allNodes(ctx, m)) == nil {
		return nil
	}
	return err
}

// mknodes is the command mknodes.
func (s *nodes) mknodes(ctx context.Context, c dmtask.Call) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	name, ok := c.First()
	if !ok {
		return s.allNodes(ctx, m)
	}
	d, err := s.Named(name)
	if err != nil {
		return err
	}
	return s.oneNode(m, d)
}

// allNodes puts the folder of nodes right: those of devices that are gone go,
// and those that are missing come.
func (s *nodes) allNodes(_ context.Context, m *mapper.Mapper) error {
	names, err := m.Nodes.Names()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		_ = s.Complain(err)
	}
	for _, name := range names {
		_ = s.Complain(s.oneNode(m, dmtask.Device{Name: name, Known: name}))
	}
	list, err := m.Control.List(dm.ListOptions{})
	if err != nil {
		return dmtask.Failed(dmtask.TaskNames, dmtask.Device{}, err)
	}
	var failed error
	for _, e := range list {
		failed = errors.Join(failed, s.Complain(s.oneNode(m, dmtask.Device{Name: e.Name, Known: e.Name})))
	}
	return failed
}

// oneNode makes the node of a device that there is, and removes that of one
// that there is not.
func (s *nodes) oneNode(m *mapper.Mapper, d dmtask.Device) error {
	i, err := m.Control.Status(d.Selector(), dm.StatusOptions{})
	there := err == nil
	if err != nil && !isMissing(err) {
		return dmtask.Failed(dmtask.TaskMknodes, d, err)
	}
	path := m.Nodes.Path(d.Known)
	num, err := dmtask.NodeNumber(path)
	right := err == nil && num == unix.Mkdev(i.Number.Major, i.Number.Minor)
	if there && right || !there && err != nil {
		return nil
	}
	if s.Line.Has(dmopt.DryRun) || s.Line.Has(dmopt.JSON) {
		step := plan.StepInfo{Kind: plan.KindMknod, Target: path, What: ui.Choose(there, "device node", "remove device node")}
		if s.Line.Has(dmopt.DryRun) {
			s.ShowSteps(d.Name, step)
			return nil
		}
		s.Show(dmtask.Changed{Device: d.Name, Applied: true, Steps: []plan.StepInfo{step}})
	}
	if there {
		_, err = m.Nodes.Add(d.Known, i.Number, mapper.DefaultOwner)
	} else {
		_, err = m.Nodes.Remove(d.Known)
	}
	return err
}

// execute is --exec: it runs the command with the path of the device's node
// behind it. How that command ends does not matter.
func (s *nodes) execute(ctx context.Context, name string) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	d, err := s.Named(name)
	if err != nil {
		return err
	}
	if err := s.oneNode(m, d); err != nil {
		return err
	}
	words := strings.Fields(s.Line.Text[dmopt.Exec])
	switch {
	case len(words) == 0:
		return &dmtask.Said{Err: dmtask.ErrRefused}
	case len(words) >= maxExecWords:
		return s.Refuse("Too many args to --exec.")
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], m.Nodes.Path(name))...)
	if err := s.Out.Flush(); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Std.In, s.Std.Out, s.Std.Err
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			s.Warn("  %s cannot be run: %s", words[0], ui.Choose(dmtask.Errno(err) != 0, dmtask.Errno(err).Error(), "it is not found"))
		}
	}
	return nil
}

// maxExecWords is how many words --exec takes.
const maxExecWords = 256
