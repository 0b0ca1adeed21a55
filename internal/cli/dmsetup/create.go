package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// tables makes devices from tables, loads tables, and says what is wrong with them.
type tables struct {
	*changes
	unchecked bool // check could not check everything
}

// create is the command create.
func (t *tables) create(ctx context.Context, c dmtask.Call) error {
	if t.Line.Has(dmopt.Concise) {
		if len(c.Args) > 1 {
			return t.Refuse("dmsetup create --concise takes at most one argument")
		}
		return t.createConcise(ctx, c)
	}
	name, ok := c.First()
	if !ok {
		return t.Refuse("Please provide a name for the new device.")
	}
	spec := newDevice{name: name, readOnly: t.Line.Has(dmopt.ReadOnly)}
	if t.Line.Has(dmopt.UUID) {
		spec.uuid = t.Line.Text[dmopt.UUID]
	}
	if t.Line.Has(dmopt.Minor) {
		spec.minor = &minorNumber{major: t.Line.Number[dmopt.Major], minor: t.Line.Number[dmopt.Minor]}
	}
	return t.createOne(ctx, spec, func() (grammar.Table, error) {
		if t.Line.Has(dmopt.NoTable) {
			return nil, nil
		}
		return t.readTable(c.Args[1:])
	})
}

// newDevice is a device to be made.
type newDevice struct {
	name, uuid string
	minor      *minorNumber
	readOnly   bool
}

// minorNumber is the requested number of a device. If major is not given, it has a
// default.
type minorNumber struct{ major, minor int }

// createOne makes one device. It reads the table only after checking the name, because
// that is the order of the original's complaints.
func (t *tables) createOne(ctx context.Context, n newDevice, read func() (grammar.Table, error)) error {
	d, err := t.NewName(n.name)
	if err != nil {
		return err
	}
	d.Creating = true
	if n.uuid != "" {
		if d.UUID, err = t.MangleUUID(n.uuid); err != nil {
			return err
		}
	}
	table, err := read()
	if err != nil {
		return err
	}
	req := mapper.CreateRequest{
		Name: d.Known, UUID: d.UUID, Table: table, ReadOnly: n.readOnly, Secure: hasKeys(table),
		Owner: owner(t.Line), NodeAtOnce: t.Line.Has(dmopt.AddNodeOnCreate), ReadAhead: readAheadWish(t.Line), UdevFlags: t.udevFlags(),
	}
	if n.minor != nil {
		at, err := t.Numbered(n.minor.major, n.minor.minor)
		if err != nil {
			return err
		}
		d.Num, d.NumText = at.Num, at.NumText
		if at.ByNum {
			req.Number = &at.Num
		}
	}
	m, err := t.manager(!t.Line.Has(dmopt.NoTable))
	if err != nil {
		return err
	}
	change, err := m.PlanCreate(req)
	if err != nil {
		return dmtask.Failed(dmtask.TaskCreate, d, err)
	}
	names := tasks{dm.CmdDevCreate: dmtask.TaskCreate, dm.CmdTableLoad: dmtask.TaskReload, anyCommand: dmtask.TaskResume}
	if table == nil {
		return t.carryOut(ctx, change, d, names, true)
	}
	return t.loads(ctx, m, change, d, table, n.readOnly, names)
}

// readTable reads a table from --table, from the named file, or from standard input. nil
// without an error is a table without lines.
func (t *tables) readTable(words []string) (grammar.Table, error) {
	if t.Line.Has(dmopt.Table) {
		return t.parseTable(t.Line.Text[dmopt.Table], "")
	}
	if len(words) == 0 {
		text, err := io.ReadAll(t.Std.In)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return t.parseTable(string(text), "on stdin")
	}
	text, err := os.ReadFile(words[0])
	if err != nil {
		return nil, t.Complain(&dmopt.UsageError{Lines: []string{fmt.Sprintf("Couldn't open '%s' for reading.", words[0])}})
	}
	return t.parseTable(string(text), words[0])
}

// parseTable parses a table; where says where it was read from.
func (t *tables) parseTable(text, where string) (grammar.Table, error) {
	table, err := grammar.ParseTable(text)
	var bad *grammar.Error
	if errors.As(err, &bad) && bad.Line > 0 {
		return nil, t.Complain(&dmopt.UsageError{
			Lines: []string{fmt.Sprintf("Invalid format on line %d of table %s.", bad.Line, where)}, Class: err,
		})
	}
	for _, l := range table {
		if len(l.Type) > dm.MaxType {
			return nil, t.Refuse("Target type name %s is too long.", l.Type)
		}
	}
	if err != nil || len(table) == 0 {
		return nil, err
	}
	return table, nil
}

// hasKeys reports whether a table contains a key.
func hasKeys(t grammar.Table) bool {
	return slices.ContainsFunc(t, grammar.HasKeys)
}

