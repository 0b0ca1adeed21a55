package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// byTheClock are the calls that can make a test's verdict depend on how fast the
// machine is.
var byTheClock = map[string]bool{
	"time.After": true, "time.AfterFunc": true, "time.NewTimer": true, "time.Sleep": true, "time.Tick": true, "time.NewTicker": true,
	"context.WithTimeout": true, "context.WithDeadline": true,
}

// TestNoVerdictByTheClock checks that tests wait for events (lab.Until, lab.Poll,
// lab.Receive, lab.Patient), with a deadline that is generous and can be
// stretched. If a test needs the clock itself, a comment on the line says why.
// The lab is exempt: it implements that waiting.
func TestNoVerdictByTheClock(t *testing.T) {
	walkGo(t, func(path string, src []byte) {
		if !strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "internal/lab/") && !strings.HasPrefix(path, "internal/lab/powercut/") {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		reasons := make(map[int]bool)
		for _, group := range file.Comments {
			for _, c := range group.List {
				reasons[fset.Position(c.Pos()).Line] = true
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if !ok || !byTheClock[pkg.Name+"."+call.Sel.Name] {
				return true
			}
			if at := fset.Position(n.Pos()); !reasons[at.Line] {
				t.Errorf("%s:%d: %s.%s: wait for the thing with package lab, or say on this line why the clock is meant", path, at.Line, pkg.Name, call.Sel.Name)
			}
			return true
		})
	})
}
