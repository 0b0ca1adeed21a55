package house

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSharedImagesAreDescribed compares testdata/images with its README: each
// image has a row that says the same as its own first line.
func TestSharedImagesAreDescribed(t *testing.T) {
	dir := filepath.Join(root, "testdata", "images")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		madeBy, _, _ := bytes.Cut(text, []byte("\n"))
		row := fmt.Sprintf("| `%s` | %s |\n", strings.TrimSuffix(filepath.Base(file), ".txtar"), madeBy)
		if !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks %s", row)
		}
	}
	if rows := strings.Count(string(readme), "\n| `"); rows != len(files) {
		t.Errorf("README.md has %d rows for %d images", rows, len(files))
	}
}

// TestSharedIsShared checks that each folder of shared files is used by more than
// one package: others belong in the package that uses them.
func TestSharedIsShared(t *testing.T) {
	kinds, err := os.ReadDir(filepath.Join(root, "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	users := make(map[string]map[string]bool)
	walkGo(t, func(path string, src []byte) {
		for _, kind := range kinds {
			if kind.IsDir() && strings.HasSuffix(path, "_test.go") && bytes.Contains(src, []byte("../testdata/"+kind.Name())) {
				if users[kind.Name()] == nil {
					users[kind.Name()] = make(map[string]bool)
				}
				users[kind.Name()][filepath.Dir(path)] = true
			}
		}
	})
	for _, kind := range kinds {
		if n := len(users[kind.Name()]); kind.IsDir() && n < 2 {
			t.Errorf("testdata/%s is used by the tests of %d packages", kind.Name(), n)
		}
	}
}
