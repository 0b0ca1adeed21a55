package house

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's folder, relative to this package's.
const root = "../.."

// goTool runs the go command in the module's root and returns its stdout.
func goTool(t *testing.T, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return out
}

// silent fails the test if the command prints anything: these tools print only
// what they object to.
func silent(t *testing.T, args ...string) {
	t.Helper()
	if out := goTool(t, nil, args...); len(out) > 0 {
		t.Errorf("go %s:\n%s", strings.Join(args, " "), out)
	}
}

// tool is the beginning of a command line for a tool of internal/tools/go.mod.
func tool(name string, args ...string) []string {
	return append([]string{"tool", "-modfile=internal/tools/go.mod", name}, args...)
}

func TestVet(t *testing.T) { silent(t, "vet", "./...") }

func TestTidy(t *testing.T) { silent(t, "mod", "tidy", "-diff") }

func TestFormat(t *testing.T) { silent(t, tool("gofumpt", "-l", ".")...) }

func TestStaticcheck(t *testing.T) { silent(t, tool("staticcheck", "./...")...) }

// TestDeadcode finds code that neither a command nor a test reaches, which is a
// defect. Examples without output are compiled but not run, so they look dead.
func TestDeadcode(t *testing.T) {
	for line := range strings.Lines(string(goTool(t, nil, tool("deadcode", "-test", "./...")...))) {
		if _, name, _ := strings.Cut(line, "unreachable func: "); !strings.HasPrefix(name, "Example") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// maxLines is the most lines that a file may have.
const maxLines = 700

func TestFilesAreRooms(t *testing.T) {
	walkGo(t, func(path string, src []byte) {
		if n := strings.Count(string(src), "\n"); n > maxLines {
			t.Errorf("%s has %d lines; split it by struct family or verb (limit %d)", path, n, maxLines)
		}
	})
}

// The limits above which a package is more than one facility, not counting tests.
// One file for each target or verb is the reason for the larger limits.
const (
	packageFiles, packageLines = 45, 7000
	manageFiles, manageLines   = 25, 4000
)

func TestPackagesAreFacilities(t *testing.T) {
	files, lines := map[string]int{}, map[string]int{}
	walkGo(t, func(file string, src []byte) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		dir := path.Dir(file)
		files[dir]++
		lines[dir] += strings.Count(string(src), "\n")
	})
	for dir, n := range files {
		maxFiles, maxLines := packageFiles, packageLines
		if strings.HasPrefix(dir, "manage/") {
			maxFiles, maxLines = manageFiles, manageLines
		}
		if n > maxFiles || lines[dir] > maxLines {
			t.Errorf("%s has %d files with %d lines; split it by facility (limits %d and %d)", dir, n, lines[dir], maxFiles, maxLines)
		}
	}
}

// walkGo calls visit with every Go file of the module, path relative to root.
func walkGo(t *testing.T, visit func(path string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
