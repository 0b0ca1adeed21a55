package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/house/floorplan"
)

// TestPortable checks that the verbs and the engine under them build wherever a
// disk image may have to be rescued, and that everything builds for Linux on the
// other processor that people have.
//
// For other systems, type checking is enough: all that can be wrong only there is
// a name that a build tag leaves out, or a type of another size. To generate code,
// the standard library's first, would take a minute for each system and find
// nothing more.
func TestPortable(t *testing.T) {
	verbs := []string{"./cmd/mdkit", "./engine/..."}
	for _, target := range []struct {
		goos, goarch string
		packages     []string
	}{
		{"darwin", "arm64", verbs},
		{"darwin", "amd64", verbs},
		{"windows", "amd64", verbs},
		{"windows", "arm64", verbs},
		{"freebsd", "amd64", verbs},
		{"freebsd", "arm64", verbs},
		{"linux", "arm64", []string{"./..."}},
		// The parsers with their tests, on a big-endian machine.
		{"linux", "s390x", []string{"-test", "./engine/..."}},
	} {
		t.Run(target.goos+"_"+target.goarch, func(t *testing.T) {
			t.Parallel()
			typeCheck(t, elsewhere(target.goos, target.goarch), target.goarch, target.packages)
		})
	}
	// The one package that has assembly, and files only for other processors, is
	// also assembled for one of them and vetted for the other.
	for _, target := range []struct{ goarch, command string }{{"arm64", "build"}, {"s390x", "vet"}} {
		t.Run("raid_"+target.goarch+"_"+target.command, func(t *testing.T) {
			goTool(t, elsewhere("linux", target.goarch), target.command, "./engine/raid")
		})
	}
}

// TestOnlyRaidKnowsProcessors checks that engine/raid is the only package of the
// engine with files for one processor: TestPortable gives it special treatment.
func TestOnlyRaidKnowsProcessors(t *testing.T) {
	format := "{{if or .IgnoredGoFiles .SFiles .IgnoredOtherFiles}}{{.ImportPath}}{{end}}"
	for line := range strings.Lines(string(goTool(t, elsewhere("linux", "s390x"), "list", "-f", format, "./engine/..."))) {
		switch strings.TrimSpace(strings.TrimPrefix(line, floorplan.Module)) {
		case "", "engine/raid":
		case "engine/block": // file_linux.go and file_other.go: systems, not processors
		default:
			t.Errorf("%s: vet this package for s390x in TestPortable", strings.TrimSpace(line))
		}
	}
}

// TestTypeCheckSees shows that a package that does not build elsewhere is found.
func TestTypeCheckSees(t *testing.T) {
	if complaints := typeErrors(t, elsewhere("darwin", "arm64"), "arm64", []string{"./manage/array/device"}); len(complaints) == 0 {
		t.Error("manage/array/device needs Linux, and darwin had no complaint")
	}
}

// elsewhere is the environment of a build for another system.
func elsewhere(goos, goarch string) []string {
	return []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0"}
}

// source is what go list says about a package, as far as a type checker needs it.
type source struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string // vendored packages, and those built for a test
	Module          *struct{ Path string }
	Error           *struct{ Err string }
}

// maxComplaints is how many errors for one target are worth reading.
const maxComplaints = 20

// typeCheck fails the test for every error that typeErrors finds.
func typeCheck(t *testing.T, env []string, goarch string, packages []string) {
	t.Helper()
	complaints := typeErrors(t, env, goarch, packages)
	for _, err := range complaints[:min(len(complaints), maxComplaints)] {
		t.Error(err)
	}
	if more := len(complaints) - maxComplaints; more > 0 {
		t.Errorf("and %d more", more)
	}
}

// typeErrors checks packages and all that they import, in the order of go list:
// what is imported comes first. The bodies of functions that are not ours are
// not checked.
func typeErrors(t *testing.T, env []string, goarch string, packages []string) (complaints []error) {
	t.Helper()
	args := append([]string{"list", "-e", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module,Error"}, packages...)
	dec := json.NewDecoder(bytes.NewReader(goTool(t, env, args...)))
	known := map[string]*types.Package{"unsafe": types.Unsafe}
	ours := 0
	for {
		var p source
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Error != nil {
			complaints = append(complaints, fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err))
		}
		if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") {
			continue // the latter is what go test writes
		}
		mine := p.Module != nil && p.Module.Path == strings.TrimSuffix(floorplan.Module, "/")
		if mine {
			ours++
		}
		pkg, wrong := p.check(known, goarch, mine)
		known[p.ImportPath] = pkg
		complaints = append(complaints, wrong...)
	}
	if ours == 0 {
		t.Errorf("none of %v is ours", packages)
	}
	return complaints
}

func (p *source) check(known map[string]*types.Package, goarch string, bodies bool) (pkg *types.Package, complaints []error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, []error{err}
		}
		files = append(files, f)
	}
	conf := types.Config{
		IgnoreFuncBodies: !bodies,
		Sizes:            types.SizesFor("gc", goarch),
		Importer: importerFunc(func(path string) (*types.Package, error) {
			if to, ok := p.ImportMap[path]; ok {
				path = to
			}
			if pkg := known[path]; pkg != nil {
				return pkg, nil
			}
			return nil, fmt.Errorf("%s has not been checked", path)
		}),
		Error: func(err error) { complaints = append(complaints, err) },
	}
	path, _, _ := strings.Cut(p.ImportPath, " ") // of "p [p.test]"
	pkg, _ = conf.Check(path, fset, files, nil)  // all errors have gone to Error
	return pkg, complaints
}

type importerFunc func(path string) (*types.Package, error)

func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }
