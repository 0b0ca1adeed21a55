package md

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/sysfs"
)

// archive is a txtar file: a comment, then files, each after a line "-- name
// --". It keeps fixtures readable in review.
type archive struct {
	comment string
	names   []string
	files   map[string]string
}

func parseArchive(text string) archive {
	a := archive{files: map[string]string{}}
	name := ""
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "-- "); ok {
			if n, ok = strings.CutSuffix(n, " --\n"); ok {
				name = n
				a.names = append(a.names, name)
				a.files[name] = ""
				continue
			}
		}
		if name == "" {
			a.comment += line
		} else {
			a.files[name] += line
		}
	}
	return a
}

func (a archive) String() string {
	var b strings.Builder
	b.WriteString(a.comment)
	for _, name := range a.names {
		b.WriteString("-- " + name + " --\n" + a.files[name])
	}
	return b.String()
}

func (a *archive) add(name, text string) {
	if a.files == nil {
		a.files = map[string]string{}
	}
	a.names = append(a.names, name)
	a.files[name] = text
}

func readArchive(t testing.TB, path string) archive {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := parseArchive(string(text))
	if a.String() != string(text) {
		t.Fatalf("%s does not round trip", path)
	}
	return a
}

// unpack creates the files and links of an archive below root.
func unpack(path, root string) (sysfs.FS, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for name, text := range parseArchive(string(text)).files {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if isLink {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return sysfs.NewFS(root)
}

// Unpack is unpack for the examples.
var Unpack = unpack
