package note

import (
	"errors"
	"fmt"
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

// Note is something a library call has to say to people while it works or
// plans: one sentence without the name of the program.
type Note struct {
	Text     string   `json:"text"`
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

// Reporter takes notes in the order they arise.
type Reporter func(Note)

// Say reports a sentence.
func (r Reporter) Say(l Loudness, format string, args ...any) {
	if r != nil {
		r(Note{Text: fmt.Sprintf(format, args...), Loudness: l})
	}
}

// More reports a line that belongs to the one before.
func (r Reporter) More(l Loudness, format string, args ...any) {
	if r != nil {
		r(Note{Text: fmt.Sprintf(format, args...), Loudness: l, Continued: true})
	}
}

// Extra reports a line that mdadm 4.2 would not have printed.
func (r Reporter) Extra(l Loudness, format string, args ...any) {
	if r != nil {
		r(Note{Text: fmt.Sprintf(format, args...), Loudness: l, Continued: true, Extra: true})
	}
}

// Print is for what mdadm prints to its standard output.
func (r Reporter) Print(l Loudness, format string, args ...any) {
	if r != nil {
		r(Note{Text: fmt.Sprintf(format, args...), Loudness: l, Out: true})
	}
}

// Said wraps an error about which everything has been said in notes, so that
// nobody needs to print it.
type Said struct{ Err error }

// Error gives the text of what it wraps.
func (s *Said) Error() string { return s.Err.Error() }

// Unwrap gives what it wraps.
func (s *Said) Unwrap() error { return s.Err }

// Fail says why something failed, and gives the error for it.
func (r Reporter) Fail(err error, format string, args ...any) error {
	r.Say(Always, format, args...)
	return &Said{err}
}

// WasSaid reports whether err has been said in notes.
func WasSaid(err error) bool {
	var s *Said
	return errors.As(err, &s)
}

// Plural is the s behind a word for n things.
func Plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Beside reports a line that mdadm would not have, and that stands by itself.
func (r Reporter) Beside(format string, args ...any) {
	if r != nil {
		r(Note{Text: fmt.Sprintf(format, args...), Loudness: Always, Extra: true})
	}
}

// Bare reports a line that comes without the program's name.
func (r Reporter) Bare(format string, args ...any) {
	if r != nil {
		r(Note{Text: fmt.Sprintf(format, args...), Loudness: Always, Bare: true})
	}
}
