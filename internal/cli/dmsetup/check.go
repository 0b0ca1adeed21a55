package dmsetup

import (
	"context"
	"errors"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// checkJSON is what check reports about a table.
type checkJSON struct {
	Name      string         `json:"name,omitempty"`
	Verdict   string         `json:"verdict"`
	Valid     bool           `json:"valid"`
	Targets   int            `json:"targets"`
	Size      uint64         `json:"size"`
	Errors    []tableProblem `json:"errors"`
	Unchecked []tableProblem `json:"unchecked"`
	Notes     []tableProblem `json:"notes"`
}

// The verdicts of check.
const (
	verdictTaken   = "taken"   // the kernel would take the table
	verdictRefused = "refused" // it would not
	verdictOpen    = "open"    // nothing speaks against the table, and not everything was checked
)

// tableProblem is one reason why a table would be refused, or what is not known of it.
type tableProblem struct {
	Line   int    `json:"line,omitempty"`
	Target string `json:"target,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// check is the command check: it says whether the kernel would accept a table, and why
// not, and loads nothing.
func (t *tables) check(_ context.Context, c dmtask.Call) error {
	if t.Line.Has(dmopt.Concise) {
		return t.checkConcise(c)
	}
	table, err := t.readTable(c.Args)
	if err != nil {
		return err
	}
	return t.checkTable("", table)
}

func (t *tables) checkConcise(c dmtask.Call) error {
	text, err := t.conciseText(c)
	if err != nil {
		return err
	}
	list, err := conciseFields(text)
	if err != nil {
		return err
	}
	var failed error
	for _, f := range list {
		table, err := t.parseTable(f[4], "")
		if err == nil {
			err = t.checkTable(f[0], table)
		}
		failed = errors.Join(failed, t.Complain(err))
	}
	return failed
}

// checkTable reports on one table.
func (t *tables) checkTable(name string, table grammar.Table) error {
	m, closeIt := t.observer()
	defer closeIt()
	notes, failed := m.Examine(table, t.Line.Has(dmopt.ReadOnly))
	doc := newCheckJSON(name, table, notes, failed)
	if doc.Verdict == verdictOpen {
		t.unchecked = true
	}
	if t.Line.Has(dmopt.JSON) {
		t.Show(doc)
	} else {
		t.sayVerdict(doc, notes)
	}
	if failed != nil {
		return t.refused(doc, failed)
	}
	return nil
}

// observer returns a manager that only looks. Opening the control device loads the driver
// if that is a module, so it is left alone unless the driver is there.
func (t *tables) observer() (m *mapper.Mapper, closeIt func()) {
	m = &mapper.Mapper{FS: sysfs.Host}
	if mapper.Major(m.FS) == 0 {
		return m, func() {}
	}
	ctl, err := dm.OpenIn(t.Folder())
	if err != nil {
		return m, func() {}
	}
	m.Control = ctl
	return m, func() { ctl.Close() }
}

// newCheckJSON says what came out.
func newCheckJSON(name string, table grammar.Table, notes []grammar.Note, failed error) checkJSON {
	doc := checkJSON{
		Name: name, Verdict: verdictTaken, Targets: len(table), Size: table.Sectors() * sectorSize,
		Errors: []tableProblem{}, Unchecked: []tableProblem{}, Notes: []tableProblem{},
	}
	for _, n := range notes {
		row := tableProblem{Line: n.Line, Target: n.Target, Field: n.Field, Reason: n.Text}
		if n.Seen {
			doc.Notes = append(doc.Notes, row)
			continue
		}
		doc.Verdict = verdictOpen
		doc.Unchecked = append(doc.Unchecked, row)
	}
	for _, p := range problems(failed) {
		doc.Verdict = verdictRefused
		var e *grammar.Error
		if errors.As(p, &e) {
			doc.Errors = append(doc.Errors, tableProblem{Line: e.Line, Target: e.Target, Field: e.Field, Reason: e.Reason})
		} else {
			doc.Errors = append(doc.Errors, tableProblem{Reason: p.Error()})
		}
	}
	doc.Valid = doc.Verdict == verdictTaken
	return doc
}

// lead begins each line about a table that has a name.
func (d checkJSON) lead() string { return ui.Choose(d.Name != "", d.Name+": ", "") }

// sayVerdict prints the notes on a table, and the verdict if it is not a refusal.
func (t *tables) sayVerdict(doc checkJSON, notes []grammar.Note) {
	for _, n := range notes {
		t.Printf("%s%s: %v\n", doc.lead(), ui.Choose(n.Seen, "found", "not checked"), n)
	}
	verdict := ""
	switch doc.Verdict {
	case verdictTaken:
		verdict = "the kernel would take this table"
	case verdictOpen:
		verdict = "nothing checked speaks against this table"
	default:
		return
	}
	t.Printf("%s%s: %d target%s, %s\n", doc.lead(), verdict,
		doc.Targets, ui.Choose(doc.Targets == 1, "", "s"), ui.Size(int64(doc.Size)))
}

// refused prints the reasons, unless the document has them.
func (t *tables) refused(doc checkJSON, failed error) error {
	if !t.Line.Has(dmopt.JSON) {
		for _, p := range problems(failed) {
			t.Warn("%s%v", doc.lead(), p)
		}
	}
	return &dmtask.Printed{Err: failed}
}

// problems splits joined errors, and leaves one that has several causes whole.
func problems(err error) []error {
	if err == nil {
		return nil
	}
	many, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // only what is joined at the top
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range many.Unwrap() {
		list = append(list, problems(e)...)
	}
	return list
}
