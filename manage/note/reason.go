package note

import (
	"strings"

	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// KernelSaid adds what the kernel has logged about the array.
func (r Reporter) KernelSaid(log *KernelLog, array string) {
	for _, line := range Heard(log, array) {
		r.Extra(Always, "note.kernel", line)
	}
}

// Heard gives what the md driver has said of the array with that kernel name
// since the last call. Lines of drivers that say no array's name are included.
func Heard(log *KernelLog, array string) []string {
	return log.Heard(func(line string) bool { return about(line, array) })
}

// about reports whether the message is one of the md driver's, and not of
// another array.
func about(line, array string) bool {
	if !strings.HasPrefix(line, "md") && !strings.HasPrefix(line, "raid") {
		return false
	}
	for _, w := range strings.FieldsFunc(line, func(r rune) bool { return r == ':' || r == '/' || r == ' ' || r == ',' }) {
		if w != array && len(w) > 2 && strings.HasPrefix(w, "md") && strings.IndexByte("0123456789_", w[2]) >= 0 {
			return false
		}
	}
	return true
}

// ExplainBusy says what an array is doing that refuses to do something else.
func (r Reporter) ExplainBusy(a *sysmd.Array, err error) {
	if doing, readErr := a.SyncAction(); readErr == nil && doing != sysmd.Idle {
		r.Extra(Always, "note.held-up-by-its-own-action-idle-ends", a.Name(), doing)
	}
}
