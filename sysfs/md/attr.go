package md

import (
	"errors"
	"strconv"

	"github.com/mdkit/mdkit/sysfs"
)

// Access says which accesses to an attribute the kernel allows.
type Access uint8

// Kinds of access.
const (
	ReadOnlyAttr  Access = 1                            // can be read
	WriteOnlyAttr Access = 2                            // can be written
	ReadWriteAttr Access = ReadOnlyAttr | WriteOnlyAttr // both
)

// Attribute is one attribute by name, for callers that need all of them: to
// list, to dump, to compare with what a kernel shows.
type Attribute struct {
	Name   string // path below the array's, member's or module's folder
	Access Access // what the kernel allows
	parse  func(string) (any, error)
}

// Read reads the attribute from the folder of an array, a member or the
// modules. The value has the same type as that of the method for this
// attribute.
func (at Attribute) Read(d sysfs.Dir) (any, error) { return read(d, at.Name, at.parse) }

// attr is one attribute with its type.
type attr[T any] struct {
	name   string
	parse  func(string) (T, error)
	access Access
}

func rw[T any](name string, parse func(string) (T, error)) attr[T] {
	return attr[T]{name: name, parse: parse, access: ReadWriteAttr}
}

func ro[T any](name string, parse func(string) (T, error)) attr[T] {
	return attr[T]{name: name, parse: parse, access: ReadOnlyAttr}
}

func wo(name string) attr[string] {
	return attr[string]{name: name, access: WriteOnlyAttr}
}

func (a attr[T]) get(d sysfs.Dir) (T, error) { return read(d, a.name, a.parse) }

func read[T any](d sysfs.Dir, name string, parse func(string) (T, error)) (T, error) {
	var zero T
	s, err := d.Read(name)
	if err != nil {
		return zero, explain(name, err)
	}
	v, err := parse(s)
	if err != nil {
		return zero, parseFailed(d.Path(name), s, err)
	}
	return v, nil
}

func (a attr[T]) set(d sysfs.Dir, value string) error {
	return explain(a.name, d.Write(a.name, value))
}

func (a attr[T]) describe() Attribute {
	return Attribute{Name: a.name, Access: a.access, parse: func(s string) (any, error) { return a.parse(s) }}
}

type describer interface{ describe() Attribute }

func describeAll(list []describer) []Attribute {
	out := make([]Attribute, len(list))
	for i, a := range list {
		out[i] = a.describe()
	}
	return out
}

// wanted is a parser's error for text it does not know: what it expected.
// parseFailed adds the text and where it came from.
type wanted string

func (w wanted) Error() string { return "want " + string(w) }

func parseFailed(path, text string, err error) error {
	var w wanted
	if !errors.As(err, &w) {
		return err
	}
	return &sysfs.ParseError{Path: path, Text: text, Want: string(w)}
}

func parseUint(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, wanted("a number")
	}
	return n, nil
}

func parseInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, wanted("a number")
	}
	return n, nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "0", "N":
		return false, nil
	case "1", "Y":
		return true, nil
	}
	return false, wanted("0 or 1, N or Y")
}

func formatUint(n uint64) string { return strconv.FormatUint(n, 10) }

func formatBool(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
