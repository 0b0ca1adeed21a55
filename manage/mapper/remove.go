package mapper

import (
	"context"
	"errors"
	"time"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// RemoveRequest says how to remove a device.
type RemoveRequest struct {
	Force     bool // wipe its table first, so that I/O stuck in it ends
	Retry     bool // retry for five seconds while it is busy: udev examines new devices
	Deferred  bool // if it is busy, remove it when its last user closes it
	UdevFlags UdevFlags
}

// How long Retry retries, as in libdevmapper (DM_IOCTL_RETRIES and
// DM_RETRY_USLEEP_DELAY).
const (
	removeTries = 25
	removePause = 200 * time.Millisecond
)

// PlanRemove plans to remove a device and its node. name is its name in the kernel.
func (m *Mapper) PlanRemove(dev dm.Device, name string, req RemoveRequest) *Change {
	c := m.change(req.UdevFlags)
	if req.Force {
		c.wipeIfPossible(dev, name)
	}
	c.remove(dev, name, req)
	return c
}

// wipeIfPossible adds a step that wipes the table; if it fails, that does not stop the
// change.
func (c *Change) wipeIfPossible(dev dm.Device, name string) {
	c.add(
		plan.StepInfo{Kind: plan.KindIoctl, Target: name, What: "wipe table"},
		func(ctx context.Context) error {
			wipe, err := c.m.PlanWipe(dev, dm.SuspendOptions{NoFlush: true, SkipLockFS: true}, c.flags)
			if err == nil {
				err = wipe.Apply(ctx, nil)
			}
			if err != nil && !errors.Is(err, dm.ErrNoTable) {
				c.notes = append(c.notes, err)
			}
			return nil
		}, nil,
	)
}

func (c *Change) remove(dev dm.Device, name string, req RemoveRequest) {
	value := ""
	if req.Deferred {
		value = "deferred"
	}
	c.add(
		plan.StepInfo{Kind: plan.KindIoctl, Target: dev.String(), What: dm.CmdDevRemove.String(), Value: value},
		func(ctx context.Context) error {
			return c.m.Explained(dev, func() error { return c.tryRemove(ctx, dev, req) })
		},
		func() error { return errors.Join(c.closeRound(), plan.ErrNoUndo) },
	)
	c.waitForUdev(name)
	c.node(name, "remove device node", func() error {
		if c.info.DeferredRemove() {
			return nil // the device still exists
		}
		_, err := c.m.Nodes.Remove(name)
		return err
	}, nil)
}

func (c *Change) tryRemove(ctx context.Context, dev dm.Device, req RemoveRequest) error {
	for try := 1; ; try++ {
		err := c.announced(func(cookie uint32) (dm.Info, error) {
			return c.m.Over(ctx, dev).Remove(dev, dm.RemoveOptions{Deferred: req.Deferred, Cookie: cookie})
		})
		if !req.Retry || try == removeTries || !errors.Is(err, dm.ErrBusy) {
			return err
		}
		t := time.NewTimer(removePause)
		select {
		case <-ctx.Done():
			t.Stop()
			return errors.Join(err, ctx.Err())
		case <-t.C:
		}
	}
}

// PlanRemoveAll plans to remove all devices that are not in use. If deferred is set, the
// others are removed when their last user closes them. The nodes stay; see
// [Mapper.PlanNodes].
func (m *Mapper) PlanRemoveAll(deferred bool) *Change {
	c := m.change(0)
	c.add(
		plan.StepInfo{Kind: plan.KindIoctl, Target: "all devices", What: dm.CmdRemoveAll.String()},
		func(ctx context.Context) error {
			return m.Explained(dm.Device{}, func() error { return m.overAll(ctx).RemoveAll(dm.RemoveOptions{Deferred: deferred}) })
		},
		func() error { return plan.ErrNoUndo },
	)
	return c
}

// PlanRename plans to rename a device and its node.
func (m *Mapper) PlanRename(name, newName string, flags UdevFlags) (*Change, error) {
	if err := CheckNew(newName); err != nil {
		return nil, err
	}
	c := m.change(flags)
	c.ioctl(dm.ByName(name), dm.CmdDevRename, newName, func(context.Context) error {
		return c.announced(func(cookie uint32) (dm.Info, error) {
			return m.Control.Rename(name, newName, dm.RenameOptions{Cookie: cookie})
		})
	}, func() error {
		back, err := m.PlanRename(newName, name, flags)
		if err == nil {
			err = back.Apply(context.Background(), nil)
		}
		return errors.Join(c.closeRound(), err)
	})
	c.waitForUdev(newName)
	c.node(newName, "rename device node from "+name, func() error { return m.Nodes.Rename(name, newName) }, nil)
	return c, nil
}

// PlanSetUUID plans to give a UUID to a device without one. It cannot be changed
// afterwards.
func (m *Mapper) PlanSetUUID(name, uuid string, flags UdevFlags) *Change {
	c := m.change(flags)
	c.ioctl(dm.ByName(name), dm.CmdDevRename, "uuid "+uuid, func(context.Context) error {
		return c.announced(func(cookie uint32) (dm.Info, error) {
			return m.Control.SetUUID(name, uuid, dm.RenameOptions{Cookie: cookie})
		})
	}, func() error { return errors.Join(c.closeRound(), plan.ErrNoUndo) })
	c.waitForUdev(name)
	return c
}
