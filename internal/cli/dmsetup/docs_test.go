package dmsetup

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
)

// TestManual looks in the manual for every command, and for every option that only mdkit
// has.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../../docs/dmsetup.8")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	for _, c := range slices.Concat(commands(), additions()) {
		if !strings.Contains(page, c.name) {
			t.Errorf("the command %s is not in docs/dmsetup.8", c.name)
		}
	}
	for _, l := range dmopt.LongOptions() {
		if l.Exact && !strings.Contains(page, "--"+l.Name) {
			t.Errorf("--%s is not in docs/dmsetup.8", l.Name)
		}
	}
}

// TestComplete checks what can come next.
func TestComplete(t *testing.T) {
	for _, c := range []struct {
		words []string
		has   string // empty: nothing
	}{
		{nil, "create"},
		{[]string{"-v"}, "--verbose"},
		{[]string{"stats"}, "report"},
		{[]string{"create"}, ""},
		{[]string{"nonsense"}, ""},
		{[]string{"ls"}, ""},
		{[]string{"rename", "a"}, ""},
	} {
		got := Complete(c.words)
		if c.has == "" && len(got) > 0 || c.has != "" && !slices.Contains(got, c.has) {
			t.Errorf("%q: %q", c.words, got)
		}
	}
	if got := CompleteStats(nil); !slices.Contains(got, "report") {
		t.Errorf("dmstats: %q", got)
	}
}
