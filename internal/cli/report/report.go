package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Options say what a report should look like.
type Options struct {
	Fields    string // -o: names, separated by commas
	Sort      string // -O: names, each optionally preceded by '+' or '-'
	Select    string // -S: a selection, "all" or "help"; empty for all
	Separator string // between cells

	Aligned    bool   // pad cells to the width of their column
	Headings   bool   // begin with the column names
	Unbuffered bool   // print each row immediately, unsorted
	Rows       bool   // one column per line; never aligned
	NamePrefix string // print PREFIX_FIELD='cell' with this prefix in upper case
	Unquoted   bool   // no quotes around these cells

	// Sections are the sections that the command needs in any case. If there is just
	// one, its prefix may be omitted from field names.
	Sections Sections
}

// Report collects objects and prints them.
type Report[T any] struct {
	table    *Table[T]
	implicit []Field[T]
	opts     Options
	out      io.Writer
	say      sayer

	sections Sections
	prefix   string
	props    []*property[T]
	keys     int // number of sort keys
	where    *node[T]

	rows   []*row[T]
	listed bool // help has been printed, so nothing will be reported
	headed bool // headings have been printed
	sized  bool // the widths fit the rows
}

// row is an object to print, with a cell for each property.
type row[T any] struct {
	cells    []cell[T]
	shows    bool // it has the column "selected", which shows it in any case
	selected bool
}

type cell[T any] struct {
	of    *property[T]
	value Value
}

// sayer prints complaints and help, one per line.
type sayer struct{ w io.Writer }

