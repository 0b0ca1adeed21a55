package glob_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mdkit/mdkit/manage/mdconf/glob"
)

// cases are patterns and names, with the result of fnmatch(3) with FNM_PATHNAME.
var cases = []struct {
	pattern, name string
	want          bool
}{
	{"/dev/sda", "/dev/sda", true},
	{"/dev/sda", "/dev/sda1", false},
	{"/dev/sd*", "/dev/sda1", true},
	{"/dev/sd*", "/dev/sd", true},
	{"/dev/*", "/dev/disk/by-id", false},
	{"/dev/*/*", "/dev/disk/by-id", true},
	{"/dev?sda", "/dev/sda", false},
	{"*a*b*c", "xaybzbc", true},
	{"*a*b*c", "xaybzb", false},
	{"**", "x", true},
	{"/dev/x[!0]", "/dev/x1", true},
	{"/dev/x[!0]", "/dev/x0", false},
	{"/dev/x[^0]", "/dev/x1", true},
	{"/dev/x[!0]", "/dev/x", false},
	{"x[!a]y", "x/y", false},
	{"/dev/sd[a-c]", "/dev/sdb", true},
	{"/dev/sd[a-c]", "/dev/sdd", false},
	{"/dev/x[[:digit:]]", "/dev/x7", true},
	{"/dev/x[[:digit:]]", "/dev/xa", false},
	{"/dev/x[![:digit:]a]", "/dev/xb", true},
	{"/dev/x[![:digit:]a]", "/dev/xa", false},
	{"x[[:xdigit:]-]", "x-", true},
	{"x[[:nosuch:]]", "x:", false},
	{"x[]]", "x]", true},
	{"x[!]]", "x]", false},
	{"x[!]]", "xa", true},
	{"x[a-]", "x-", true},
	{"x[-a]", "x-", true},
	{"x[c-a]", "xb", false},
	{`x[\]]`, "x]", true},
	{`x[\a-c]`, "xb", true},
	{"x[[.a.]]", "xa", true},
	{"x[[=a=]b]", "xa", true},
	{"x[", "x[", true},
	{"x[ab", "x[ab", true},
	{"x[ab", "xa", false},
	{"x[[:", "x[[:", true},
	{"x[a/b]", "xa", false},
	{`x\*`, "x*", true},
	{`x\*`, "xy", false},
	{`x\`, `x\`, false},
	{"*", ".hidden", true},
	{"", "", true},
	{"", "x", false},
	{"*", "", true},
	{"?", "", false},
}

func TestMatch(t *testing.T) {
	for _, c := range cases {
		if got := glob.Match(c.pattern, c.name); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.name, got)
		}
	}
}

// TestLikeFind compares with find(1), which uses fnmatch(3), for names without a slash;
// slashes it would let any wildcard match.
func TestLikeFind(t *testing.T) {
	find, err := exec.LookPath("find")
	if err != nil {
		t.Skip("find is not installed")
	}
	asked := 0
	for _, c := range cases {
		if strings.Contains(c.name+c.pattern, "/") || c.name == "" || c.pattern == "" {
			continue
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(find, ".", "-type", "f", "-path", "./"+c.pattern)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
		if found := len(out) > 0; found != c.want {
			t.Errorf("%q and %q: find says %v", c.pattern, c.name, found)
		}
		asked++
	}
	t.Logf("find was asked about %d patterns", asked)
}

func TestExpand(t *testing.T) {
	files := fstest.MapFS{}
	for _, name := range []string{"dev/sda", "dev/sda1", "dev/sdb", "dev/.udev", "dev/disk/by-id/x", "dev/disk/by-path/y", "dev/md/0", "dev/a*b"} {
		files[name] = &fstest.MapFile{}
	}
	for pattern, want := range map[string]string{
		"/dev/sd[!b]":        "dev/sda",
		"/dev/sd*":           "dev/sda dev/sda1 dev/sdb",
		"/dev/sda":           "dev/sda",
		"/dev/none":          "",
		"/dev/*/by-*/[xy]":   "dev/disk/by-id/x dev/disk/by-path/y",
		"/dev/.*":            "dev/.udev",
		"/dev/*udev":         "",
		`/dev/a\*b`:          "dev/a*b",
		"/dev/sd[[:alpha:]]": "dev/sda dev/sdb",
	} {
		if got := glob.Expand(files, pattern); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q", pattern, got)
		}
	}
}

// FuzzMatch: no pattern makes Match read beyond its strings, and a name without
// wildcards matches itself.
func FuzzMatch(f *testing.F) {
	for _, c := range cases {
		f.Add(c.pattern, c.name)
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		glob.Match(pattern, name)
		if !strings.ContainsAny(name, `*?[\`) && !glob.Match(name, name) {
			t.Errorf("%q does not match itself", name)
		}
	})
}
