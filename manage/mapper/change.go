package mapper

import (
	"context"
	"errors"
	"time"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// Change is a planned change to one device.
type Change struct {
	plan.Plan
	m     *Mapper
	flags UdevFlags
	round UdevRound // open from the command that causes a uevent to the wait for it
	info  dm.Info
	notes []error
}

// Info returns the kernel's last description of the device, once the plan has been
// applied.
func (c *Change) Info() dm.Info { return c.info }

// Notes returns problems that did not stop the change, such as a udev that did not
// answer, or a read-ahead that could not be set.
func (c *Change) Notes() []error { return c.notes }

func (m *Mapper) change(flags UdevFlags) *Change { return &Change{m: m, flags: flags} }

func (c *Change) add(info plan.StepInfo, do func(context.Context) error, undo func() error) {
	var back func(context.Context) error
	if undo != nil {
		back = func(context.Context) error { return undo() }
	}
	c.Steps = append(c.Steps, plan.NewStep(info, do, back))
}

// ioctl adds a step that sends a command about dev.
func (c *Change) ioctl(dev dm.Device, cmd dm.Command, value string, do func(context.Context) error, undo func() error) {
	c.add(
		plan.StepInfo{Kind: plan.KindIoctl, Target: dev.String(), What: cmd.String(), Value: value},
		func(ctx context.Context) error { return c.m.Explained(dev, func() error { return do(ctx) }) }, undo,
	)
}

// announced runs a command that causes a uevent, and opens the round in which that is
// waited for. If the command fails, the round is closed.
func (c *Change) announced(command func(cookie uint32) (dm.Info, error)) error {
	round, err := c.m.Udev.Begin()
	if err != nil {
		return err
	}
	info, err := announce(round, c.flags, command)
	if err != nil {
		return errors.Join(err, round.Close())
	}
	c.info, c.round = info, round
	return nil
}

// closeRound closes a round that will not be waited for.
func (c *Change) closeRound() error {
	if c.round == nil {
		return nil
	}
	return c.round.Close()
}

// announce keeps the count of the round right: if a command fails, or causes no uevent,
// there is nothing to wait for.
func announce(round UdevRound, flags UdevFlags, command func(cookie uint32) (dm.Info, error)) (dm.Info, error) {
	cookie, err := round.Announce(flags)
	if err != nil {
		return dm.Info{}, err
	}
	info, err := command(cookie)
	if err != nil {
		return info, errors.Join(err, round.Retract())
	}
	if !info.UeventGenerated() {
		return info, round.Retract()
	}
	return info, nil
}

// waitForUdev adds the wait for udev. If udev does not answer, that is noted but does
// not stop the change: the nodes are then made here.
func (c *Change) waitForUdev(name string) {
	c.add(
		plan.StepInfo{Kind: plan.KindUdev, Target: name, What: "wait for udev"},
		func(ctx context.Context) error {
			err := c.round.Wait(ctx)
			if errors.Is(err, ErrUdevTimeout) {
				c.notes = append(c.notes, err)
				return nil
			}
			return err
		}, nil,
	)
}

// node adds a step about a node, unless only udev makes nodes.
func (c *Change) node(name, what string, do, undo func() error) {
	if c.flags&UdevNoFallback != 0 {
		return
	}
	c.add(
		plan.StepInfo{Kind: plan.KindMknod, Target: c.m.Nodes.Path(name), What: what},
		func(context.Context) error { return do() }, undo,
	)
}

// addNode adds the step that makes the device's node if it is missing.
func (c *Change) addNode(name string, o Owner) {
	made := false
	c.node(name, "device node", func() (err error) {
		made, err = c.m.Nodes.Add(name, c.info.Number, o)
		return err
	}, func() error {
		if !made {
			return nil
		}
		_, err := c.m.Nodes.Remove(name)
		return err
	})
}

// readAhead adds the step that sets the read-ahead. If it fails, that does not stop the
// change.
func (c *Change) readAhead(name string, r ReadAhead) {
	if !r.Set {
		return
	}
	c.add(
		plan.StepInfo{Kind: plan.KindSysfs, Target: name, What: "read ahead", Value: r.String()},
		func(context.Context) error {
			if err := SetReadAhead(c.m.FS, c.info.Number, r); err != nil {
				c.notes = append(c.notes, err)
			}
			return nil
		}, nil,
	)
}

// undoWait limits how long undoing a change waits for udev: the user has given up, or
// has waited long enough.
const undoWait = 3 * time.Second

// removeNow removes a device while a change is being undone.
func (c *Change) removeNow(dev dm.Device, name string) error {
	return c.m.TakeBack(dev, name, c.flags)
}

// TakeBack removes a device that was made in vain, and its node. It waits for udev no
// longer than undoing a change does. name is its name in the kernel.
func (m *Mapper) TakeBack(dev dm.Device, name string, flags UdevFlags) error {
	quick := *m
	if udev, ok := m.Udev.(Semaphores); ok && (udev.Deadline <= 0 || udev.Deadline > undoWait) {
		udev.Deadline = undoWait
		quick.Udev = udev
	}
	gone := quick.change(flags)
	gone.remove(dev, name, RemoveRequest{Retry: true})
	return gone.Apply(context.Background(), nil)
}
