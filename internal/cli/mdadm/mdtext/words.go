package mdtext

import (
	"fmt"
	"io"

	"github.com/mdkit/mdkit/engine/md"
)

// Writer is what text is written to; errors are checked at the end.
type Writer interface {
	io.Writer
	io.StringWriter
	io.ByteWriter
}

// UnknownWord stands for a value that mdadm has no word for.
const UnknownWord = "-unknown-"

// LevelWord is the word for a level in reports.
func LevelWord(l md.Level) string {
	if l.Known() {
		return l.String()
	}
	return UnknownWord
}

// LayoutWord is the word for a layout in reports.
func LayoutWord(l md.Level, layout int32) string {
	if word, ok := md.LayoutName(l, layout); ok {
		return word
	}
	return UnknownWord
}

// CleanWord is the word for the state of an array.
func CleanWord(clean bool) string {
	if clean {
		return "clean"
	}
	return "active"
}

// ChecksumText prints the checksum, and if it is wrong, what it should be.
func ChecksumText(w Writer, got, want uint32) {
	if got == want {
		fmt.Fprintf(w, "       Checksum : %x - correct\n", got)
	} else {
		fmt.Fprintf(w, "       Checksum : %x - expected %x\n", got, want)
	}
}