// createConcise makes the devices of a concise specification, in its order. It reads all
// of the specification before it makes the first device.
func (t *tables) createConcise(ctx context.Context, c dmtask.Call) error {
	a := t.Line
	if a.Has(dmopt.Table) || a.Has(dmopt.Minor) || a.Has(dmopt.UUID) || a.Has(dmopt.NoTable) || a.Has(dmopt.Inactive) {
		return t.Refuse("--concise is incompatible with --[no]table, --minor, --uuid and --inactive.")
	}
	spec, err := t.conciseText(c)
	if err != nil {
		return err
	}
	list, err := conciseFields(spec)
	if err != nil {
		return err
	}
	var made []string
	for i, f := range list {
		// As in the original, --readonly affects only the first device.
		n := newDevice{name: f[0], uuid: f[1], readOnly: f[3] == "ro" || i == 0 && a.Has(dmopt.ReadOnly)}
		if f[2] != "" {
			n.minor = &minorNumber{major: int(mapper.Major(sysfs.Host)), minor: dmopt.Atoi(f[2])}
		}
		if err := t.createOne(ctx, n, func() (grammar.Table, error) { return t.parseTable(f[4], "") }); err != nil {
			err = t.Complain(err)
			t.takeBack(made)
			return err
		}
		made = append(made, f[0])
	}
	return nil
}

// takeBack removes the devices that a specification made before one of it was refused,
// last first, and says what has become of them.
func (t *tables) takeBack(made []string) {
	if t.Line.Has(dmopt.DryRun) || len(made) == 0 {
		return
	}
	t.Forget(len(made)) // the rows of --json show what is there
	for _, name := range slices.Backward(made) {
		d, err := t.NewName(name)
		if err == nil {
			var m *mapper.Mapper
			if m, err = t.manager(true); err == nil {
				err = m.TakeBack(d.Selector(), d.Known, t.udevFlags())
			}
		}
		if err != nil {
			t.Warn("  %s was made before that, and could not be removed: %v", name, err)
			continue
		}
		t.Warn("  %s was made before that, and has been removed again", name)
	}
}

// conciseText returns the concise specification: the first word, or standard input.
func (t *tables) conciseText(c dmtask.Call) (string, error) {
	if spec, ok := c.First(); ok {
		return spec, nil
	}
	text, err := io.ReadAll(t.Std.In)
	if err != nil {
		return "", t.Refuse("Read from stdin aborted: %v", err)
	}
	return string(text), nil
}

// conciseFields splits a specification into name, UUID, minor, flags and table of each
// device. It complains in the words of the original.
func conciseFields(spec string) ([][]string, error) {
	list, failed := grammar.SplitConcise(spec)
	var devices [][]string
	for i, f := range list {
		switch {
		case failed != nil && i == len(list)-1:
			return nil, incomplete("Backslash must be followed by another character at end of string.", f.Fields)
		case f.Open:
			return nil, incomplete("Incomplete entry: five comma-separated fields are required for each device", f.Fields)
		case !f.Complete():
			return nil, incomplete("Five comma-separated fields are required for each device", f.Fields)
		}
		if flags := f.Fields[3]; flags != "" && flags != "ro" && flags != "rw" {
			return nil, dmopt.Wrong("Invalid flags parameter '%s' must be 'ro' or 'rw' or empty.", flags)
		}
		devices = append(devices, f.Fields)
	}
	return devices, nil
}

// incomplete refuses a device of a concise specification and shows the fields that it
// has.
func incomplete(what string, fields []string) error {
	shown := [5]string{"(null)", "(null)", "(null)", "(null)", "(null)"}
	copy(shown[:], fields)
	return &dmopt.UsageError{Lines: []string{what, fmt.Sprintf("Parsed %d fields: name: %s uuid: %s minor: %s flags: %s table: %s",
		len(fields), shown[0], shown[1], shown[2], shown[3], shown[4])}}
}

// load is the commands load and reload.
func (t *tables) load(ctx context.Context, c dmtask.Call) error {
	a := t.Line
	if a.Has(dmopt.NoTable) {
		return t.Refuse("--notable only available when creating new device.")
	}
	words := c.Args
	switch {
	case !a.Has(dmopt.UUID) && !a.Has(dmopt.Major):
		if len(words) == 0 {
			return t.Refuse("Please specify device.")
		}
		c.Args, words = words[:1], words[1:]
	case len(words) > 1:
		return t.Refuse("Too many command line arguments.")
	default:
		c.Args = nil
	}
	d, err := t.Device(c)
	if err != nil {
		return err
	}
	table, err := t.readTable(words)
	if err != nil {
		return err
	}
	m, err := t.manager(false)
	if err != nil {
		return err
	}
	req := mapper.LoadRequest{Table: table, ReadOnly: a.Has(dmopt.ReadOnly), Secure: hasKeys(table)}
	return t.loads(ctx, m, m.PlanLoad(d.Selector(), req), d, table, req.ReadOnly, oneTask(dmtask.TaskReload))
}
