package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/house/floorplan"
)

// stairs gives the order of the packages that drive arrays: each builds only on
// those with lower numbers.
var stairs = map[string]int{
	"manage/plan":              1,
	"manage/array/device":      2,
	"manage/note":              3,
	"manage/array/clustered":   3,
	"manage/array/node":        4,
	"manage/array/live":        5,
	"manage/array/report":      6,
	"manage/array/create":      6,
	"manage/array/member":      6,
	"manage/array/metadata":    7,
	"manage/array/reshape":     7,
	"manage/array/assemble":    8,
	"manage/array/incremental": 9,
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func list(t *testing.T) []listed {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(goTool(t, nil, "list", "-json=ImportPath,Imports,Standard", "./...")))
	var all []listed
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestFloors(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, floorplan.Module)
		if floorplan.Workshop(from) {
			continue
		}
		level, known := floorplan.Floor(from)
		if !known {
			t.Errorf("%s stands on no floor: DESIGN allows engine ioctl sysfs dlm ebpf manage internal/cli cmd and the workshop packages", from)
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, from, level, imp)
		}
	}
}

func checkImport(t *testing.T, from string, level int, imp string) {
	t.Helper()
	to, ours := strings.CutPrefix(imp, floorplan.Module)
	switch {
	case ours && floorplan.Workshop(to):
		t.Errorf("%s imports %s: product code must not know the workshop", from, to)
	case ours:
		if above, _ := floorplan.Floor(to); above > level {
			t.Errorf("%s (floor %d) imports %s (floor %d): an arrow never runs upward", from, level, to, above)
		}
		if stair, ok := stairs[to]; ok && stairs[from] > 0 && stair >= stairs[from] {
			t.Errorf("%s (stair %d) imports %s (stair %d): facilities of arrays build on lower ones only", from, stairs[from], to, stair)
		}
		if level == 3 && sameFloorStranger(from, to) {
			t.Errorf("%s imports %s: kernel facilities do not know each other's insides", from, to)
		}
	case level == 1 && strings.Contains(imp, ".") && imp != "golang.org/x/sys/cpu" && !(from == "engine/block" && imp == "golang.org/x/sys/unix"):
		t.Errorf("%s imports %s: the ground floor stands on the standard library", from, imp)
	case level == 2 && strings.HasPrefix(imp, "golang.org/x/sys/unix"):
		t.Errorf("%s imports %s: the engine runs on any OS", from, imp)
	case level == 4 && (imp == "flag" || strings.HasPrefix(imp, "github.com/urfave/cli")):
		t.Errorf("%s imports %s: manage parses no argv", from, imp)
	}
}

// sameFloorStranger reports whether two packages of the kernel floor belong to
// different facilities: sysfs/md and sysfs/block are one family, sysfs/md and
// ioctl/md are strangers. sysfs itself, which reads attributes and knows no driver,
// serves them all.
func sameFloorStranger(from, to string) bool {
	level, _ := floorplan.Floor(to)
	if level != 3 || to == "sysfs" {
		return false
	}
	family, _, _ := strings.Cut(from, "/")
	other, _, _ := strings.Cut(to, "/")
	return family != other
}

// TestStairsAreComplete checks that every package that drives arrays has its
// place in stairs.
func TestStairsAreComplete(t *testing.T) {
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, floorplan.Module)
		if strings.HasPrefix(name, "manage/array") && stairs[name] == 0 {
			t.Errorf("%s is on no stair: say in stairs what it may build on", name)
		}
	}
}

// TestPictureIsTrue checks that the picture in docs/architecture.md shows the
// imports as they are.
func TestPictureIsTrue(t *testing.T) {
	imports, err := floorplan.Imports(root)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(floorplan.Page)))
	if err != nil {
		t.Fatal(err)
	}
	want, err := floorplan.Place(string(page), floorplan.Draw(imports))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != want {
		t.Errorf("%s is out of date: go run ./internal/house/cmd/floorplan draws it anew", floorplan.Page)
	}
}
