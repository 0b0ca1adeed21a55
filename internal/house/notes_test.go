package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// TestManageHasNoSentences checks that manage reports ids: the words belong to the
// faces. A sentence has blanks, an id has none.
func TestManageHasNoSentences(t *testing.T) {
	sayers := map[string]int{ // method to the position of the id
		"Say": 1, "More": 1, "Extra": 1, "Print": 1, "Fail": 1, "Beside": 0, "Bare": 0, "Of": 0,
		"refuse": 0, "odd": 0, "oddDetail": 0, "because": 0, "failed": 2, "tell": 0,
	}
	calls := 0
	walkGo(t, func(path string, src []byte) {
		if !strings.HasPrefix(path, "manage/array/") && !strings.HasPrefix(path, "manage/note/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			at, ok := sayers[name]
			if !ok || len(call.Args) <= at {
				return true
			}
			calls++
			lit, ok := call.Args[at].(*ast.BasicLit)
			if !ok {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && strings.ContainsAny(text, " %\n") {
				t.Errorf("%v: %q: give an id, and the words to internal/cli/mdadm/mdtext", fset.Position(lit.Pos()), text)
			}
			return true
		})
	})
	if calls < 300 {
		t.Errorf("only %d calls found", calls)
	}
}
