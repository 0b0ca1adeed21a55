package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestOneAsksForDryRuns checks that in manage only plan.Runner asks whether a run
// is dry: DryRun is a field of requests, and is handed on from them. Code that
// asks by itself sooner or later shows other steps than it takes.
func TestOneAsksForDryRuns(t *testing.T) {
	walkGo(t, func(path string, src []byte) {
		if !strings.HasPrefix(path, "manage/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, at := range dryRuns(t, path, src) {
			t.Errorf("%s: asks whether the run is dry: that is for plan.Runner; see plan.AsideStep and plan.Foreseen", at)
		}
	})
}

// dryRuns returns the places in a file that use DryRun where they should not.
func dryRuns(t *testing.T, path string, src []byte) (places []token.Position) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	fine := make(map[*ast.Ident]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		for _, id := range dryRunsAllowed(path, n) {
			fine[id] = true
		}
		return true
	})
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && isDryRun(id) && !fine[id] {
			places = append(places, fset.Position(id.Pos()))
		}
		return true
	})
	return places
}

func isDryRun(id *ast.Ident) bool {
	word := strings.ToLower(id.Name)
	return word == "dry" || strings.Contains(word, "dryrun")
}

// dryRunsAllowed returns the uses of DryRun that are allowed in a node: fields of
// requests, Runner with its methods, and a DryRun set from another one.
func dryRunsAllowed(path string, n ast.Node) (ids []*ast.Ident) {
	runner := path == "manage/plan/runner.go"
	switch n := n.(type) {
	case *ast.TypeSpec:
		s, ok := n.Type.(*ast.StructType)
		if !ok || !strings.HasSuffix(n.Name.Name, "Request") && !(runner && n.Name.Name == "Runner") {
			return nil
		}
		for _, f := range s.Fields.List {
			ids = append(ids, f.Names...)
		}
	case *ast.FuncDecl:
		if !runner || n.Recv == nil {
			return nil
		}
		ast.Inspect(n, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				ids = append(ids, s.Sel)
			}
			return true
		})
	case *ast.KeyValueExpr:
		to, ok := n.Key.(*ast.Ident)
		if from := handedOn(n.Value); ok && isDryRun(to) && from != nil {
			return []*ast.Ident{to, from}
		}
	case *ast.AssignStmt:
		for i := range min(len(n.Lhs), len(n.Rhs)) {
			if to, from := handedOn(n.Lhs[i]), handedOn(n.Rhs[i]); to != nil && from != nil {
				ids = append(ids, to, from)
			}
		}
	}
	return ids
}

// handedOn returns the identifier DryRun of x.DryRun.
func handedOn(e ast.Expr) *ast.Ident {
	if s, ok := e.(*ast.SelectorExpr); ok && s.Sel.Name == "DryRun" {
		return s.Sel
	}
	return nil
}

// TestDryRunsAreFound tries the check on what it must find, and must not.
func TestDryRunsAreFound(t *testing.T) {
	for code, found := range map[string]int{
		"type AddRequest struct { DryRun bool }":                       0,
		"type adder struct { DryRun bool }":                            1,
		"func (a *adder) f() { r := Runner{DryRun: a.DryRun}; _ = r }": 0,
		"func (a *adder) f() { a.runner.DryRun = a.req.DryRun }":       0,
		"func (a *adder) f() { if a.DryRun { return } }":               1,
		"func (a *adder) f() { dry := a.DryRun; _ = dry }":             3,
		"func (a *adder) f() { g(!a.DryRun) }":                         1,
		"func f(dryRun bool) {}":                                       1,
		"func (r *Runner) f() bool { return r.DryRun }":                1,
	} {
		if got := dryRuns(t, "manage/x.go", []byte("package x\n"+code)); len(got) != found {
			t.Errorf("%s: found %v", code, got)
		}
	}
	if got := dryRuns(t, "manage/plan/runner.go", []byte("package plan\nfunc (r *Runner) f() bool { return r.DryRun }")); len(got) != 0 {
		t.Errorf("the runner itself: %v", got)
	}
}
