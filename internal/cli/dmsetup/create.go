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

// tables makes devices of tables, loads tables, and says what is wrong with
// them.
type tables struct{ *changes }

// create is the command create.
func (s *tables) create(ctx context.Context, c dmtask.Call) error {
	if s.Line.Has(dmopt.Concise) {
		if len(c.Args) > 1 {
			return s.Refuse("dmsetup create --concise takes at most one argument")
		}
		return s.createConcise(ctx, c)
	}
	name, ok := c.First()
	if !ok {
		return s.Refuse("Please provide a name for the new device.")
	}
	spec := newDevice{name: name, readOnly: s.Line.Has(dmopt.ReadOnly)}
	if s.Line.Has(dmopt.UUID) {
		spec.uuid = s.Line.Text[dmopt.UUID]
	}
	if s.Line.Has(dmopt.Minor) {
		spec.minor = &minorNumber{major: s.Line.Number[dmopt.Major], minor: s.Line.Number[dmopt.Minor]}
	}
	return s.createOne(ctx, spec, func() (grammar.Table, error) {
		if s.Line.Has(dmopt.NoTable) {
			return nil, nil
		}
		return s.readTable(c.Args[1:])
	})
}

// newDevice is a device to be made.
type newDevice struct {
	name, uuid string
	minor      *minorNumber
	readOnly   bool
}

// minorNumber is the number that a device is to have. The major one is
// defaulted if it is not given.
type minorNumber struct{ major, minor int }

// createOne makes one device. The table is read when the name has been found
// good, which is when the original complains about it.
func (s *tables) createOne(ctx context.Context, n newDevice, read func() (grammar.Table, error)) error {
	d, err := s.NewName(n.name)
	if err != nil {
		return err
	}
	d.Creating = true
	if n.uuid != "" {
		if d.UUID, err = s.MangleUUID(n.uuid); err != nil {
			return err
		}
	}
	table, err := read()
	if err != nil {
		return err
	}
	req := mapper.CreateRequest{
		Name: d.Known, UUID: d.UUID, Table: table, ReadOnly: n.readOnly, Secure: hasKeys(table),
		Owner: owner(s.Line), NodeAtOnce: s.Line.Has(dmopt.AddNodeOnCreate), ReadAhead: readAheadWish(s.Line), UdevFlags: s.udevFlags(),
	}
	if n.minor != nil {
		at, err := s.Numbered(n.minor.major, n.minor.minor)
		if err != nil {
			return err
		}
		d.Num, d.NumText = at.Num, at.NumText
		if at.ByNum {
			req.Number = &at.Num
		}
	}
	m, err := s.manager(!s.Line.Has(dmopt.NoTable))
	if err != nil {
		return err
	}
	change, err := m.PlanCreate(req)
	if err != nil {
		return dmtask.Failed(dmtask.TaskCreate, d, err)
	}
	names := tasks{dm.CmdDevCreate: dmtask.TaskCreate, dm.CmdTableLoad: dmtask.TaskReload, anyCommand: dmtask.TaskResume}
	if table == nil {
		return s.carryOut(ctx, change, d, names, true)
	}
	return s.loads(ctx, m, change, d, table, n.readOnly, names)
}

// readTable reads a table from --table, from the file named, or from standard
// input. nil without an error is a table without a line.
func (s *tables) readTable(words []string) (grammar.Table, error) {
	if s.Line.Has(dmopt.Table) {
		return s.parseTable(s.Line.Text[dmopt.Table], "")
	}
	if len(words) == 0 {
		text, err := io.ReadAll(s.Std.In)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return s.parseTable(string(text), "on stdin")
	}
	text, err := os.ReadFile(words[0])
	if err != nil {
		return nil, s.Complain(&dmopt.UsageError{Lines: []string{fmt.Sprintf("Couldn't open '%s' for reading.", words[0])}})
	}
	return s.parseTable(string(text), words[0])
}

