package mdadm

import (
	"fmt"
	"io"

	"github.com/mdkit/mdkit/engine/md"
)

// writer is what text is put together on: the end of it checks for errors.
type writer interface {
	io.Writer
	io.StringWriter
	io.ByteWriter
}

const unknownWord = "-unknown-"

// levelWord is the word for a level in reports.
func levelWord(l md.Level) string {
	if l.Known() {
		return l.String()
	}
	return unknownWord
}

// layoutWord is the word for a layout in reports.
func layoutWord(l md.Level, layout int32) string {
	if word, ok := md.LayoutName(l, layout); ok {
		return word
	}
	return unknownWord
}

func cleanWord(clean bool) string {
	if clean {
		return "clean"
	}
	return "active"
}

// checksumText prints what the checksum is, and what it should be if it is not.
func checksumText(w writer, got, want uint32) {
	if got == want {
		fmt.Fprintf(w, "       Checksum : %x - correct\n", got)
	} else {
		fmt.Fprintf(w, "       Checksum : %x - expected %x\n", got, want)
	}
}
