package sysfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

var (
	// ErrNotSupported says that the kernel has no such attribute here: it is
	// too old or too new, or the attribute belongs to another kind of device.
	ErrNotSupported = errors.New("attribute not offered by this kernel")
	// ErrEmpty says that the attribute exists but holds no value at present,
	// such as the RAID5 attributes of an array that does not run.
	ErrEmpty = errors.New("attribute is empty")
	// ErrTooLarge says that a file is longer than [MaxSize].
	ErrTooLarge = errors.New("attribute is longer than 1 MiB")
)

// Error is a failed access to one attribute. It prints as one line that names
// the file, the value that was being written, and what the refusal means.
type Error struct {
	Op      string // "read", "write", "list", "link" or "watch"
	Path    string // the file
	Value   string // what was written; empty for other operations
	Meaning string // what Err means for this attribute; may be empty
	Err     error  // the cause, an errno in most cases
}

// Error returns the one line.
func (e *Error) Error() string {
	s := e.Op + " " + e.Path
	if e.Op == "write" {
		s += " " + strconv.Quote(e.Value)
	}
	if e.Is(ErrNotSupported) {
		return s + ": " + ErrNotSupported.Error()
	}
	cause := unwrapPath(e.Err).Error()
	if e.Meaning == "" {
		return s + ": " + cause
	}
	return s + ": " + e.Meaning + " (" + cause + ")"
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes an absent file match [ErrNotSupported]. A write refused with ENOENT
// by an attribute that exists does not count: its file could be opened.
func (e *Error) Is(target error) bool {
	return target == ErrNotSupported && e.absent()
}

func (e *Error) absent() bool {
	var pe *fs.PathError
	return errors.As(e.Err, &pe) && pe.Op == "open" && errors.Is(pe.Err, fs.ErrNotExist)
}

// ParseError marks an attribute whose text is not in the form the kernel
// documents. It keeps the text.
type ParseError struct {
	Path string // the file; empty when the text came from elsewhere
	Text string // what it held, without the closing newline
	Want string // what was expected, in words
}

// Error returns one line with path, text and expectation.
func (e *ParseError) Error() string {
	text := e.Text
	if len(text) > 120 {
		text = text[:120] + "..."
	}
	where := ""
	if e.Path != "" {
		where = "read " + e.Path + ": "
	}
	if e.Text == "" {
		return where + ErrEmpty.Error() + ", want " + e.Want
	}
	return fmt.Sprintf("%s%q is not %s", where, text, e.Want)
}

// Is makes an empty text match [ErrEmpty].
func (e *ParseError) Is(target error) bool { return target == ErrEmpty && e.Text == "" }
