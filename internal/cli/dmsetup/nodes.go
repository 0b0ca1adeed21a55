package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// removeAll is the command remove_all. As in the original it has failed only if
// nothing at all has worked.
func (s *session) removeAll(ctx context.Context, c call) error {
	first := s.removeFree(ctx)
	if !s.args.Has(dmopt.Force) || s.args.Has(dmopt.DryRun) {
		return first
	}
	list, err := s.askList()
	if err == nil && len(list) == 0 {
		return nil
	}
	worked := first == nil || err == nil
	worked = s.complain(s.among(ctx, c, list, s.wipe)) == nil || worked
	worked = s.removeFree(ctx) == nil || worked
	left, err := s.askList()
	if err == nil && len(left) == 0 {
		return nil
	}
	s.warn("Unable to remove %d device(s).", len(left))
	if worked {
		return nil
	}
	return errors.Join(first, err)
}

// removeFree removes the devices that nobody uses, and puts the nodes right.
func (s *session) removeFree(ctx context.Context) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	if s.args.Has(dmopt.DryRun) {
		s.showSteps("", plan.StepInfo{Kind: plan.KindIoctl, Target: "all devices", What: dm.CmdRemoveAll.String()})
		return s.allNodes(ctx, m)
	}
	err = m.Control.RemoveAll(dm.RemoveOptions{Deferred: s.args.Has(dmopt.Deferred)})
	err = s.complain(s.failed(taskRemoveAll, device{}, err))
	if s.complain(s.allNodes(ctx, m)) == nil {
		return nil
	}
	return err
}

// mknodes is the command mknodes.
func (s *session) mknodes(ctx context.Context, c call) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	name, ok := c.first()
	if !ok {
		return s.allNodes(ctx, m)
	}
	d, err := s.named(name)
	if err != nil {
		return err
	}
	return s.oneNode(m, d)
}

// allNodes puts the folder of nodes right: those of devices that are gone go,
// and those that are missing come.
func (s *session) allNodes(_ context.Context, m *mapper.Mapper) error {
	names, err := m.Nodes.Names()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		_ = s.complain(err)
	}
	for _, name := range names {
		_ = s.complain(s.oneNode(m, device{name: name, known: name}))
	}
	list, err := m.Control.List(dm.ListOptions{})
	if err != nil {
		return s.failed(taskNames, device{}, err)
	}
	var failed error
	for _, e := range list {
		failed = errors.Join(failed, s.complain(s.oneNode(m, device{name: e.Name, known: e.Name})))
	}
	return failed
}

// oneNode makes the node of a device that there is, and removes that of one
// that there is not.
func (s *session) oneNode(m *mapper.Mapper, d device) error {
	i, err := m.Control.Status(d.selector(), dm.StatusOptions{})
	there := err == nil
	if err != nil && !isMissing(err) {
		return s.failed(taskMknodes, d, err)
	}
	path := m.Nodes.Path(d.known)
	num, err := nodeNumber(path)
	right := err == nil && num == unix.Mkdev(i.Number.Major, i.Number.Minor)
	if there && right || !there && err != nil {
		return nil
	}
	if s.args.Has(dmopt.DryRun) || s.args.Has(dmopt.JSON) {
		step := plan.StepInfo{Kind: plan.KindMknod, Target: path, What: choose(there, "device node", "remove device node")}
		if s.args.Has(dmopt.DryRun) {
			s.showSteps(d.name, step)
			return nil
		}
		s.rows = append(s.rows, changed{Device: d.name, Applied: true, Steps: []plan.StepInfo{step}})
	}
	if there {
		_, err = m.Nodes.Add(d.known, i.Number, mapper.DefaultOwner)
	} else {
		_, err = m.Nodes.Remove(d.known)
	}
	return err
}

// execute is --exec: it runs the command with the path of the device's node
// behind it. How that command ends does not matter.
func (s *session) execute(ctx context.Context, name string) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	d, err := s.named(name)
	if err != nil {
		return err
	}
	if err := s.oneNode(m, d); err != nil {
		return err
	}
	words := strings.Fields(s.args.Text[dmopt.Exec])
	switch {
	case len(words) == 0:
		return &said{errSaid}
	case len(words) >= maxExecWords:
		return s.refuse("Too many args to --exec.")
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], m.Nodes.Path(name))...)
	if err := s.out.Flush(); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.std.In, s.std.Out, s.std.Err
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			s.warn("  %s cannot be run: %s", words[0], choose(errnoOf(err) != 0, errnoOf(err).Error(), "it is not found"))
		}
	}
	return nil
}

// maxExecWords is how many words --exec takes.
const maxExecWords = 256

func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }
