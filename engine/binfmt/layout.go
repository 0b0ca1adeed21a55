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
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Field is one field of a structure T: where it is, and how it is converted
// from bytes to T, from T to bytes, and from T to text.
type Field[T any] struct {
	Name string // as in the kernel header or the format's specification
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
// is shorter than the layout; judging the values is left to the caller.
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
// own text in v; want is a format string and may be empty.
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

// Piece is a run of bytes as it lies on a device: a field with its text, or
// bytes that no field covers (Name is empty then).
type Piece struct {
	Off   int64 // bytes, from the start of the device
	Bytes []byte
	Name  string
	Value string
}

// Pieces cuts the structure at the start of b into its fields, in layout order,
// and the bytes between them. base is the offset of b[0] on the device (bytes).
// It fails with ErrTruncated as Decode does.
func (l *Layout[T]) Pieces(base int64, b []byte, o binary.ByteOrder) ([]Piece, error) {
	var v T
	if err := l.Decode(&v, b, o); err != nil {
		return nil, err
	}
	var pieces []Piece
	gap := func(from, to int) {
		if from < to {
			pieces = append(pieces, Piece{Off: base + int64(from), Bytes: b[from:to]})
		}
	}
	at := 0
	for i := range l.Fields {
		f := &l.Fields[i]
		gap(at, f.Off)
		pieces = append(pieces, Piece{base + int64(f.Off), b[f.Off : f.Off+f.Size], f.Name, f.text(&v)})
		at = max(at, f.Off+f.Size)
	}
	gap(at, l.Size)
	return pieces, nil
}

// Fold merges consecutive pieces that are all zero and whose names share the
// part before a dot, as those of an array of structures do: one piece then
// stands for the whole run.
func Fold(pieces []Piece) []Piece {
	var out []Piece
	for i := 0; i < len(pieces); {
		first, last, end := "", "", i
		for end < len(pieces) && (end > i || !continues(pieces, i)) {
			group, n := zeroGroup(pieces[end:])
			if n == 0 {
				break
			}
			if end == i {
				first = group
			}
			last, end = group, end+n
		}
		if end == i {
			out = append(out, pieces[i])
			i++
			continue
		}
		p := Piece{Off: pieces[i].Off, Name: first, Value: "zero"}
		if last != first {
			p.Name += " to " + last
		}
		for _, q := range pieces[i:end] {
			p.Bytes = append(p.Bytes, q.Bytes...)
		}
		out = append(out, p)
		i = end
	}
	return out
}

// continues reports whether a piece belongs to the group of the one before it.
func continues(pieces []Piece, i int) bool {
	if i == 0 {
		return false
	}
	group, _, ok := strings.Cut(pieces[i].Name, ".")
	return ok && strings.HasPrefix(pieces[i-1].Name, group+".")
}

// zeroGroup returns the common name and the number of the pieces at the start
// of the list that belong together and are zero; the number is 0 if there are
// none.
func zeroGroup(pieces []Piece) (name string, n int) {
	name, _, ok := strings.Cut(pieces[0].Name, ".")
	if !ok {
		return "", 0
	}
	for n < len(pieces) {
		switch p := &pieces[n]; {
		case p.Name != "" && !strings.HasPrefix(p.Name, name+"."):
			return name, n
		case !allZero(p.Bytes):
			return "", 0
		}
		n++
	}
	return name, n
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

// Dumper writes lines of annotated hex, in the form
//
//	00001000: fc4e2ba9                          # magic = 0xa92b4efc
//
// The first failed write is kept in Err and ends the output.
type Dumper struct {
	W   io.Writer
	Err error
}

// Piece writes one piece. A field takes as many lines as it needs, with the
// note on the first and equal lines folded to "*"; other bytes are shown as
// reserved, and runs of zeroes among them take one line.
func (d *Dumper) Piece(p Piece) {
	note := p.Name
	switch {
	case note == "" && allZero(p.Bytes):
		d.line(p.Off, nil, fmt.Sprintf("reserved, %d zero bytes", len(p.Bytes)))
		return
	case note == "":
		note = "reserved"
	case p.Value != "" && (len(p.Bytes) <= bytesPerLine || p.Value != hex.EncodeToString(p.Bytes)):
		note += " = " + p.Value // unless the left column shows it already
	}
	off, b := p.Off, p.Bytes
	var last []byte
	folded := false
	for first := true; len(b) > 0 || first; first = false {
		n := min(len(b), bytesPerLine)
		if !first && len(b) > n && bytes.Equal(b[:n], last) {
			if !folded {
				d.line(off, nil, "")
			}
			folded = true
		} else {
			d.line(off, b[:n], note)
			folded = false
		}
		last = b[:n]
		off, b, note = off+int64(n), b[n:], ""
	}
}

func (d *Dumper) line(off int64, b []byte, note string) {
	if d.Err != nil {
		return
	}
	switch {
	case b == nil && note == "":
		_, d.Err = fmt.Fprintln(d.W, "*")
		return
	case note == "":
		_, d.Err = fmt.Fprintf(d.W, "%08x: %x\n", off, b)
		return
	}
	_, d.Err = fmt.Fprintf(d.W, "%08x: %-32s  # %s\n", off, fmt.Sprintf("%x", b), note)
}

func allZero(b []byte) bool {
	return strings.Trim(string(b), "\x00") == ""
}
