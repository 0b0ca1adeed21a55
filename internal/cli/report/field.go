// Package report prints tables the way libdevmapper 1.02.185 does, for dmsetup info -c,
// dmsetup splitname and dmstats: columns chosen by name, sorted by any of them,
// restricted by a selection, aligned or separated, one row per line or one column per
// line.
//
// A command describes its columns once, in a Table, and passes objects to a Report; all
// words that a user can give (-o, -O, -S) are parsed here, and all complaints about them
// are those of the original. The facts are from libdm/libdm-report.c.
package report

import (
	"errors"
	"strings"
)

// Kind is the type of a column, which determines how it is aligned, sorted and selected
// by.
type Kind uint8

// The kinds of libdm/libdevmapper.h DM_REPORT_FIELD_TYPE_*.
const (
	String  Kind = iota // compared as text; left-aligned
	Number              // compared as an unsigned integer; right-aligned
	Size                // 512-byte sectors, compared as a real number; right-aligned
	Percent             // compared in millionths; left-aligned
	List                // a set of strings
	Time                // seconds since 1970
)

// String returns the word for it in the help text.
func (k Kind) String() string {
	switch k {
	case String:
		return "string"
	case Number:
		return "number"
	case Size:
		return "size"
	case Percent:
		return "percent"
	case List:
		return "string list"
	case Time:
		return "time"
	}
	return "unknown"
}

// Sections is a set of sections, as bits.
type Sections uint32

// special is the section of the columns that every report has.
const special Sections = 1 << 31

// Section is a group of columns that come from one source. The caller may want to avoid
// reading a source: Report.Sections says which are needed.
type Section struct {
	ID     Sections // one bit, below 1<<31
	Name   string   // title in the help
	Prefix string   // such as "info_", with '_' at the end; info_all means all its columns
}

// Field is a column.
type Field[T any] struct {
	Section Sections // the section it belongs to
	Kind    Kind
	Heading string
	Width   int    // minimum width, in bytes
	ID      string // name in -o, -O and -S, where underscores are ignored
	Help    string

	// Value returns the cell of an object. ErrNoData means that the object has none; the
	// text of any other error is printed before the report stops.
	Value func(T) (Value, error)
}

// Table is everything that a report can show.
type Table[T any] struct {
	Sections []Section
	Fields   []Field[T]
}

// ErrNoData is returned by Field.Value for objects that lack what the field shows, such
// as a device's counters if only its name was read.
var ErrNoData = errors.New("no data")

// ErrSaid is returned when a command cannot continue and the reason has already been
// printed.
var ErrSaid = errors.New("report: failed")

// idSize is the size of a field's name in C, including the terminating byte.
const idSize = 32

// canonical removes the underscores from a name. It complains about names that are too
// long for libdevmapper. rest is the text from name on, which the complaint quotes.
func canonical(name, rest string, say sayer) (string, bool) {
	var b strings.Builder
	for i := range len(name) {
		if name[i] == '_' {
			continue
		}
		if b.Len()+1 >= idSize {
			say.linef("%s: field name too long.", rest[i:])
			return "", false
		}
		b.WriteByte(name[i])
	}
	return b.String(), true
}

// sameField reports whether word means the field name, both in canonical form, in a
// report whose own prefix may be omitted.
func sameField(name, word, prefix string) bool {
	if strings.EqualFold(name, word) {
		return true
	}
	if prefix == "" {
		return false
	}
	n := len(prefix) - 1
	return len(name) >= n && strings.EqualFold(prefix[:n], name[:n]) && strings.EqualFold(name[n:], word)
}

// implicit returns the columns that every report has, in the order of their help.
func implicit[T any]() []Field[T] {
	return []Field[T]{
		{Section: special, Kind: Number, Width: 8, ID: "selected", Heading: "Selected", Help: "Set if item passes selection criteria."},
		{Section: special, Kind: Number, Width: 8, ID: "help", Heading: "Help", Help: "Show help."},
		{Section: special, Kind: Number, Width: 8, ID: "?", Heading: "Help", Help: "Show help."},
	}
}

// isHelp reports whether an implicit field stands for the list of fields.
func isHelp(id string) bool { return id == "help" || id == "?" }

// property is a field that the report uses.
type property[T any] struct {
	field    *Field[T]
	special  bool
	width    int
	hidden   bool // only for sorting or selecting
	sortKey  bool
	position int // index among the sort keys
	falling  bool
}

// find looks up a field by the user's word. The second result says whether the field is
// an implicit one.
func (r *Report[T]) find(word, rest string) (*Field[T], bool, bool) {
	if word == "" {
		return nil, false, false
	}
	name, ok := canonical(word, rest, r.say)
	if !ok {
		return nil, false, false
	}
	return r.lookup(name)
}

