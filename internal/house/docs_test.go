package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestExportedIsDocumented checks that everything exported by a package that a Go
// program would import has a doc comment, and so has every package.
func TestExportedIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	packages := map[string]bool{}
	walkGo(t, func(path string, src []byte) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata/") {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, src, parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		dir := path[:strings.LastIndex("/"+path, "/")]
		packages[dir] = true
		if file.Doc != nil {
			documented[dir] = true
		}
		for _, decl := range file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: exported %s has no doc sentence", fset.Position(decl.Pos()), name)
			}
		}
	})
	for dir := range packages {
		if !documented[dir] {
			t.Errorf("package %s has no doc sentence", dir)
		}
	}
}

// undocumented returns the exported names that decl declares without a comment.
func undocumented(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !wellKnown(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		return undocumentedSpecs(d)
	}
	return nil
}

func undocumentedSpecs(d *ast.GenDecl) []string {
	var names []string
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
				names = append(names, s.Name.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			for _, n := range s.Names {
				if n.IsExported() {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	switch x := typ.(type) {
	case *ast.IndexExpr:
		typ = x.X
	case *ast.IndexListExpr:
		typ = x.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// wellKnown reports whether a method is one whose interface says all there is to
// say.
func wellKnown(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	switch d.Name.Name {
	case "Error", "Unwrap", "Is", "String", "MarshalText", "MarshalJSON", "Len", "Less", "Swap", "Close":
		return true
	}
	return false
}
