package dmsetup

import (
	"context"
	"errors"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// checkJSON is what check says of a table.
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

// check is the command check: it says whether the kernel would take a table,
// and why not, and loads nothing.
func (s *session) check(_ context.Context, c call) error {
	if s.args.Has(dmopt.Concise) {
		return s.checkConcise(c)
	}
	table, err := s.readTable(c.args)
	if err != nil {
		return err
	}
	return s.checkTable("", table)
}

func (s *session) checkConcise(c call) error {
	text, err := s.conciseText(c)
	if err != nil {
		return err
	}
	list, err := conciseFields(text)
	if err != nil {
		return err
	}
	var failed error
	for _, f := range list {
		table, err := s.parseTable(f[4], "")
		if err == nil {
			err = s.checkTable(f[0], table)
		}
		failed = errors.Join(failed, s.complain(err))
	}
	return failed
}

// checkTable reports on one table.
func (s *session) checkTable(name string, table grammar.Table) error {
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	failed := m.Check(table, s.args.Has(dmopt.ReadOnly))
	doc := checkJSON{Name: name, Valid: failed == nil, Targets: len(table), Size: table.Sectors() * sectorSize, Errors: []tableProblem{}}
	lead := choose(name != "", name+": ", "")
	for _, p := range problems(failed) {
		var e *grammar.Error
		if errors.As(p, &e) {
			doc.Errors = append(doc.Errors, tableProblem{Line: e.Line, Target: e.Target, Field: e.Field, Reason: e.Reason})
		} else {
			doc.Errors = append(doc.Errors, tableProblem{Reason: p.Error()})
		}
		if !s.args.Has(dmopt.JSON) {
			s.warn("%s%v", lead, p)
		}
	}
	switch {
	case s.args.Has(dmopt.JSON):
		s.rows = append(s.rows, doc)
	case failed == nil:
		s.printf("%sthe kernel would take this table: %d target%s, %s\n", lead,
			len(table), choose(len(table) == 1, "", "s"), ui.Size(int64(doc.Size)))
	}
	if failed != nil {
		return &said{failed}
	}
	return nil
}

// problems takes joined errors apart.
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