func (s sayer) linef(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

// New prepares a report that prints rows to out, and help and complaints to errs. After
// ErrSaid there is nothing more to print.
func New[T any](table *Table[T], opts Options, out, errs io.Writer) (*Report[T], error) {
	r := &Report[T]{table: table, implicit: implicit[T](), opts: opts, out: out, say: sayer{errs}, sections: opts.Sections}
	if r.opts.Rows {
		r.opts.Unbuffered, r.opts.Aligned = false, false
	}
	for _, s := range table.Sections {
		if s.ID == opts.Sections {
			r.prefix = s.Prefix
		}
	}
	for _, learn := range []bool{true, false} {
		if err := r.parseFields(opts.Fields, learn); err != nil {
			return nil, err
		}
		if err := r.parseKeys(opts.Sort, learn); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(r.props, func(p *property[T]) bool { return p.special && isHelp(p.field.ID) }) {
		r.listFields(true, false)
		r.say.linef(" ")
		r.listed = true
	}
	switch {
	case opts.Select == "" || strings.EqualFold(opts.Select, "all"):
	case strings.EqualFold(opts.Select, "help") || opts.Select == "?":
		r.listFields(false, true)
		r.say.linef(" ")
		r.listOperators()
		r.listed = true
	default:
		where, err := r.parseSelection(opts.Select)
		if err != nil {
			return nil, err
		}
		r.where = where
	}
	return r, nil
}

// Sections returns the sections that objects need to have.
func (r *Report[T]) Sections() Sections { return r.sections &^ special }

// Empty reports whether there are no rows to print.
func (r *Report[T]) Empty() bool { return len(r.rows) == 0 }

// Object adds a row if the object is selected. If it fails, the reason has been printed.
func (r *Report[T]) Object(obj T) error {
	if r.listed {
		return nil
	}
	row, err := r.row(obj)
	if err != nil {
		return err
	}
	if !row.selected && !row.shows {
		return nil
	}
	r.rows = append(r.rows, row)
	if r.opts.Unbuffered {
		r.Output()
	}
	return nil
}

// Selects reports whether an object is selected, without adding a row. After help has
// been printed, none is.
func (r *Report[T]) Selects(obj T) (bool, error) {
	if r.listed {
		return false, nil
	}
	row, err := r.row(obj)
	return err == nil && row.selected, err
}

func (r *Report[T]) row(obj T) (*row[T], error) {
	row := &row[T]{selected: true}
	mark := -1
	for _, p := range r.props {
		c := cell[T]{of: p}
		switch {
		case p.special && p.field.ID == "selected":
			mark = len(row.cells)
			row.shows = row.shows || !p.hidden
			c.value = Int(1)
		case p.special: // help has been printed, so there are no rows here
		default:
			value, err := p.field.Value(obj)
			if err != nil {
				return nil, r.failed(p.field.ID, err)
			}
			c.value = value
		}
		row.cells = append(row.cells, c)
	}
	if r.where != nil && !r.where.holds(row.cells) {
		row.selected = false
		if mark >= 0 {
			row.cells[mark].value = Int(0)
		}
	}
	return row, nil
}

func (r *Report[T]) failed(id string, err error) error {
	if errors.Is(err, ErrNoData) {
		r.say.linef("_do_report_object: no data assigned to field %s", id)
		return ErrSaid
	}
	if !errors.Is(err, ErrSaid) {
		r.say.linef("%v", err)
	}
	r.say.linef("_do_report_object: report function failed for field %s", id)
	return ErrSaid
}

// measure widens columns to fit what will be printed.
func (r *Report[T]) measure() {
	if r.sized {
		return
	}
	for _, row := range r.rows {
		for _, c := range row.cells {
			c.of.width = max(c.of.width, len(c.value.Text))
		}
	}
	r.sized = true
}

// sort orders the rows by the keys.
func (r *Report[T]) sort() {
	keys := make([]*property[T], r.keys)
	at := make([]int, r.keys)
	for i, p := range r.props {
		if p.sortKey {
			keys[p.position], at[p.position] = p, i
		}
	}
	slices.SortStableFunc(r.rows, func(a, b *row[T]) int {
		for i, p := range keys {
			va, vb := a.cells[at[i]].value, b.cells[at[i]].value
			var n int
			switch p.field.Kind {
			case Number, Size, Time, Percent:
				n = cmp.Compare(va.raw, vb.raw)
			default:
				n = strings.Compare(va.Text, vb.Text)
			}
			if p.falling {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
}

// Headings prints the column names now, even if they have been printed before: a
// repeated report begins with them each time.
func (r *Report[T]) Headings() {
	if r.opts.Rows {
		return
	}
	r.measure()
	r.headings()
}

func (r *Report[T]) headings() {
	r.headed = true
	if !r.opts.Headings {
		return
	}
	var b bytes.Buffer
	for i, p := range r.props {
		if p.hidden {
			continue
		}
		if r.opts.Aligned {
			pad(&b, p.field.Heading, p.width, false)
		} else {
			b.WriteString(p.field.Heading)
		}
		if i < len(r.props)-1 {
			b.WriteString(r.opts.Separator)
		}
	}
	b.WriteByte('\n')
	r.out.Write(b.Bytes())
}

// Output prints the rows collected so far, and forgets them.
func (r *Report[T]) Output() {
	if len(r.rows) == 0 {
		return
	}
	r.measure()
	if !r.opts.Unbuffered {
		r.sort()
	}
	if r.opts.Rows {
		r.outputRows()
	} else {
		r.outputColumns()
	}
	r.forget()
}

func (r *Report[T]) forget() {
	r.rows, r.sized = nil, false
	for _, p := range r.props {
		p.width = p.field.Width
	}
}

func (r *Report[T]) outputColumns() {
	if !r.headed {
		r.headings()
	}
	var b bytes.Buffer
	for _, row := range r.rows {
		first := true
		for _, c := range row.cells {
			if c.of.hidden {
				continue
			}
			if !first {
				b.WriteString(r.opts.Separator)
			}
			first = false
			r.cell(&b, c)
		}
		b.WriteByte('\n')
	}
	r.out.Write(b.Bytes())
}

func (r *Report[T]) outputRows() {
	var b bytes.Buffer
	for at, p := range r.props {
		if p.hidden {
			continue
		}
		if r.opts.Headings {
			b.WriteString(p.field.Heading + r.opts.Separator)
		}
		for i, row := range r.rows {
			if i > 0 {
				b.WriteString(r.opts.Separator)
			}
			r.cell(&b, row.cells[at])
		}
		b.WriteByte('\n')
	}
	r.out.Write(b.Bytes())
}

func (r *Report[T]) cell(b *bytes.Buffer, c cell[T]) {
	quote := ""
	if r.opts.NamePrefix != "" {
		b.WriteString(strings.ToUpper(r.opts.NamePrefix + c.of.field.ID))
		b.WriteByte('=')
		if !r.opts.Unquoted {
			quote = "'"
		}
	}
	b.WriteString(quote)
	if r.opts.Aligned {
		pad(b, c.value.Text, c.of.width, c.of.field.Kind == Number || c.of.field.Kind == Size)
	} else {
		b.WriteString(c.value.Text)
	}
	b.WriteString(quote)
}

// pad writes s, cut or padded to width bytes.
func pad(b *bytes.Buffer, s string, width int, right bool) {
	s = s[:min(len(s), width)]
	blank := strings.Repeat(" ", width-len(s))
	if right {
		b.WriteString(blank + s)
	} else {
		b.WriteString(s + blank)
	}
}
