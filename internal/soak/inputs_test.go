package soak

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// module is a module of four packages: a imports b, and its tests import d and use
// files in a folder beside it; c stands alone.
var module = map[string]string{
	"go.mod":                "module example.org/m\n\ngo 1.26\n",
	"go.sum":                "",
	"a/a.go":                "package a\n\nimport _ \"example.org/m/b\"\n",
	"a/a_test.go":           "package a\n\nimport (\n\t\"os\"\n\t\"testing\"\n\n\t_ \"example.org/m/internal/lab\"\n)\n\nfunc TestB(t *testing.T) { os.ReadFile(\"../docs/page\") }\n\nfunc TestA(t *testing.T) {}\n\nfunc TestMain(m *testing.M) { m.Run() }\n",
	"a/x_test.go":           "package a_test\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n",
	"a/testdata/deep/image": "one",
	"b/b.go":                "package b\n\nimport _ \"embed\"\n\n//go:embed text\nvar _ string\n",
	"b/text":                "embedded",
	"b/testdata/image":      "two",
	"b/b_test.go":           "package b\n",
	"c/c.go":                "package c\n",
	"internal/lab/lab.go":   "package lab\n",
	"docs/page":             "page",
	"docs/other":            "other",
}

func TestInputs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range module {
		write(name, text)
	}
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")
	inputs := func(pkg string) string {
		t.Helper()
		tree, err := ReadTree(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		h, err := tree.Inputs(pkg)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first, firstC := inputs("./a"), inputs("./c")
	if again := inputs("./a"); again != first || first == firstC {
		t.Errorf("%s, %s; of another package %s", first, again, firstC)
	}
	// What a does not depend on. A comment keeps Go files valid.
	other := map[string]bool{"c/c.go": true, "b/b_test.go": true, "docs/other": true}
	for _, name := range slices.Sorted(maps.Keys(module)) {
		write(name, module[name]+"// changed\n")
		changed := inputs("./a") != first
		if changed == other[name] {
			t.Errorf("%s: another hash: %v", name, changed)
		}
		if changed := inputs("./c") != firstC; changed != (name == "c/c.go" || name == "go.mod" || name == "go.sum") {
			t.Errorf("%s: another hash of c: %v", name, changed)
		}
		write(name, module[name])
	}
	write("a/testdata/new", "")
	if inputs("./a") == first {
		t.Error("a new file in testdata is not seen")
	}
	tree, err := ReadTree(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if tests, err := tree.LabTests("./a"); err != nil || !reflect.DeepEqual(tests, []string{"TestA", "TestB"}) {
		t.Errorf("lab tests %v, %v", tests, err)
	}
	if _, err := tree.Inputs("./none"); err == nil {
		t.Error("a package that is not there has a hash")
	}
}
