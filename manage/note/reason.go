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

// Heard returns what the md driver has logged about the array with that kernel name
// since the last call, including lines that do not name an array.
func Heard(log *KernelLog, array string) []string {
	return log.Heard(func(line string) bool { return about(line, array) })
}

// about reports whether the message comes from the md driver, and not about another
// array.
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

// ExplainBusy says what an array is doing, if that is why it refuses a request.
func (r Reporter) ExplainBusy(a *sysmd.Array, err error) {
	if doing, readErr := a.SyncAction(); readErr == nil && doing != sysmd.Idle {
		r.Extra(Always, "note.held-up-by-its-own-action-idle-ends", a.Name(), doing)
	}
}
