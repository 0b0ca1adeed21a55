package dmsetup

import (
	"context"
	"errors"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// checkJSON is what check reports about a table.
type checkJSON struct {
	Name    string         `json:"name,omitempty"`
	Valid   bool           `json:"valid"`
	Targets int            `json:"targets"`
	Size    uint64         `json:"size"`
	Errors  []tableProblem `json:"errors"`
}

// tableProblem is one reason why a table would be refused.
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
	m, err := t.manager(false)
	if err != nil {
		return err
	}
	failed := m.Check(table, t.Line.Has(dmopt.ReadOnly))
	doc := checkJSON{Name: name, Valid: failed == nil, Targets: len(table), Size: table.Sectors() * sectorSize, Errors: []tableProblem{}}
	lead := ui.Choose(name != "", name+": ", "")
	for _, p := range problems(failed) {
		var e *grammar.Error
		if errors.As(p, &e) {
			doc.Errors = append(doc.Errors, tableProblem{Line: e.Line, Target: e.Target, Field: e.Field, Reason: e.Reason})
		} else {
			doc.Errors = append(doc.Errors, tableProblem{Reason: p.Error()})
		}
		if !t.Line.Has(dmopt.JSON) {
			t.Warn("%s%v", lead, p)
		}
	}
	switch {
	case t.Line.Has(dmopt.JSON):
		t.Show(doc)
	case failed == nil:
		t.Printf("%sthe kernel would take this table: %d target%s, %s\n", lead,
			len(table), ui.Choose(len(table) == 1, "", "s"), ui.Size(int64(doc.Size)))
	}
	if failed != nil {
		return &dmtask.Printed{Err: failed}
	}
	return nil
}

// problems splits joined errors.
func problems(err error) []error {
	var many interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		var list []error
		for _, e := range many.Unwrap() {
			list = append(list, problems(e)...)
		}
		return list
	}
	return []error{err}
}
