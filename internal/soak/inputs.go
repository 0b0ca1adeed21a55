package soak

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Tree is a module as `go list` describes it: what its packages are made of, to
// tell whether a test that passed once would still be the same test.
type Tree struct {
	root     string
	packages map[string]*listed // by import path, "p.test" and "q [p.test]" among them
	byDir    map[string]*listed // ordinary packages
	sums     map[string]string  // of files, by path
}

// listed is what go list is asked about a package.
type listed struct {
	ImportPath, Dir, Name, ForTest    string
	Standard                          bool
	Module                            *struct{ Main bool }
	GoFiles, CgoFiles, CFiles, HFiles []string
	SFiles, SysoFiles, EmbedFiles     []string
	TestGoFiles, XTestGoFiles         []string
	TestEmbedFiles, XTestEmbedFiles   []string
	Deps                              []string
	Error                             *struct{ Err string }
}

// own reports whether the package belongs to this module and was written by
// people.
func (p *listed) own() bool {
	return !p.Standard && p.Module != nil && p.Module.Main && !strings.HasSuffix(p.ImportPath, ".test")
}

// files lists the files in the package's folder that it consists of. For the
// variant of a package that go test builds, they include its test files.
func (p *listed) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.HFiles, p.SFiles, p.SysoFiles, p.EmbedFiles)
}

// ReadTree asks go list about the whole module whose root folder is root.
func ReadTree(ctx context.Context, root string) (*Tree, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	fields := "ImportPath,Dir,Name,ForTest,Standard,Module,GoFiles,CgoFiles,CFiles,HFiles,SFiles,SysoFiles,EmbedFiles," +
		"TestGoFiles,XTestGoFiles,TestEmbedFiles,XTestEmbedFiles,Deps,Error"
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-deps", "-test", "-json="+fields, "./...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	t := &Tree{root: root, packages: map[string]*listed{}, byDir: map[string]*listed{}, sums: map[string]string{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		t.packages[p.ImportPath] = &p
		if p.own() && p.ForTest == "" {
			t.byDir[p.Dir] = &p
		}
	}
}

// find returns the package in a folder, as named on the command line: ./engine/md.
func (t *Tree) find(pkg string) (*listed, error) {
	p := t.byDir[filepath.Join(t.root, pkg)]
	if p == nil {
		return nil, fmt.Errorf("%s: no package of this module", pkg)
	}
	if p.Error != nil {
		return nil, fmt.Errorf("%s: %s", pkg, p.Error.Err)
	}
	return p, nil
}

// Inputs returns a hash of everything that a package's tests depend on: the files
// of the package and of all packages of the module that it or its tests import,
// their embedded files and testdata, what the tests name by a relative path
// outside their folder, and go.mod and go.sum, which stand for the rest.
func (t *Tree) Inputs(pkg string) (string, error) {
	p, err := t.find(pkg)
	if err != nil {
		return "", err
	}
	files := map[string]bool{}
	t.addPackage(files, p)
	t.addTests(files, p)
	if test := t.packages[p.ImportPath+".test"]; test != nil {
		t.addDeps(files, test)
	}
	named, err := namedPaths(p)
	if err != nil {
		return "", err
	}
	for _, path := range named {
		if rel, err := filepath.Rel(t.root, path); err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if q := t.byDir[path]; q != nil { // a test that builds it
			t.addPackage(files, q)
			t.addDeps(files, q)
		}
		addAll(files, path)
	}
	files[filepath.Join(t.root, "go.mod")] = true
	files[filepath.Join(t.root, "go.sum")] = true
	h := sha256.New()
	var list []string
	for path := range files {
		sum, err := t.sum(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a module without dependencies has no go.sum
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", pkg, err)
		}
		rel, err := filepath.Rel(t.root, path)
		if err != nil {
			return "", err
		}
		list = append(list, filepath.ToSlash(rel)+" "+sum+"\n")
	}
	slices.Sort(list)
	for _, line := range list {
		io.WriteString(h, line) //nolint:errcheck // a hash takes everything
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12]), nil
}

func (t *Tree) addDeps(files map[string]bool, p *listed) {
	for _, name := range p.Deps {
		if q := t.packages[name]; q != nil && q.own() {
			t.addPackage(files, q)
		}
	}
}

// addPackage adds a package's files and its testdata. Tests of a dependency
// do not count: only those of the package itself are run.
func (t *Tree) addPackage(files map[string]bool, p *listed) {
	for _, name := range p.files() {
		files[filepath.Join(p.Dir, name)] = true
	}
	addAll(files, filepath.Join(p.Dir, "testdata"))
}

// addTests adds the test files of a package, and what they embed.
func (t *Tree) addTests(files map[string]bool, p *listed) {
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles, p.TestEmbedFiles, p.XTestEmbedFiles) {
		files[filepath.Join(p.Dir, name)] = true
	}
}

// addAll adds a file, or all files below a folder except hidden ones. What does
// not exist is not an input.
func addAll(files map[string]bool, path string) {
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error { //nolint:errcheck // see above
		switch {
		case err != nil:
			return nil //nolint:nilerr // see above
		case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Type().IsRegular():
			files[p] = true
		}
		return nil
	})
}

// sum is the hash of a file.
func (t *Tree) sum(path string) (string, error) {
	if s, ok := t.sums[path]; ok {
		return s, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	t.sums[path] = fmt.Sprintf("%x", sha256.Sum256(b))
	return t.sums[path], nil
}

// testFile is a test file of a package.
type testFile struct {
	lab   bool     // it uses the lab
	tests []string // its top-level tests
	paths []string // texts that begin with ../
}

// testFiles reads the test files of a package.
func testFiles(p *listed) ([]testFile, error) {
	var list []testFile
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		var tf testFile
		for _, imp := range f.Imports {
			tf.lab = tf.lab || strings.HasSuffix(imp.Path.Value, `/internal/lab"`)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				tf.tests = append(tf.tests, fn.Name.Name)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(s, "../") {
					tf.paths = append(tf.paths, s)
				}
			}
			return true
		})
		list = append(list, tf)
	}
	return list, nil
}

// namedPaths lists the files and folders outside the package's folder that its
// tests name.
func namedPaths(p *listed) ([]string, error) {
	files, err := testFiles(p)
	var list []string
	for _, f := range files {
		for _, s := range f.paths {
			list = append(list, filepath.Join(p.Dir, filepath.FromSlash(s)))
		}
	}
	return list, err
}

// LabTests lists the top-level tests of a package in files that use the lab: those
// that may take long.
func (t *Tree) LabTests(pkg string) ([]string, error) {
	p, err := t.find(pkg)
	if err != nil {
		return nil, err
	}
	files, err := testFiles(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pkg, err)
	}
	var list []string
	for _, f := range files {
		if f.lab {
			list = append(list, f.tests...)
		}
	}
	slices.Sort(list)
	return list, nil
}
