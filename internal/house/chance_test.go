package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// seededRand is the part of math/rand that draws nothing by itself: types, and
// what is made from a seed.
var seededRand = []string{"ChaCha8", "New", "NewChaCha8", "NewPCG", "NewSource", "NewZipf", "PCG", "Rand", "Source", "Source64", "Zipf"}

// TestNoChanceOfItsOwn checks that whatever a test leaves to chance depends on one
// number (lab.Seed, lab.Rand, lab.Sample), so that a failure can be repeated.
// Constant seeds are fine. The lab itself draws that number.
func TestNoChanceOfItsOwn(t *testing.T) {
	walkGo(t, func(path string, src []byte) {
		if strings.HasPrefix(path, "internal/lab/") && !strings.HasPrefix(path, "internal/lab/powercut/") {
			return
		}
		complaints, err := ownChance(path, src)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range complaints {
			t.Errorf("%s: take lab.Seed, lab.Rand or lab.Sample, or have the caller give the seed", c)
		}
	})
}

// TestOwnChanceIsSeen tries TestNoChanceOfItsOwn on what it must find.
func TestOwnChanceIsSeen(t *testing.T) {
	const head = "package p\nimport (\n\t\"os\"\n\t\"testing\"\n\t\"time\"\n\tr \"math/rand/v2\"\n\tc \"crypto/rand\"\n)\n"
	for line, want := range map[string]string{
		"var n = r.Uint64()": "math/rand/v2.Uint64",
		"var n = r.N(10)":    "math/rand/v2.N",
		"var f = r.Shuffle":  "math/rand/v2.Shuffle",
		"var n = r.New(r.NewPCG(uint64(time.Now().UnixNano()), 0))":                "UnixNano",
		"var n = time.Now().UnixMilli()":                                           "UnixMilli",
		"var n = r.New(r.NewPCG(uint64(time.Now().Second()), 0))":                  "time.Now in a seed",
		"var n = r.New(r.NewPCG(uint64(os.Getpid()), 0))":                          "os.Getpid in a seed",
		"var _, e = c.Read(nil)":                                                   "crypto/rand.Read",
		`var s = os.Getenv("MDKIT_SEED")`:                                          `"MDKIT_SEED"`,
		`var s = os.Getenv("MDKIT_SOAK")`:                                          `"MDKIT_SOAK"`,
		"var n = r.New(r.NewPCG(7, 0)).Uint64()":                                   "",
		"func f(rng *r.Rand, seed uint64) { r.New(r.NewPCG(seed, rng.Uint64())) }": "",
		"var at = time.Now()":                                                      "",
	} {
		got, err := ownChance("p_test.go", []byte(head+line+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		var wanted []string
		if want != "" {
			wanted = []string{"p_test.go:9: " + want}
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s\ngives %q; want %q", line, got, wanted)
		}
	}
	if got, err := ownChance("p.go", []byte("package p\nimport \"math/rand/v2\"\nvar n = rand.Uint64()\n")); got != nil || err != nil {
		t.Errorf("a file without tests: %q, %v", got, err)
	}
}

// ownChance lists where a file of tests, or of helpers of tests, draws numbers
// of its own.
func ownChance(path string, src []byte) (complaints []string, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	imports := make(map[string]string) // local name: path
	testing := strings.HasSuffix(path, "_test.go")
	for _, imp := range file.Imports {
		full, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, err
		}
		testing = testing || full == "testing"
		name := strings.TrimSuffix(full, "/v2")
		name = name[strings.LastIndex(name, "/")+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		imports[name] = full
	}
	if !testing {
		return nil, nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if what, inside := draws(n, imports); what != "" {
			complaints = append(complaints, fmt.Sprintf("%s: %s", position(fset, n), what))
			return inside
		}
		return true
	})
	return complaints, nil
}

func position(fset *token.FileSet, n ast.Node) string {
	at := fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}

// draws names what a node of a test takes from chance or the clock, and says
// whether the nodes inside it are to be looked at as well.
func draws(n ast.Node, imports map[string]string) (what string, inside bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		if n.Value == `"MDKIT_SEED"` || n.Value == `"MDKIT_SOAK"` {
			return n.Value, false
		}
	case *ast.SelectorExpr:
		switch n.Sel.Name {
		case "UnixNano", "UnixMicro", "UnixMilli": // in a test, only a seed needs them
			return n.Sel.Name, false
		}
		switch pkg := packageOf(n, imports); pkg {
		case "math/rand", "math/rand/v2":
			if !slices.Contains(seededRand, n.Sel.Name) {
				return pkg + "." + n.Sel.Name, false
			}
		case "crypto/rand":
			return pkg + "." + n.Sel.Name, false
		}
	case *ast.CallExpr:
		fun, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || !strings.HasPrefix(packageOf(fun, imports), "math/rand") {
			return "", true
		}
		return variableSeed(n, imports), false
	}
	return "", true
}

// variableSeed names what in the arguments of a call differs from run to run.
func variableSeed(call *ast.CallExpr, imports map[string]string) (what string) {
	ast.Inspect(call, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || what != "" {
			return what == ""
		}
		what, _ = draws(s, imports)
		switch name := packageOf(s, imports) + "." + s.Sel.Name; name {
		case "time.Now", "time.Since", "os.Getpid", "os.Getppid":
			what = name + " in a seed"
		}
		return what == ""
	})
	return what
}

// packageOf is the path of the package that s is a member of, or "".
func packageOf(s *ast.SelectorExpr, imports map[string]string) string {
	if id, ok := s.X.(*ast.Ident); ok {
		return imports[id.Name]
	}
	return ""
}

// TestPropertiesFollowTheSeed checks that packages with property tests call
// lab.Main, which hands the seed to package rapid.
func TestPropertiesFollowTheSeed(t *testing.T) {
	follows, draws := make(map[string]bool), make(map[string]bool)
	walkGo(t, func(path string, src []byte) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := path[:strings.LastIndex("/"+path, "/")]
		follows[dir] = follows[dir] || strings.Contains(string(src), "lab.Main(")
		draws[dir] = draws[dir] || strings.Contains(string(src), "\"pgregory.net/rapid\"\n")
	})
	for dir := range draws {
		if draws[dir] && !follows[dir] {
			t.Errorf("%s has property tests, but no TestMain that calls lab.Main", dir)
		}
	}
}
