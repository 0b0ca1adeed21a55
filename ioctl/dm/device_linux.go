package dm

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Versions of the interface that introduced a flag (dm-ioctl.h, and the checks
// in libdm/ioctl/libdm-iface.c).
const (
	sinceQueryInactive  = 16
	sinceSetUUID        = 19
	sinceSecureData     = 20
	sinceDeferredRemove = 27
	sinceListEvents     = 37
	sinceListUUIDs      = 45
	sinceIMA            = 45
)

// Create creates a device (DM_DEV_CREATE). It has no table yet, and is not
// usable as a block device until a table is loaded and resumed.
//
// It fails with [ErrExist] if the name, the UUID or the minor number is taken,
// and with [ErrInvalid] for a name of more than [MaxName] bytes or with a "/".
func (c *Control) Create(name string, o CreateOptions) (Info, error) {
	if err := checkNew(name, o.UUID); err != nil {
		return Info{}, fmt.Errorf("%v: %w", CmdDevCreate, err)
	}
	r := request{cmd: CmdDevCreate, newName: name, newUUID: o.UUID}
	if o.Persistent {
		r.flags |= FlagPersistentDev
		r.dev.num = o.Number
	}
	rep, err := c.call(r)
	var e *Error
	if errors.As(err, &e) && e.Errno == unix.ENXIO && o.Persistent {
		e.Class = errMinorTaken // dm.c alloc_dev loses the EBUSY for a number that is taken
	}
	if err != nil {
		return Info{}, err
	}
	return rep.info, nil
}

// CreateOptions are the options of [Control.Create].
type CreateOptions struct {
	UUID       string // any text of at most MaxUUID bytes; empty for none
	Persistent bool   // take the minor of Number instead of the next free one
	Number     Number // only with Persistent; the kernel uses only the minor
}

func checkNew(name, uuid string) error {
	if name == "" {
		return fmt.Errorf("no name given: %w", ErrInvalid)
	}
	if err := checkText("name", name, MaxName); err != nil {
		return err
	}
	return checkText("UUID", uuid, MaxUUID)
}

// Remove removes a device (DM_DEV_REMOVE). It fails with [ErrBusy] while the
// device is open, unless removal is to be deferred; Info.DeferredRemove says
// whether it has been.
func (c *Control) Remove(dev Device, o RemoveOptions) (Info, error) {
	r := request{cmd: CmdDevRemove, dev: dev, eventNr: o.Cookie}
	if o.Deferred {
		if err := c.need(CmdDevRemove, "deferred removal", sinceDeferredRemove); err != nil {
			return Info{}, err
		}
		r.flags |= FlagDeferredRemove
	}
	return c.tell(r)
}

// RemoveOptions are the options of [Control.Remove] and [Control.RemoveAll].
type RemoveOptions struct {
	Deferred bool   // remove a device that is in use when its last opener closes it (Linux 3.13)
	Cookie   uint32 // sent with the uevent as DM_COOKIE; RemoveAll has none
}

// RemoveAll removes every device that is not in use (DM_REMOVE_ALL), in
// whatever order works. It is no error if some are in use.
func (c *Control) RemoveAll(o RemoveOptions) error {
	r := request{cmd: CmdRemoveAll}
	if o.Deferred {
		if err := c.need(CmdRemoveAll, "deferred removal", sinceDeferredRemove); err != nil {
			return err
		}
		r.flags |= FlagDeferredRemove
	}
	_, err := c.call(r)
	return err
}

// Rename gives a device another name (DM_DEV_RENAME). For this command the
// kernel finds devices by their name only. It fails with [ErrExist] if the new
// name is taken.
func (c *Control) Rename(name, newName string, o RenameOptions) (Info, error) {
	info, err := c.rename(name, "name", newName, MaxName, 0, o)
	if err == nil {
		info.Name = newName // the kernel still returns the old one
	}
	return info, err
}

// RenameOptions are the options of [Control.Rename].
type RenameOptions struct {
	Cookie uint32 // sent with the uevent as DM_COOKIE
}

// SetUUID gives a UUID to a device that has none (DM_DEV_RENAME with the flag
// UUID). It fails with [ErrInvalid] if the device has one, and with [ErrExist]
// if another device has this one.
func (c *Control) SetUUID(name, uuid string, o RenameOptions) (Info, error) {
	if err := c.need(CmdDevRename, "setting a UUID", sinceSetUUID); err != nil {
		return Info{}, err
	}
	info, err := c.rename(name, "UUID", uuid, MaxUUID, FlagUUID, o)
	if err == nil {
		info.UUID = uuid
	}
	return info, err
}

func (c *Control) rename(name, what, text string, most int, flags Flags, o RenameOptions) (Info, error) {
	if text == "" {
		return Info{}, fmt.Errorf("%v %s: no new %s given: %w", CmdDevRename, name, what, ErrInvalid)
	}
	if err := checkText(what, text, most); err != nil {
		return Info{}, fmt.Errorf("%v %s: %w", CmdDevRename, name, err)
	}
	return c.tell(request{
		cmd: CmdDevRename, dev: ByName(name), flags: flags, eventNr: o.Cookie,
		payload: append([]byte(text), 0),
	})
}

// Suspend makes new I/O to a device wait, and returns when the I/O in flight has
// ended (DM_DEV_SUSPEND with the flag SUSPEND). Suspending a suspended device
// does nothing.
func (c *Control) Suspend(dev Device, o SuspendOptions) (Info, error) {
	return c.tell(request{cmd: CmdDevSuspend, dev: dev, flags: FlagSuspend | o.flags()})
}

// SuspendOptions are the options of [Control.Suspend], and of [Control.Resume],
// which suspends first if there is a table to swap in.
type SuspendOptions struct {
	NoFlush    bool // let targets queue the I/O in flight instead of waiting for it
	SkipLockFS bool // do not freeze the filesystem on the device
}

func (o SuspendOptions) flags() (f Flags) {
	if o.NoFlush {
		f |= FlagNoFlush
	}
	if o.SkipLockFS {
		f |= FlagSkipLockFS
	}
	return f
}

// Resume makes the table in the inactive slot the live one, if there is one,
// and lets I/O continue (DM_DEV_SUSPEND without the flag SUSPEND).
func (c *Control) Resume(dev Device, o ResumeOptions) (Info, error) {
	return c.tell(request{cmd: CmdDevSuspend, dev: dev, flags: o.flags(), eventNr: o.Cookie})
}

// ResumeOptions are the options of [Control.Resume].
type ResumeOptions struct {
	SuspendOptions
	Cookie uint32 // sent with the uevent as DM_COOKIE
}

// Status describes a device (DM_DEV_STATUS). It fails with [ErrNotExist] if
// there is no such device.
func (c *Control) Status(dev Device, o StatusOptions) (Info, error) {
	flags, err := c.queryFlags(CmdDevStatus, o.Inactive)
	if err != nil {
		return Info{}, err
	}
	if o.NoOpenCount {
		flags |= FlagSkipBDGet
	}
	return c.tell(request{cmd: CmdDevStatus, dev: dev, flags: flags})
}

// StatusOptions are the options of [Control.Status].
type StatusOptions struct {
	Inactive    bool // count the targets of the inactive table (Linux 2.6.32)
	NoOpenCount bool // kernels before 2.6.28 need not count the openers; later ones always do
}

func (c *Control) queryFlags(cmd Command, inactive bool) (Flags, error) {
	if !inactive {
		return 0, nil
	}
	return FlagQueryInactive, c.need(cmd, "a look at the inactive table", sinceQueryInactive)
}

// SetGeometry sets the cylinders, heads and sectors that the device reports
// (DM_DEV_SET_GEOMETRY). It needs a live table.
func (c *Control) SetGeometry(dev Device, g Geometry) error {
	text := fmt.Sprintf("%d %d %d %d", g.Cylinders, g.Heads, g.Sectors, g.Start)
	_, err := c.ask(request{cmd: CmdDevSetGeometry, dev: dev, payload: append([]byte(text), 0)})
	return err
}

// List lists the devices, by name (DM_LIST_DEVICES).
func (c *Control) List(o ListOptions) ([]Entry, error) {
	if err := checkText("name prefix", o.NamePrefix, MaxName); err != nil {
		return nil, fmt.Errorf("%v: %w", CmdListDevices, err)
	}
	if err := checkText("UUID prefix", o.UUIDPrefix, MaxUUID); err != nil {
		return nil, fmt.Errorf("%v: %w", CmdListDevices, err)
	}
	if o.NamePrefix != "" || o.UUIDPrefix != "" {
		if err := c.need(CmdListDevices, "a prefix", sinceListUUIDs); err != nil {
			return nil, err
		}
	}
	rep, err := c.call(request{
		cmd: CmdListDevices, newName: o.NamePrefix, newUUID: o.UUIDPrefix,
		flags: FlagUUID, room: firstRoom,
	})
	if err != nil {
		return nil, err
	}
	minor := rep.version.Minor
	return parseNames(rep.data, minor >= sinceListEvents, minor >= sinceListUUIDs)
}

// ListOptions are the options of [Control.List].
type ListOptions struct {
	NamePrefix string // only devices whose name starts with this (Linux 5.13)
	UUIDPrefix string // only devices whose UUID starts with this (Linux 5.13)
}
