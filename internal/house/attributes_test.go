package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// byName are the calls that take the name of an attribute.
var byName = map[string]bool{
	"Read": true, "ReadUint": true, "ReadBool": true, "Write": true, "Path": true, "Link": true, "Sys": true, "Join": true,
	"Watch": true, "Custom": true,
}

// attributeNames are the names of all attributes of arrays and members and of
// the parameters of the modules, as sysfs/md knows them.
func attributeNames() map[string]bool {
	names := make(map[string]bool)
	for _, at := range slices.Concat(sysmd.Attributes(), sysmd.MemberAttributes()) {
		names[at.Name] = true
	}
	for _, at := range sysmd.ParamAttributes() {
		names[path.Base(at.Name)] = true
	}
	return names
}

// namedAttributes returns the places in a file that name an attribute of md: by a
// word that means nothing else (array_state), at the end of a path (md/level), or
// by an ordinary word (level, size) as an argument that is a name; and those that
// build the path of an array's folder by hand.
func namedAttributes(t *testing.T, name string, src []byte, names map[string]bool) (found []string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	report := func(lit *ast.BasicLit, text string) {
		found = append(found, fset.Position(lit.Pos()).String()+": "+text)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !byName[sel.Sel.Name] {
				return true
			}
			for _, arg := range n.Args {
				if lit, text := literal(arg); names[text] && !distinct(text) || text == "md" && sel.Sel.Name == "Sys" {
					report(lit, text)
				}
			}
		case *ast.BasicLit:
			if lit, text := literal(n); attributeIn(text, names) {
				report(lit, text)
			}
		}
		return true
	})
	return found
}

// distinct reports whether an attribute's name is not an ordinary word.
func distinct(name string) bool { return strings.ContainsAny(name, "_/") }

// attributeIn reports whether a text is the name of an attribute, or a path that
// ends in one.
func attributeIn(text string, names map[string]bool) bool {
	for name := range names {
		if distinct(name) && (text == name || strings.HasSuffix(text, "/"+name)) ||
			text == "/"+name || strings.HasSuffix(text, "md/"+name) {
			return true
		}
	}
	return false
}

// literal returns a string literal and its value, or "" for anything else.
func literal(e ast.Expr) (*ast.BasicLit, string) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil, ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return nil, ""
	}
	return lit, text
}

// TestManageNamesNoAttributes checks that what is done to live arrays goes through
// the types of sysfs/md, which alone knows the kernel's names and forms.
func TestManageNamesNoAttributes(t *testing.T) {
	names := attributeNames()
	walkGo(t, func(path string, src []byte) {
		if !strings.HasPrefix(path, "manage/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, place := range namedAttributes(t, path, src, names) {
			t.Errorf("%s: take or make the accessor of sysfs/md", place)
		}
	})
}

// TestNamedAttributes checks that the test above finds every form it is there for.
func TestNamedAttributes(t *testing.T) {
	names := attributeNames()
	for line, want := range map[string]int{
		`d.Read("array_state")`:                              1,
		`x := "sync_action"`:                                 1,
		`x := step{What: "bitmap/location"}`:                 1,
		`d.ReadUint("size")`:                                 1,
		`d.Read("md/level")`:                                 1,
		`x := "/sys/block/" + name + "/md/layout"`:           1,
		`x := "/sys/module/raid0/parameters/default_layout"`: 1,
		`say("level", "size", "errors")`:                     0,
		`fs.Sys("block", name, "md")`:                        1,
		`x := dir + "/state"`:                                1,
		`d.Read("dm/uuid")`:                                  0,
		`x := "array_state is wrong"`:                        0,
		`d.Read("read_ahead_kb")`:                            0,
	} {
		src := "package p\nimport \"errors\"\nfunc f() {\n" + line + "\n}\n"
		if got := namedAttributes(t, "p.go", []byte(src), names); len(got) != want {
			t.Errorf("%s: %q, want %d", line, got, want)
		}
	}
}
