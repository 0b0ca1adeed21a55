package dm

import (
	"errors"
	"fmt"
	"strings"
)

// Classes of failure. Every *Error matches exactly one of them with errors.Is.
var (
	// ErrInvalid marks a table or target line that the kernel would refuse.
	ErrInvalid = errors.New("invalid table")
	// ErrUnknownTarget marks a target type that has no grammar here.
	ErrUnknownTarget = errors.New("unknown target type")
	// ErrDevice marks a device that does not exist, cannot be used, or is too
	// small for what the table maps to it.
	ErrDevice = errors.New("unusable device")
	// ErrSyntax marks text that is not a table, concise specification or status
	// line at all.
	ErrSyntax = errors.New("syntax error")
)

// Error says which field of which target is wrong, and what the kernel would
// say about it.
type Error struct {
	Op     string // what was tried: "parse", "check", "status", "message"
	Line   int    // line of the table, counted from 1; 0 where there is no table
	Target string // target type, such as "linear"; empty for the table as a whole
	Field  string // the argument's name in the target's grammar; may be empty
	Reason string // the kernel's own reason text where the kernel has one
	Err    error  // the class, or an error that wraps it; never nil
}

// Error returns one line, such as
//
//	table line 2: linear: offset: Invalid device sector
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "table line %d: ", e.Line)
	}
	if e.Target != "" {
		b.WriteString(e.Target + ": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Reason)
	if e.Reason == "" {
		b.WriteString(e.Err.Error())
	} else if cause := e.cause(); cause != nil {
		fmt.Fprintf(&b, ": %v", cause)
	}
	return b.String()
}

// cause is the error below the class, if there is one.
func (e *Error) cause() error {
	for _, class := range []error{ErrInvalid, ErrUnknownTarget, ErrDevice, ErrSyntax} {
		if e.Err == class { //nolint:errorlint // identity: the bare class says nothing more
			return nil
		}
	}
	return e.Err
}

// Unwrap returns the class or the error that wraps it, for errors.Is and
// errors.As.
func (e *Error) Unwrap() error { return e.Err }
