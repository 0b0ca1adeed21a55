package mapper

import (
	"context"
	"fmt"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// CreateRequest asks for a new device.
type CreateRequest struct {
	Name       string      // the name in the kernel
	UUID       string      // empty for none
	Number     *dm.Number  // the requested number; nil for the next free one
	Table      table.Table // nil for a device without a table
	ReadOnly   bool
	Secure     bool              // the table contains a key: wipe what is sent
	Suspend    dm.SuspendOptions // how to suspend the device while the table goes live
	Owner      Owner             // of the node, if udev does not make it
	NodeAtOnce bool              // make the node before the table is loaded: --addnodeoncreate
	ReadAhead  ReadAhead
	UdevFlags  UdevFlags
}

// PlanCreate plans a new device: create it, load its table and make that live, wait for
// udev, and make the node if udev has not. If a step fails, nothing is left of the
// device.
//
// The kernel looks at no more than the minor of the number when it makes the device, but
// a table goes live in the device that has all of it: under a major number other than
// [Major] there is none. A major of 0 is the right one.
func (m *Mapper) PlanCreate(req CreateRequest) (*Change, error) {
	if err := CheckNew(req.Name); err != nil {
		return nil, err
	}
	if len(req.UUID) > dm.MaxUUID {
		return nil, &NameError{What: WhatUUID, Name: req.UUID, Err: ErrLongName}
	}
	c := m.change(req.UdevFlags)
	c.create(req)
	if req.NodeAtOnce {
		c.addNode(req.Name, req.Owner)
	}
	if req.Table == nil {
		return c, nil
	}
	dev := dm.ByName(req.Name)
	c.load(dev, LoadRequest{Table: req.Table, ReadOnly: req.ReadOnly, Secure: req.Secure})
	if req.Number != nil && req.Number.Major != 0 && req.Number.Major != Major(m.FS) {
		dev = dm.ByNumber(req.Number.Major, req.Number.Minor)
	}
	c.resume(dev, req.Name, ResumeRequest{Suspend: req.Suspend, Owner: req.Owner, ReadAhead: req.ReadAhead})
	return c, nil
}

func (c *Change) create(req CreateRequest) {
	o := dm.CreateOptions{UUID: req.UUID}
	value := ""
	if req.Number != nil {
		o.Persistent, o.Number = true, *req.Number
		value = "number " + req.Number.String()
	}
	if req.UUID != "" {
		value = joinWords(value, "uuid "+req.UUID)
	}
	dev := dm.ByName(req.Name)
	c.ioctl(dev, dm.CmdDevCreate, value, func(context.Context) (err error) {
		c.info, err = c.m.Control.Create(req.Name, o)
		return err
	}, func() error { return c.removeNow(dev, req.Name) })
}

func joinWords(a, b string) string {
	return strings.Trim(a+" "+b, " ")
}

// LoadRequest asks to load a table into a device's inactive slot.
type LoadRequest struct {
	Table    table.Table
	ReadOnly bool
	Secure   bool // the table contains a key: wipe what is sent
}

// PlanLoad plans to load a table. Undoing it empties the slot: its previous contents are
// not known.
func (m *Mapper) PlanLoad(dev dm.Device, req LoadRequest) *Change {
	c := m.change(0)
	c.load(dev, req)
	return c
}

func (c *Change) load(dev dm.Device, req LoadRequest) {
	c.ioctl(dev, dm.CmdTableLoad, describeTable(req), func(ctx context.Context) error {
		info, err := c.m.overTable(ctx, req.Table).Load(dev, req.Table, dm.LoadOptions{ReadOnly: req.ReadOnly, Secure: req.Secure})
		if err == nil {
			c.info = info // otherwise the earlier info still has the device's number
		}
		return err
	}, func() error {
		_, err := c.m.Control.Clear(dev)
		return err
	})
}

// describeTable returns the table's lines for people to read, with keys masked.
func describeTable(req LoadRequest) string {
	s := ""
	for i, l := range req.Table {
		if i > 0 {
			s += "\n"
		}
		s += table.Mask(l).String()
	}
	if req.ReadOnly {
		s = "read-only " + s
	}
	return s
}

// ResumeRequest asks to make a device's inactive table live, and to resume I/O.
type ResumeRequest struct {
	Suspend   dm.SuspendOptions // how to suspend the device while the table goes live
	Owner     Owner             // of the node, if udev does not make it
	ReadAhead ReadAhead
	UdevFlags UdevFlags
}

// PlanResume plans to resume a device. name is its name in the kernel.
func (m *Mapper) PlanResume(dev dm.Device, name string, req ResumeRequest) *Change {
	c := m.change(req.UdevFlags)
	c.resume(dev, name, req)
	return c
}

func (c *Change) resume(dev dm.Device, name string, req ResumeRequest) {
	c.ioctl(dev, dm.CmdDevSuspend, joinWords("resume", describeSuspend(req.Suspend)), func(ctx context.Context) error {
		return c.announced(func(cookie uint32) (dm.Info, error) {
			return c.m.Over(ctx, dev).Resume(dev, dm.ResumeOptions{SuspendOptions: req.Suspend, Cookie: cookie})
		})
	}, c.closeRound)
	c.waitForUdev(name)
	c.addNode(name, req.Owner)
	c.readAhead(name, req.ReadAhead)
}

func describeSuspend(o dm.SuspendOptions) string {
	s := ""
	if o.NoFlush {
		s = "noflush"
	}
	if o.SkipLockFS {
		s = joinWords(s, "nolockfs")
	}
	return s
}

// PlanSuspend plans to suspend a device, so that new I/O waits. Undoing it resumes the
// device if it was not suspended before.
func (m *Mapper) PlanSuspend(dev dm.Device, o dm.SuspendOptions) *Change {
	c := m.change(0)
	ran := false
	c.ioctl(dev, dm.CmdDevSuspend, joinWords("suspend", describeSuspend(o)), func(ctx context.Context) error {
		before, err := m.Control.Status(dev, dm.StatusOptions{})
		if err != nil {
			return err
		}
		ran = !before.Suspended()
		c.info, err = m.Over(ctx, dev).Suspend(dev, o)
		return err
	}, func() error {
		if !ran {
			return nil
		}
		return m.PlanResume(dev, c.info.Name, ResumeRequest{Owner: DefaultOwner}).Apply(context.Background(), nil)
	})
	return c
}

// PlanClear plans to empty the inactive slot.
func (m *Mapper) PlanClear(dev dm.Device) *Change {
	c := m.change(0)
	c.ioctl(dev, dm.CmdTableClear, "", func(context.Context) (err error) {
		c.info, err = m.Control.Clear(dev)
		return err
	}, func() error { return plan.ErrNoUndo })
	return c
}

// PlanWipe plans to replace a device's table by one that fails all I/O, so that I/O
// stuck in the old one ends. If the new table cannot go live, the inactive slot is
// emptied again.
func (m *Mapper) PlanWipe(dev dm.Device, o dm.SuspendOptions, flags UdevFlags) (*Change, error) {
	info, lines, err := m.Control.TableStatus(dev, dm.TableStatusOptions{Kind: dm.KindTable, NoFlush: true})
	if err != nil {
		return nil, err
	}
	sectors := table.Table(lines).Sectors()
	if sectors == 0 {
		return nil, fmt.Errorf("%v: wipe its table: %w", dev, dm.ErrNoTable)
	}
	c := m.change(flags)
	c.info = info
	c.load(dev, LoadRequest{Table: table.Table{{Length: sectors, Type: "error"}}})
	c.resume(dev, info.Name, ResumeRequest{Suspend: o, Owner: DefaultOwner})
	return c, nil
}
