// Package floorplan knows on which floor of the house a package stands, and
// draws the picture of docs/architecture.md from what packages import.
package floorplan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Module is the import path all our packages start with.
const Module = "github.com/mdkit/mdkit/"

// Page is where the picture is, relative to the module's folder.
const Page = "docs/architecture.md"

// floors lists the floors, the lowest first.
var floors = []struct {
	title   string
	folders []string
}{
	{"devices, fields, findings, stripes", []string{"engine/block", "engine/binfmt", "engine/finding", "engine/raid"}},
	{"formats and personalities", []string{"engine"}},
	{"the kernel's interfaces", []string{"ioctl", "sysfs", "dlm", "ebpf"}},
	{"what is done to live devices", []string{"manage"}},
	{"command lines", []string{"internal/cli"}},
	{"programs", []string{"cmd"}},
}

// Floor says how high in the house a package stands: 1 is the ground floor. An
// import never goes to a higher floor.
func Floor(pkg string) (level int, known bool) {
	for i, f := range floors {
		for _, folder := range f.folders {
			if within(pkg, folder) {
				return i + 1, true
			}
		}
	}
	return 0, false
}

// Workshop reports whether a package serves to make and prove the house and is
// not a part of it: product code must not import it, and it may import anything.
func Workshop(pkg string) bool {
	for _, folder := range []string{"internal/lab", "internal/house", "internal/coverage", "internal/bench", "internal/demo", "internal/soak"} {
		if within(pkg, folder) {
			return true
		}
	}
	return false
}

func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// Imports asks the go command which packages of the module in dir each of its
// packages imports when it is built for Linux. Names are without Module; the
// workshop and what only tests use are left out.
func Imports(dir string) (map[string][]string, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := make(map[string][]string)
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("what go list says: %w", err)
		}
		name := strings.TrimPrefix(p.ImportPath, Module)
		if Workshop(name) || forTests(name) {
			continue
		}
		all[name] = nil
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, Module); ours {
				all[name] = append(all[name], to)
			}
		}
	}
	return all, nil
}

// forTests reports whether a package has helpers for tests, by a name such as the
// standard library uses.
func forTests(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// Draw returns the picture as Mermaid text: a box for each floor with its packages
// in it, and an arrow for each import that does not follow from others.
func Draw(imports map[string][]string) string {
	var b strings.Builder
	b.WriteString("flowchart TB\n")
	for level := len(floors); level > 0; level-- {
		fmt.Fprintf(&b, "  subgraph f%d[\"%d %s\"]\n", level, level, floors[level-1].title)
		for _, pkg := range slices.Sorted(maps.Keys(imports)) {
			if at, _ := Floor(pkg); at == level {
				fmt.Fprintf(&b, "    %s[\"%s\"]\n", id(pkg), pkg)
			}
		}
		b.WriteString("  end\n")
	}
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range direct(imports, pkg) {
			fmt.Fprintf(&b, "  %s --> %s\n", id(pkg), id(to))
		}
	}
	return b.String()
}

func id(pkg string) string { return strings.NewReplacer("/", "_", "-", "_").Replace(pkg) }

// direct lists, sorted, what a package imports and none of its other imports
// imports, directly or indirectly.
func direct(imports map[string][]string, pkg string) (list []string) {
	through := make(map[string]bool)
	for _, to := range imports[pkg] {
		for _, next := range imports[to] {
			reach(imports, next, through)
		}
	}
	for _, to := range imports[pkg] {
		if !through[to] {
			list = append(list, to)
		}
	}
	slices.Sort(list)
	return list
}

// reach adds a package and all that it imports to those seen.
func reach(imports map[string][]string, pkg string, seen map[string]bool) {
	if seen[pkg] {
		return
	}
	seen[pkg] = true
	for _, to := range imports[pkg] {
		reach(imports, to, seen)
	}
}

// The lines of the page between which the picture stands.
const (
	begin = "<!-- floorplan: go run ./internal/house/cmd/floorplan draws this -->\n```mermaid\n"
	end   = "```\n<!-- end of floorplan -->\n"
)

// Place returns the page with the picture in its place.
func Place(page, picture string) (string, error) {
	head, rest, ok := strings.Cut(page, begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("%s has no place for the picture", Page)
	}
	return head + begin + picture + end + tail, nil
}
