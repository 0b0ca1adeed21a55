package dlm

import (
	"errors"
	"strings"
	"syscall"
)

// Classes of failure. An [*Error] matches those that apply under errors.Is, and
// its cause as well.
var (
	ErrInvalid      = errors.New("refused as it stands")
	ErrNoDLM        = errors.New("this kernel has no DLM, or its module is not loaded")
	ErrNoCluster    = errors.New("the kernel's DLM has no cluster set up")
	ErrNoController = errors.New("no controller serves this kernel's DLM")
	ErrNoSuchNode   = errors.New("no such node")
	ErrNoLockspace  = errors.New("no such lockspace")
	ErrExist        = errors.New("exists already")
	ErrBusy         = errors.New("busy")
	ErrPermission   = errors.New("permission denied")
	ErrWouldBlock   = errors.New("held by somebody else in a mode that does not go with it") // NoQueue
	ErrDeadlock     = errors.New("would be a conversion deadlock")
	ErrCancelled    = errors.New("cancelled")
	ErrNotHeld      = errors.New("the lock is not held")
	ErrClosed       = errors.New("closed")
	ErrVersion      = errors.New("another version of the lock device's interface")
	ErrUnsupported  = errors.New("not supported by this kernel")
	ErrMalformed    = errors.New("not in the form that the kernel documents")
	ErrLost         = errors.New("events were lost")
	ErrNotVisible   = errors.New("not visible here")
	ErrClusterName  = errors.New("belongs to another cluster")
	ErrStillWaiting = errors.New("the kernel had not answered")
)

// Error is a request that failed. It prints as one line that names what was asked,
// of what, and what the refusal means.
type Error struct {
	Op       string // what was done, such as "lock", "convert", "create lockspace"
	Space    string // the lockspace; may be empty
	Resource string // the resource, or what else was named; may be empty
	Mode     Mode   // the mode asked for; [ModeNone] where there is none
	Class    error  // one of the classes above; may be nil
	Meaning  string // what it means here, and the way out; may be empty
	Err      error  // the cause, an errno in most cases; may be nil
}

// Error returns the one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	for _, s := range []string{e.Space, e.Resource} {
		if s != "" {
			b.WriteString(" " + printable(s))
		}
	}
	if e.Mode != ModeNone {
		b.WriteString(" " + e.Mode.String())
	}
	said := false
	say := func(s string) {
		b.WriteString(": " + s)
		said = true
	}
	switch {
	case e.Meaning != "":
		say(e.Meaning)
	case e.Class != nil:
		say(e.Class.Error())
	}
	if e.Err != nil {
		if said {
			b.WriteString(" (" + e.Err.Error() + ")")
		} else {
			say(e.Err.Error())
		}
	}
	return b.String()
}

// Unwrap returns class and cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Class, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// printable is a name from the kernel or a user, for one line of text: what is no
// graphic ASCII becomes a dot, as in the kernel's own dumps.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, s)
}

// classOf maps errnos whose meaning hangs on nothing else.
func classOf(errno syscall.Errno) error {
	switch errno {
	case syscall.EACCES, syscall.EPERM:
		return ErrPermission
	case syscall.EBUSY:
		return ErrBusy
	case syscall.EEXIST:
		return ErrExist
	case syscall.EINVAL:
		return ErrInvalid
	case syscall.ENOSYS, syscall.EOPNOTSUPP:
		return ErrUnsupported
	}
	return nil
}
