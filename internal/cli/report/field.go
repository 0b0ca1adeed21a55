// Package report prints tables the way libdevmapper 1.02.185 does, which is
// what dmsetup info -c, dmsetup splitname and dmstats show: columns chosen by
// name, sorted by any of them, restricted by a selection, aligned or separated,
// one row a line or one column a line.
//
// A command describes its columns once, in a Table, and gives objects to a
// Report; every word a user can write (-o, -O, -S) is understood here, and every
// complaint about one reads as the original prints it. The facts are those of
// libdm/libdm-report.c.
package report

import (
	"errors"
	"strings"
)

// Kind is the type of a column: how it is aligned, sorted and selected by.
type Kind uint8

// The kinds of libdm/libdevmapper.h DM_REPORT_FIELD_TYPE_*.
const (
	String  Kind = iota // compared as text; aligned left
	Number              // compared as an unsigned integer; aligned right
	Size                // 512-byte sectors, compared as a real number; aligned right
	Percent             // compared as millionths; aligned left
	List                // a set of strings
	Time                // seconds since 1970
)

// String is the word of the help text.
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

// Section is a group of columns that come from one source, which the caller
// may want to spare asking: Report.Sections says which are needed.
type Section struct {
	ID     Sections // one bit, below 1<<31
	Name   string   // title in the help
	Prefix string   // "info_": info_all means all its columns; ends in '_'
}

// Field is a column.
type Field[T any] struct {
	Section Sections // whose it is
	Kind    Kind
	Heading string
	Width   int    // least width, bytes
	ID      string // name in -o, -O and -S; underscores do not count there
	Help    string

	// Value is the cell of an object. ErrNoData means that the object has
	// none; the text of any other error is printed before the report gives up.
	Value func(T) (Value, error)
}

// Table is all that a report can show.
type Table[T any] struct {
	Sections []Section
	Fields   []Field[T]
}

// ErrNoData is returned by Field.Value for objects that lack what the field
// shows, such as a device's counters where only its name was asked for.
var ErrNoData = errors.New("no data")

// ErrSaid is returned when a command cannot go on and the reason has been
// printed already.
var ErrSaid = errors.New("report: failed")

// idSize is the room for a field's name in C, with its end.
const idSize = 32

// canonical drops the underscores of a name. It complains about names that
// libdevmapper has no room for. rest is the text from where name begins, which
// the complaint quotes.
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

// sameField says whether a field of that canonical name is meant by word, also
// a canonical name, in a report whose own prefix may be left out.
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

// implicit are the columns that every report has, in the order of their help.
func implicit[T any]() []Field[T] {
	return []Field[T]{
		{Section: special, Kind: Number, Width: 8, ID: "selected", Heading: "Selected", Help: "Set if item passes selection criteria."},
		{Section: special, Kind: Number, Width: 8, ID: "help", Heading: "Help", Help: "Show help."},
		{Section: special, Kind: Number, Width: 8, ID: "?", Heading: "Help", Help: "Show help."},
	}
}

// isHelp says whether an implicit field stands for the list of fields.
func isHelp(id string) bool { return id == "help" || id == "?" }

// property is a field that takes part in the report.
type property[T any] struct {
	field    *Field[T]
	special  bool
	width    int
	hidden   bool // only sorted or selected by
	sortKey  bool
	position int // among the sort keys
	falling  bool
}

// find looks a field up by the user's word. The second result says whether the
// field is an implicit one.
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

// all returns the sections meant by a word such as "all" or "info_all"; none if
// it is no such word.
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

// add makes a field take part. Hidden ones go in front, so that the last of
// the list is the last that shows.
func (r *Report[T]) add(f *Field[T], special, hidden bool) *property[T] {
	p := &property[T]{field: f, special: special, width: f.Width, hidden: hidden}
	if hidden {
		r.props = append([]*property[T]{p}, r.props...)
	} else {
		r.props = append(r.props, p)
	}
	return p
}

// used returns the property of a field that takes part already.
func (r *Report[T]) used(f *Field[T]) *property[T] {
	for _, p := range r.props {
		if p.field == f {
			return p
		}
	}
	return nil
}

// parseFields understands the words of -o. The first of two passes only learns
// which sections are needed, since "all" depends on it.
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

// parseKeys understands the words of -O.
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

// unrecognised lists what there is before it complains.
func (r *Report[T]) unrecognised(complaint string) error {
	r.listFields(true, false)
	r.say.linef(" ")
	r.say.linef("%s", complaint)
	return ErrSaid
}
