// Package binfmt describes on-disk structures field by field. One description
// serves parsing, writing, annotated hex dumps and errors that name the field
// and its byte offset, so that these four can never disagree.
//
// A format declares a Layout, usually behind sync.OnceValue so that nothing is
// built before it is needed:
//
//	var layout = sync.OnceValue(func() *binfmt.Layout[Header] {
//		return binfmt.New("example", 16,
//			binfmt.U32("magic", 0, func(h *Header) *uint32 { return &h.Magic }, binfmt.Hex),
//			...
//		)
//	})
package binfmt

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Field is one field of a structure T: where it is, and how it goes from bytes
// to T, from T to bytes, and from T to text.
type Field[T any] struct {
	Name string // as the kernel header or the format's document has it
	Off  int    // bytes from the start of the structure
	Size int    // bytes

	get  func(v *T, b []byte, o binary.ByteOrder)
	put  func(v *T, b []byte, o binary.ByteOrder)
	text func(v *T) string
}

// Layout is the field table of a structure T.
type Layout[T any] struct {
	Format string // the name used in errors
	Size   int    // bytes of the fixed part
	Fields []Field[T]
}

// New returns a layout of size bytes with the given fields.
func New[T any](format string, size int, fields ...Field[T]) *Layout[T] {
	return &Layout[T]{Format: format, Size: size, Fields: fields}
}

// Decode reads every field of v from b. It fails only with ErrTruncated, when b
// is shorter than the layout; values are the caller's to judge.
func (l *Layout[T]) Decode(v *T, b []byte, o binary.ByteOrder) error {
	if len(b) < l.Size {
		return &Error{
			Op: "parse", Format: l.Format, Err: ErrTruncated,
			Got: strconv.Itoa(len(b)) + " bytes", Want: strconv.Itoa(l.Size) + " bytes",
		}
	}
	for i := range l.Fields {
		f := &l.Fields[i]
		f.get(v, b[f.Off:f.Off+f.Size], o)
	}
	return nil
}

// Encode writes every field of v to b, which must hold at least Size bytes.
// Bytes between fields are left alone.
func (l *Layout[T]) Encode(v *T, b []byte, o binary.ByteOrder) {
	for i := range l.Fields {
		f := &l.Fields[i]
		f.put(v, b[f.Off:f.Off+f.Size], o)
	}
}

// Field returns the field with the given name, or nil.
func (l *Layout[T]) Field(name string) *Field[T] {
	for i := range l.Fields {
		if l.Fields[i].Name == name {
			return &l.Fields[i]
		}
	}
	return nil
}

// Errorf returns an *Error of class err for the named field. Got is the field's
// own text in v; want is formatted and may be empty.
func (l *Layout[T]) Errorf(err error, v *T, field, want string, args ...any) *Error {
	e := &Error{Op: "check", Format: l.Format, Field: field, Err: err, Want: fmt.Sprintf(want, args...)}
	if f := l.Field(field); f != nil {
		e.Off = int64(f.Off)
		e.Got = f.text(v)
	}
	return e
}

// bytesPerLine is how many bytes of a field one line of a dump shows.
const bytesPerLine = 16

// Dump writes b as annotated hex to w: one line a field, longer fields on
// several, in the form
//
//	00001000: fc4e2ba9                          # magic = 0xa92b4efc
//
// base is the offset of b[0] to print (bytes). Bytes that no field covers are
// shown as reserved. It fails with ErrTruncated as Decode does, or with w's error.
func (l *Layout[T]) Dump(w io.Writer, base int64, b []byte, o binary.ByteOrder) error {
	var v T
	if err := l.Decode(&v, b, o); err != nil {
		return err
	}
	d := Dumper{W: w}
	at := 0
	for i := range l.Fields {
		f := &l.Fields[i]
		d.Reserved(base+int64(at), b[at:max(at, f.Off)])
		d.Field(base+int64(f.Off), b[f.Off:f.Off+f.Size], f.Name, f.text(&v))
		at = max(at, f.Off+f.Size)
	}
	d.Reserved(base+int64(at), b[at:l.Size])
	return d.Err
}

// Values yields each field's name and text, in layout order.
func (l *Layout[T]) Values(v *T) func(yield func(name, text string) bool) {
	return func(yield func(name, text string) bool) {
		for i := range l.Fields {
			if !yield(l.Fields[i].Name, l.Fields[i].text(v)) {
				return
			}
		}
	}
}

// Dumper writes lines of annotated hex. The first failed write is kept in Err
// and ends the output.
type Dumper struct {
	W   io.Writer
	Err error
}

// Field writes the bytes of one field, the note on the first line.
func (d *Dumper) Field(off int64, b []byte, name, value string) {
	note := name
	if value != "" {
		note += " = " + value
	}
	for first := true; len(b) > 0 || first; first = false {
		n := min(len(b), bytesPerLine)
		d.line(off, b[:n], note)
		off, b, note = off+int64(n), b[n:], ""
	}
}

// Reserved writes bytes that belong to no field, all-zero runs in one line.
func (d *Dumper) Reserved(off int64, b []byte) {
	switch {
	case len(b) == 0:
	case allZero(b):
		d.line(off, nil, fmt.Sprintf("reserved, %d zero bytes", len(b)))
	default:
		d.Field(off, b, "reserved", "")
	}
}

func (d *Dumper) line(off int64, b []byte, note string) {
	if d.Err != nil {
		return
	}
	if note == "" {
		_, d.Err = fmt.Fprintf(d.W, "%08x: %x\n", off, b)
		return
	}
	_, d.Err = fmt.Fprintf(d.W, "%08x: %-32s  # %s\n", off, fmt.Sprintf("%x", b), note)
}

func allZero(b []byte) bool {
	return strings.Trim(string(b), "\x00") == ""
}
