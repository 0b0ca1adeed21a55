package note

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Loudness says at which verbosity a Note is worth printing; the values are the number
// of -v minus that of -q, as in mdadm.
type Loudness int

// Loudness of notes.
const (
	Always  Loudness = -1 << 30 // errors: --quiet does not hide them
	Warning Loudness = -1       // hidden by -qq
	Normal  Loudness = 0        // hidden by -q
	Chatty  Loudness = 1        // shown by -v

	VeryChatty Loudness = 2 // shown by -vv
)

// ID names what a sentence says, as "create.size-cannot-be-smaller-than-chunk": the
// package that says it, and the point. IDs are stable; the words belong to the face
// that prints them.
type ID string

// Sentence is something that can be said: its id, and its arguments in the order in
// which the words need them. An argument may be a Sentence.
type Sentence struct {
	ID   ID    `json:"id"`
	Args []any `json:"args,omitempty"`
}

// Sentences that have no words of their own.
const (
	Reason ID = "reason"       // the one argument: an error, a Sentence, or a text from elsewhere
	About  ID = "reason.about" // what it is about, and the reason
	In     ID = "reason.in"    // where, and what is wrong there
)

// Of makes a sentence.
func Of(id ID, args ...any) Sentence { return Sentence{ID: id, Args: args} }

// Renamed is the sentence with the name from replaced by to.
func (s Sentence) Renamed(from, to string) Sentence {
	s.Args = slices.Clone(s.Args)
	for i, a := range s.Args {
		switch a := a.(type) {
		case string:
			s.Args[i] = strings.ReplaceAll(a, from, to)
		case Sentence:
			s.Args[i] = a.Renamed(from, to)
		}
	}
	return s
}

// None reports whether there is nothing to say.
func (s Sentence) None() bool { return s.ID == "" }

// Note is something that a library call has to say to people while it works or plans.
type Note struct {
	Sentence
	Loudness Loudness `json:"-"`
	// Continued marks a line that belongs to the one before.
	Continued bool `json:"continued,omitempty"`
	// Extra marks a line that mdadm 4.2 would not have printed: the kernel's
	// reason, or what holds a busy device.
	Extra bool `json:"extra,omitempty"`
	// Bare marks a line that mdadm prints without its name in front.
	Bare bool `json:"bare,omitempty"`
	// Out marks a line that mdadm prints to its standard output, unchanged.
	Out bool `json:"-"`
}

// Errno is an error that a sentence explains by its errno, if it has one, instead of
// its own text.
type Errno struct{ Err error }

// Error returns the error's own text.
func (e Errno) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e Errno) Unwrap() error { return e.Err }

// MarshalJSON writes the errno's name, as "EBUSY", or the error's own text.
func (e Errno) MarshalJSON() ([]byte, error) {
	var no unix.Errno
	if errors.As(e.Err, &no) {
		if name := unix.ErrnoName(no); name != "" {
			return json.Marshal(name)
		}
	}
	return json.Marshal(e.Err.Error())
}

// Plain is an error whose own text a sentence shows.
type Plain struct{ Err error }

// Error returns the error's text.
func (p Plain) Error() string { return p.Err.Error() }

// Unwrap returns the error.
func (p Plain) Unwrap() error { return p.Err }

// MarshalJSON writes the error's text.
func (p Plain) MarshalJSON() ([]byte, error) { return json.Marshal(p.Err.Error()) }

// Reporter takes notes in the order they arise.
type Reporter func(Note)

// Say reports a sentence.
func (r Reporter) Say(l Loudness, id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: l})
}

// More reports a line that belongs to the one before.
func (r Reporter) More(l Loudness, id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: l, Continued: true})
}

// Extra reports a line that mdadm 4.2 would not have printed.
func (r Reporter) Extra(l Loudness, id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: l, Continued: true, Extra: true})
}

// Print reports a line that mdadm prints to its standard output.
func (r Reporter) Print(l Loudness, id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: l, Out: true})
}

// Beside reports a line that mdadm would not have printed, and that stands by itself.
func (r Reporter) Beside(id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: Always, Extra: true})
}

// Bare reports a line that is printed without the program's name.
func (r Reporter) Bare(id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: Always, Bare: true})
}

// Fail reports why something failed, and returns the error for it.
func (r Reporter) Fail(err error, id ID, args ...any) error {
	r.Say(Always, id, args...)
	return &Reported{Err: err}
}

// report passes a note on. Errors among its arguments, unless they are Errno, become
// Plain, so that all of a note can be printed and written as JSON.
func (r Reporter) report(n Note) {
	if r == nil {
		return
	}
	for i, a := range n.Args {
		switch err := a.(type) {
		case Errno, Plain:
		case error:
			n.Args[i] = Plain{err}
		}
	}
	r(n)
}

// Reported wraps an error about which notes have said everything, so that it need not
// be printed.
type Reported struct{ Err error }

// Error returns the text of the wrapped error.
func (s *Reported) Error() string { return s.Err.Error() }

// Unwrap returns the wrapped error.
func (s *Reported) Unwrap() error { return s.Err }

// WasReported reports whether notes have said everything about err.
func WasReported(err error) bool {
	var s *Reported
	return errors.As(err, &s)
}
