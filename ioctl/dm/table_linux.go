package dm

import "fmt"

// Load puts a table in the device's inactive slot, replacing one that is
// already there (DM_TABLE_LOAD). Resume makes it live.
//
// A backslash in the parameters is an ordinary character: Load quotes it for
// the kernel. The lines of a table of package engine/dm can be used.
//
// It fails with [ErrInvalid] if the kernel does not accept the table; the
// reason is only in the kernel's log.
func (c *Control) Load(dev Device, table []Target, o LoadOptions) (Info, error) {
	payload, err := encodeTable(table)
	if err != nil {
		return Info{}, fmt.Errorf("%v %v: %w", CmdTableLoad, dev, err)
	}
	r := request{cmd: CmdTableLoad, dev: dev, targets: uint32(len(table)), payload: payload}
	if o.ReadOnly {
		r.flags |= FlagReadOnly
	}
	if o.Secure {
		if err := c.need(CmdTableLoad, "wiping of the request", sinceSecureData); err != nil {
			clear(payload)
			return Info{}, err
		}
		r.flags |= FlagSecureData
	}
	return c.tell(r)
}

// LoadOptions are the options of [Control.Load].
type LoadOptions struct {
	ReadOnly bool // the device is read-only, and so may be what it maps to
	Secure   bool // wipe the request in the kernel's memory and here: it holds a key
}

// Clear empties the device's inactive slot (DM_TABLE_CLEAR).
func (c *Control) Clear(dev Device) (Info, error) {
	return c.tell(request{cmd: CmdTableClear, dev: dev})
}

// Deps lists the devices that the device's table uses (DM_TABLE_DEPS). A device
// without a table uses none.
func (c *Control) Deps(dev Device, o DepsOptions) (Info, []Number, error) {
	flags, err := c.queryFlags(CmdTableDeps, o.Inactive)
	if err != nil {
		return Info{}, nil, err
	}
	rep, err := c.ask(request{cmd: CmdTableDeps, dev: dev, flags: flags, room: firstRoom})
	if err != nil {
		return Info{}, nil, err
	}
	deps, err := parseDeps(rep.data)
	return rep.info, deps, err
}

// DepsOptions are the options of [Control.Deps].
type DepsOptions struct {
	Inactive bool // of the table in the inactive slot (Linux 2.6.32)
}

// TableStatus asks each target of the device's table for its state, or for its
// line (DM_TABLE_STATUS). A device without a table has no targets.
func (c *Control) TableStatus(dev Device, o TableStatusOptions) (Info, []Target, error) {
	flags, err := c.statusFlags(o)
	if err != nil {
		return Info{}, nil, err
	}
	rep, err := c.ask(request{cmd: CmdTableStatus, dev: dev, flags: flags, room: firstRoom})
	if err != nil {
		return Info{}, nil, err
	}
	return rep.table()
}

func (rep *reply) table() (Info, []Target, error) {
	targets, err := parseTargets(rep.data, rep.info.TargetCount)
	return rep.info, targets, err
}

// Kind is what TableStatus asks for.
type Kind int

// Kinds of [TableStatusOptions].
const (
	KindStatus Kind = iota // the target's state (STATUSTYPE_INFO)
	KindTable              // the line that sets up the target (STATUSTYPE_TABLE)
	KindIMA                // what the kernel tells its integrity measurement (Linux 5.15)
)

// TableStatusOptions are the options of [Control.TableStatus].
type TableStatusOptions struct {
	Kind     Kind
	NoFlush  bool // do not make a target commit its metadata first, as thin-pool does
	Inactive bool // of the table in the inactive slot (Linux 2.6.32)
}

func (c *Control) statusFlags(o TableStatusOptions) (Flags, error) {
	flags, err := c.queryFlags(CmdTableStatus, o.Inactive)
	if err != nil {
		return 0, err
	}
	if o.NoFlush {
		flags |= FlagNoFlush
	}
	switch o.Kind {
	case KindTable:
		flags |= FlagStatusTable
	case KindIMA:
		flags |= FlagIMAMeasurement
		err = c.need(CmdTableStatus, "a measurement", sinceIMA)
	}
	return flags, err
}

// WaitBlocking waits until the device's event number differs from eventNr, and
// then asks for its status (DM_DEV_WAIT). It blocks a thread and cannot be
// cancelled; see [Control.Wait].
func (c *Control) WaitBlocking(dev Device, eventNr uint32, o TableStatusOptions) (Info, []Target, error) {
	flags, err := c.statusFlags(o)
	if err != nil {
		return Info{}, nil, err
	}
	rep, err := c.ask(request{cmd: CmdDevWait, dev: dev, flags: flags, eventNr: eventNr, room: firstRoom})
	if err != nil {
		return Info{}, nil, err
	}
	return rep.table()
}

// TargetVersions lists the target types that the kernel has loaded
// (DM_LIST_VERSIONS).
func (c *Control) TargetVersions() ([]TargetVersion, error) {
	rep, err := c.call(request{cmd: CmdListVersions, room: firstRoom})
	if err != nil {
		return nil, err
	}
	return parseVersions(rep.data)
}

// TargetVersion asks for one target type, for which the kernel may load a
// module (DM_GET_TARGET_VERSION, Linux 5.4). It fails with [ErrNoTarget] if
// there is no such type.
func (c *Control) TargetVersion(typ string) (TargetVersion, error) {
	if err := checkTarget(Target{Type: typ}); err != nil {
		return TargetVersion{}, fmt.Errorf("%v: %w", CmdGetTargetVersion, err)
	}
	if err := c.need(CmdGetTargetVersion, "the command", CmdGetTargetVersion.Since()); err != nil {
		return TargetVersion{}, err
	}
	rep, err := c.call(request{cmd: CmdGetTargetVersion, newName: typ, room: firstRoom})
	if err != nil {
		return TargetVersion{}, err
	}
	list, err := parseVersions(rep.data)
	if err != nil {
		return TargetVersion{}, err
	}
	if len(list) != 1 {
		return TargetVersion{}, fmt.Errorf("%v %s: %w: %d answers", CmdGetTargetVersion, typ, ErrReply, len(list))
	}
	return list[0], nil
}
