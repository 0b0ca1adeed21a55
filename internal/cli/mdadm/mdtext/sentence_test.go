package mdtext

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/manage/note"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		say  note.Sentence
		want string
	}{
		{note.Sentence{}, ""},
		{note.Of(note.Reason, "as it is"), "as it is"},
		{note.Of(note.In, "/dev/sda", note.Plain{Err: errors.New("it is odd")}), "/dev/sda: it is odd"},
		{note.Of("assemble.cannot-open-device", "/dev/sda", note.Errno{Err: fmt.Errorf("open: %w", unix.EBUSY)}), "cannot open device /dev/sda: Device or resource busy"},
		{note.Of("assemble.cannot-open-device", "x", note.Errno{Err: unix.Errno(524)}), "cannot open device x: Unknown error 524"},
		{
			note.Of("assemble.started", "md0", note.Of("assemble.drives", 2), note.Of("assemble.out-of", 3), note.Sentence{}, note.Of("assemble.and-one-spare", 1), note.Sentence{}),
			"md0 has been started with 2 drives (out of 3) and 1 spare.",
		},
	} {
		if got := Of(c.say); got != c.want {
			t.Errorf("%v: %q, want %q", c.say, got, c.want)
		}
	}
}

// idText matches ids.
var idText = regexp.MustCompile(`^(assemble|create|incremental|live|member|metadata|node|note|reshape)\.[a-z0-9-]+$`)

// TestEverySentenceHasWords compares the ids in the packages that report something
// with those that have words here, in both directions.
func TestEverySentenceHasWords(t *testing.T) {
	used := map[note.ID]string{}
	root := filepath.Join("..", "..", "..", "..", "manage")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && idText.MatchString(text) {
					used[note.ID(text)] = path
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(used) < 300 {
		t.Fatalf("only %d ids found", len(used))
	}
	for id, where := range used {
		if _, ok := Sentences()[id]; !ok {
			t.Errorf("%s: %s has no words", where, id)
		}
	}
	for id := range Sentences() {
		if _, plain := plainText[id]; !plain && used[id] == "" {
			t.Errorf("nobody says %s", id)
		}
	}
}