// parseTable reads a table; where says what it was read from.
func (s *tables) parseTable(text, where string) (grammar.Table, error) {
	table, err := grammar.ParseTable(text)
	var bad *grammar.Error
	if errors.As(err, &bad) && bad.Line > 0 {
		return nil, s.Complain(&dmopt.UsageError{
			Lines: []string{fmt.Sprintf("Invalid format on line %d of table %s.", bad.Line, where)}, Class: err,
		})
	}
	for _, l := range table {
		if len(l.Type) > dm.MaxType {
			return nil, s.Refuse("Target type name %s is too long.", l.Type)
		}
	}
	if err != nil || len(table) == 0 {
		return nil, err
	}
	return table, nil
}

// hasKeys says whether a table holds something that is not for everybody's eyes.
func hasKeys(t grammar.Table) bool {
	return slices.ContainsFunc(t, grammar.HasKeys)
}

// createConcise makes the devices of a concise specification, in its order. The
// whole of it is read before the first one is made.
func (s *tables) createConcise(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	if a.Has(dmopt.Table) || a.Has(dmopt.Minor) || a.Has(dmopt.UUID) || a.Has(dmopt.NoTable) || a.Has(dmopt.Inactive) {
		return s.Refuse("--concise is incompatible with --[no]table, --minor, --uuid and --inactive.")
	}
	spec, err := s.conciseText(c)
	if err != nil {
		return err
	}
	list, err := conciseFields(spec)
	if err != nil {
		return err
	}
	for i, f := range list {
		// As in the original --readonly is for the first device only.
		n := newDevice{name: f[0], uuid: f[1], readOnly: f[3] == "ro" || i == 0 && a.Has(dmopt.ReadOnly)}
		if f[2] != "" {
			n.minor = &minorNumber{major: int(mapper.Major(sysfs.Host)), minor: dmopt.Atoi(f[2])}
		}
		if err := s.createOne(ctx, n, func() (grammar.Table, error) { return s.parseTable(f[4], "") }); err != nil {
			return err
		}
	}
	return nil
}

// conciseText is a concise specification: the first word, or standard input.
func (s *tables) conciseText(c dmtask.Call) (string, error) {
	if spec, ok := c.First(); ok {
		return spec, nil
	}
	text, err := io.ReadAll(s.Std.In)
	if err != nil {
		return "", s.Refuse("Read from stdin aborted: %v", err)
	}
	return string(text), nil
}

// conciseFields takes a specification apart: name, UUID, minor, flags and table
// of each device. What is wrong is said in the words of the original.
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

// incomplete refuses a device of a concise specification and shows what there is
// of its fields.
func incomplete(what string, fields []string) error {
	shown := [5]string{"(null)", "(null)", "(null)", "(null)", "(null)"}
	copy(shown[:], fields)
	return &dmopt.UsageError{Lines: []string{what, fmt.Sprintf("Parsed %d fields: name: %s uuid: %s minor: %s flags: %s table: %s",
		len(fields), shown[0], shown[1], shown[2], shown[3], shown[4])}}
}

// load is the commands load and reload.
func (s *tables) load(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	if a.Has(dmopt.NoTable) {
		return s.Refuse("--notable only available when creating new device.")
	}
	words := c.Args
	switch {
	case !a.Has(dmopt.UUID) && !a.Has(dmopt.Major):
		if len(words) == 0 {
			return s.Refuse("Please specify device.")
		}
		c.Args, words = words[:1], words[1:]
	case len(words) > 1:
		return s.Refuse("Too many command line arguments.")
	default:
		c.Args = nil
	}
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	table, err := s.readTable(words)
	if err != nil {
		return err
	}
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	req := mapper.LoadRequest{Table: table, ReadOnly: a.Has(dmopt.ReadOnly), Secure: hasKeys(table)}
	return s.loads(ctx, m, m.PlanLoad(d.Selector(), req), d, table, req.ReadOnly, oneTask(dmtask.TaskReload))
}
