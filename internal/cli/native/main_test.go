package native

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestInterspersed checks that flags may stand anywhere, keep their values, and end
// at "--".
func TestInterspersed(t *testing.T) {
	app := App(ui.IO{}, ui.Face{Name: "mdadm"})
	for line, want := range map[string]string{
		"open a b --cat":                      "open --cat -- a b",
		"open a --copy out b --force":         "open --copy out --force -- a b",
		"open a --copy=out b":                 "open --copy=out -- a b",
		"open a -q b --offset -1":             "open -q --offset -1 -- a b",
		"open --cat -- --copy -x":             "open --cat -- --copy -x",
		"open a --copy":                       "open --copy -- a",
		"open a - --cat":                      "open --cat -- a -",
		"open --nonsense a":                   "open --nonsense -- a",
		"mdadm -A /dev/md0 --scan":            "mdadm -A /dev/md0 --scan",
		"cluster leave a --force":             "cluster leave --force -- a",
		"nosuchverb a --b":                    "nosuchverb a --b",
		"open a --generate-bash-completion":   "open a --generate-bash-completion",
		"inspect x --only ppl --only bitmap ": "inspect --only ppl --only bitmap -- x",
	} {
		if got := strings.Join(interspersed(app, strings.Fields(line)), " "); got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
	if got := interspersed(app, nil); !slices.Equal(got, nil) {
		t.Errorf("nothing became %q", got)
	}
}

// TestEveryVerb checks that every verb follows the conventions.
func TestEveryVerb(t *testing.T) {
	for _, c := range App(ui.IO{}).VisibleCommands() {
		verbs := []*cli.Command{c}
		if len(c.Subcommands) > 0 {
			verbs = c.VisibleCommands()
		}
		for _, v := range verbs {
			if c.Category != categoryShell && !slices.ContainsFunc(v.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "json") }) {
				t.Errorf("%s %s has no --json", c.Name, v.Name)
			}
		}
		if !strings.Contains(c.Description, "Exit code") {
			t.Errorf("%s does not say its exit codes", c.Name)
		}
		if c.OnUsageError == nil {
			t.Errorf("%s leaves wrong usage to the library", c.Name)
		}
	}
}
