package note

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Loudness says from which verbosity on a Note is worth printing; the values
// are mdadm's count of -v less that of -q.
type Loudness int

// Loudness of notes.
const (
	Always  Loudness = -1 << 30 // errors: --quiet does not hide them
	Warning Loudness = -1       // hidden by -qq
	Normal  Loudness = 0        // hidden by -q
	Chatty  Loudness = 1        // shown by -v

	VeryChatty Loudness = 2 // shown by -vv
)

// ID names what a sentence says, as "create.size-cannot-be-smaller-than-chunk":
// the package that says it, and the point. IDs are stable; the words belong to
// whoever prints them.
type ID string

// Sentence is something that can be said: its id, and what it is about in the
// order in which its words need it. An argument may be a Sentence.
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

// Of is a sentence.
func Of(id ID, args ...any) Sentence { return Sentence{ID: id, Args: args} }

// Renamed is the sentence with another name for what it calls from.
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

// Note is something a library call has to say to people while it works or
// plans.
type Note struct {
	Sentence
	Loudness Loudness `json:"-"`
	// Continued marks a line that belongs to the one before.
	Continued bool `json:"continued,omitempty"`
	// Extra marks a line that mdadm 4.2 would not have printed: the kernel's
	// reason, or who holds a busy device.
	Extra bool `json:"extra,omitempty"`
	// Bare marks a line that mdadm prints without its name in front.
	Bare bool `json:"bare,omitempty"`
	// Out marks a line that mdadm prints to its standard output, as it is.
	Out bool `json:"-"`
}

// Errno is an error of which a sentence gives the reason by its errno, if it
// has one, and not the error's own text.
type Errno struct{ Err error }

// Error gives the error's own text.
func (e Errno) Error() string { return e.Err.Error() }

// Unwrap gives the error.
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

// Plain is an error of which a sentence gives the text as it is.
type Plain struct{ Err error }

// Error gives the error's text.
func (p Plain) Error() string { return p.Err.Error() }

// Unwrap gives the error.
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

// Print is for what mdadm prints to its standard output.
func (r Reporter) Print(l Loudness, id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: l, Out: true})
}

// Beside reports a line that mdadm would not have, and that stands by itself.
func (r Reporter) Beside(id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: Always, Extra: true})
}

// Bare reports a line that comes without the program's name.
func (r Reporter) Bare(id ID, args ...any) {
	r.report(Note{Sentence: Of(id, args...), Loudness: Always, Bare: true})
}

// Fail says why something failed, and gives the error for it.
func (r Reporter) Fail(err error, id ID, args ...any) error {
	r.Say(Always, id, args...)
	return &Reported{Err: err}
}

// report hands a note over. An error among what it is about is one of its two
// kinds: all that comes out of a note can be printed and written as JSON.
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

// Reported wraps an error about which everything has been said in notes, so that
// nobody needs to print it.
type Reported struct{ Err error }

// Error gives the text of what it wraps.
func (s *Reported) Error() string { return s.Err.Error() }

// Unwrap gives what it wraps.
func (s *Reported) Unwrap() error { return s.Err }

// WasReported reports whether err has been said in notes.
func WasReported(err error) bool {
	var s *Reported
	return errors.As(err, &s)
}