func (r *Report[T]) lookup(name string) (f *Field[T], special, ok bool) {
	for i := range r.implicit {
		if sameField(r.implicit[i].ID, name, r.prefix) {
			return &r.implicit[i], true, true
		}
	}
	for i := range r.table.Fields {
		f := &r.table.Fields[i]
		if sameField(strings.ReplaceAll(f.ID, "_", ""), name, r.prefix) {
			return f, false, true
		}
	}
	return nil, false, false
}

// all returns the sections meant by a word such as "all" or "info_all"; none for other
// words.
func (r *Report[T]) all(word, rest string) Sections {
	var found Sections
	own := false
	if strings.EqualFold(word, "all") {
		if r.prefix == "" {
			if r.sections != 0 {
				return r.sections
			}
			return ^Sections(0)
		}
		own, word, rest = true, r.prefix, r.prefix
		found = r.sections
	}
	name, ok := canonical(word, rest, r.say)
	if !ok {
		return found
	}
	for _, s := range r.table.Sections {
		n := len(s.Prefix) - 1
		if len(name) < n || !strings.EqualFold(s.Prefix[:n], name[:n]) {
			continue
		}
		if own && len(name) == n || strings.EqualFold(name[n:], "all") {
			found |= s.ID
		}
	}
	return found
}

// add adds a field to those that the report uses. Hidden fields go to the front, so that
// the last of the list is visible.
func (r *Report[T]) add(f *Field[T], special, hidden bool) *property[T] {
	p := &property[T]{field: f, special: special, width: f.Width, hidden: hidden}
	if hidden {
		r.props = append([]*property[T]{p}, r.props...)
	} else {
		r.props = append(r.props, p)
	}
	return p
}

// used returns the property of a field that the report already uses.
func (r *Report[T]) used(f *Field[T]) *property[T] {
	for _, p := range r.props {
		if p.field == f {
			return p
		}
	}
	return nil
}

// parseFields parses the words of -o. The first of two passes only finds out which
// sections are needed, since "all" depends on that.
func (r *Report[T]) parseFields(list string, learn bool) error {
	for i := 0; i < len(list); {
		for i < len(list) && list[i] == ',' {
			i++
		}
		rest := list[i:]
		word, _, _ := strings.Cut(rest, ",")
		i += len(word)
		if !r.takeField(word, rest, learn) {
			return r.unrecognised("Unrecognised field: " + word)
		}
	}
	return nil
}

func (r *Report[T]) takeField(word, rest string, learn bool) bool {
	if f, special, ok := r.find(word, rest); ok {
		if learn {
			r.sections |= f.Section
		} else {
			r.add(f, special, false)
		}
		return true
	}
	if word == "" {
		return false
	}
	sections := r.all(word, rest)
	if sections == 0 {
		return false
	}
	if learn {
		r.sections |= sections
		return true
	}
	for i := range r.table.Fields {
		if f := &r.table.Fields[i]; f.Section&sections != 0 {
			r.add(f, false, false)
		}
	}
	return true
}

// parseKeys parses the words of -O.
func (r *Report[T]) parseKeys(list string, learn bool) error {
	for i := 0; i < len(list); {
		for i < len(list) && list[i] == ',' {
			i++
		}
		rest := list[i:]
		word, _, _ := strings.Cut(rest, ",")
		i += len(word)
		if !r.takeKey(word, rest, learn) {
			return r.unrecognised("dm_report: Unrecognised field: " + word)
		}
	}
	return nil
}

func (r *Report[T]) takeKey(word, rest string, learn bool) bool {
	if word == "" {
		return false
	}
	falling := word[0] == '-'
	if falling || word[0] == '+' {
		word, rest = word[1:], rest[1:]
	}
	if word == "" {
		r.say.linef("dm_report: Missing sort field name")
		return false
	}
	f, special, ok := r.find(word, rest)
	if !ok {
		return false
	}
	p := r.used(f)
	if learn {
		if p == nil {
			r.sections |= f.Section
		}
		return true
	}
	if p == nil {
		p = r.add(f, special, true)
	}
	if p.sortKey {
		r.say.linef("dm_report: Ignoring duplicate sort field: %s.", f.ID)
		return true
	}
	p.sortKey, p.falling, p.position = true, falling, r.keys
	r.keys++
	return true
}

// unrecognised lists the possible fields and then complains.
func (r *Report[T]) unrecognised(complaint string) error {
	r.listFields(true, false)
	r.say.linef(" ")
	r.say.linef("%s", complaint)
	return ErrSaid
}
