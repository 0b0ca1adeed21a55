package mdtext

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/manage/note"
)

// plainText are the sentences without words of their own.
var plainText = map[note.ID]string{note.Reason: "%v", note.About: "%v %v", note.In: "%v: %v"}

// Sentences are mdadm's words by id: formats of package fmt, with their arguments
// in the order in which a note has them.
var Sentences = sync.OnceValue(func() map[note.ID]string {
	all := maps.Clone(plainText)
	for _, text := range []map[note.ID]string{
		assembleText, createText, incrementalText, liveText, memberText, metadataText, nodeText, noteText, reshapeText,
	} {
		maps.Copy(all, text)
	}
	return all
})

// Of puts a sentence into mdadm's words. A sentence without words would show its id;
// a test makes sure that there is none.
func Of(s note.Sentence) string {
	if s.None() {
		return ""
	}
	text, ok := Sentences()[s.ID]
	if !ok {
		return fmt.Sprint(s.ID, " ", s.Args)
	}
	return say(text, s.Args)
}

// say fills the arguments of a sentence into a format.
func say(text string, given []any) string {
	args := make([]any, len(given))
	for i, a := range given {
		switch a := a.(type) {
		case note.Sentence:
			args[i] = Of(a)
		case note.Errno:
			args[i] = Errno(a.Err)
		case note.Plain:
			args[i] = a.Error()
		default:
			args[i] = a
		}
	}
	return fmt.Sprintf(text, args...)
}

// Errno returns the C library's text for the errno in err, which is how mdadm
// prints reasons: "Device or resource busy". For an error without an errno it
// returns the error's own text.
func Errno(err error) string {
	var no unix.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	if unix.ErrnoName(no) == "" {
		return fmt.Sprintf("Unknown error %d", int(no))
	}
	text := no.Error()
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}
