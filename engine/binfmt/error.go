package binfmt

import (
	"errors"
	"fmt"
	"strings"
)

// Classes of failure. Every *Error matches exactly one of them with errors.Is.
var (
	// ErrTruncated marks input that ends before the structure does.
	ErrTruncated = errors.New("truncated")
	// ErrMagic marks input that is not in this format at all.
	ErrMagic = errors.New("bad magic")
	// ErrChecksum marks a structure whose checksum does not match its bytes.
	ErrChecksum = errors.New("bad checksum")
	// ErrUnsupported marks a version or feature bit this code does not know.
	ErrUnsupported = errors.New("unsupported")
	// ErrCorrupt marks a field whose value the format does not allow.
	ErrCorrupt = errors.New("invalid value")
)

// Error says which field of which format is wrong, and where.
type Error struct {
	Op     string // what was tried: "parse", "check", "write"; may be empty
	Device string // path or name; empty when the bytes came from no device
	Format string // "md0.90", "md1", "md-bitmap", ...
	Field  string // the field's name in the format's documentation; may be empty
	Off    int64  // byte offset of the field, from the device's start if Device is set, else from the structure's
	Got    string // what was found, as the field's format prints it; may be empty
	Want   string // what would be right; may be empty
	Err    error  // the class; never nil
}

// Error returns one line, such as
//
//	/dev/sda: md1: sb_csum at 0x10d8: bad checksum: got 0x12, want 0x34
func (e *Error) Error() string {
	var b strings.Builder
	for _, s := range []string{e.Device, e.Format} {
		if s != "" {
			b.WriteString(s + ": ")
		}
	}
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Field != "" {
		fmt.Fprintf(&b, "%s at %#x: ", e.Field, e.Off)
	}
	b.WriteString(e.Err.Error())
	switch {
	case e.Got != "" && e.Want != "":
		fmt.Fprintf(&b, ": got %s, want %s", e.Got, e.Want)
	case e.Got != "":
		fmt.Fprintf(&b, ": got %s", e.Got)
	case e.Want != "":
		fmt.Fprintf(&b, ": want %s", e.Want)
	}
	return b.String()
}

// Unwrap returns the class, for errors.Is.
func (e *Error) Unwrap() error { return e.Err }

// At returns err with the device's name set and its offset moved by base bytes,
// if it is an *Error that names no device yet: parsers see only bytes, so the
// reader that knows where they came from adds the device.
func At(err error, device string, base int64) error {
	var e *Error
	if !errors.As(err, &e) || e.Device != "" {
		return err
	}
	moved := *e
	moved.Device = device
	moved.Off += base
	return &moved
}
