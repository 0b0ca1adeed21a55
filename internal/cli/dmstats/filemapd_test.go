package dmstats

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestFilemapdArguments shows that the daemon refuses what it cannot follow.
func TestFilemapdArguments(t *testing.T) {
	for line, want := range map[string]string{
		"":                      "Wrong number of arguments.\n" + filemapdUsage,
		"x 0 /f inode":          "Could not parse file descriptor: x",
		"3 x /f inode":          "Could not parse group identifier: x",
		"3 0 f inode":           "Path argument must specify an absolute path.",
		"3 0 /f what":           "Could not parse dmfilemapd mode: what",
		"3 0 /f inode x":        "Could not parse debug argument: x.",
		"3 0 /f path 1 x":       "Could not parse verbose argument: x",
		"3 0 /f path 1 9":       "Verbose argument out of range: 9.",
		"3 0 '' inode":          "Path argument is required.",
		"3 0 /f ''":             "Mode argument is required.",
		"987654321 0 /f path 1": "/f: fstat: bad file descriptor\nExiting",
	} {
		var out, errs bytes.Buffer
		code := Filemapd(t.Context(), append([]string{"dmfilemapd"}, words(line)...), ui.IO{Out: &out, Err: &errs})
		if code != 1 || errs.String() != want+"\n" {
			t.Errorf("%q: exit %d, %q", line, code, errs.String())
		}
	}
	f, complaint := parseFilemapd([]string{"3", "7", "/f", "path", "1", "2"})
	if complaint != "" || f != (filemapd{fd: 3, group: 7, path: "/f", follow: true, foreground: true, verbose: 2}) {
		t.Error(f, complaint)
	}
}

// words splits a line at blanks; a pair of quotes is an empty word.
func words(line string) []string {
	list := strings.Fields(line)
	for i, w := range list {
		list[i] = strings.TrimPrefix(w, "''")
	}
	return list
}
