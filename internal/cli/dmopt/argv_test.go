package dmopt

import (
	"io"
	"strings"
	"testing"
)

// FuzzParse: no command line makes Parse panic, and what it accepts is consistent.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"create a --table x", "info -c -o name", "-j 253 -m 0 table", "stats list", "--mode 0660 create",
		"--readahead +8 resume x", "--udev-timeout 3s -- -x", "-vvvcinfo", "--udevcookie 0xd4d0001 ls",
	} {
		f.Add("dmsetup", line)
		f.Add("devmap_name", line)
	}
	f.Fuzz(func(t *testing.T, name, line string) {
		a, err := Parse(append([]string{name}, strings.Fields(line)...), io.Discard)
		if err == nil && a.Has(Major) != a.Has(Minor) {
			t.Errorf("%q: one of major and minor", line)
		}
		if a.Has(Table) && a.Has(NoTable) && err == nil {
			t.Errorf("%q: a table and none", line)
		}
	})
}
