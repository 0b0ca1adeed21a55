package demo

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	diskSize   = 48 << 20 // bytes
	members    = 4        // and one spare
	victim     = 1        // the member that fails
	array      = "/dev/md0"
	mountPoint = "/run/demo"

	keySum  = "sha256 of the array"
	keyTree = "sha256 of the files"
)

func lineKey(n int) string { return fmt.Sprintf("line %d", n) }

// TestDemo plays the first half of the story under a real kernel, and the second
// on the host.
func TestDemo(t *testing.T) {
	cases := lab.Cases(t, lab.Case{Name: "array", Run: guestStory})
	e2fsprogs := lab.Peer(t, "e2fsprogs")
	mdkit := buildMdkit(t)
	files := map[string]string{"/sbin/mdadm": mdkit, "/tree": "../../engine"}
	for guest, host := range e2fsprogs.Files {
		files[guest] = host
	}
	say("A user-mode Linux kernel starts. Its %d disks of %d MiB are image files.\n", members+1, diskSize>>20)
	m := cases.Start(t, lab.Spec{Modules: []string{"raid456"}, Disks: images(t), Files: files}, "array")
	retell(m)
	if m.Wait(); t.Failed() {
		return
	}
	sum, tree := string(m.Await(keySum)), string(m.Await(keyTree))
	say("\nThe kernel is gone. It read from the array, as its last act:\n  sha256 %s", sum)
	say("\nOn this host there is no md driver at work. mdkit reads the images:")
	current := slices.Delete(slices.Clone(m.Disks), victim, victim+1)
	showVerify(t, mdkit, current)
	for missing := range current {
		readWithout(t, mdkit, current, missing, sum)
	}
	readTree(t, mdkit, e2fsprogs, current[1:], tree)
	say("\nWhichever member is missing, the data is what was written.")
}

// images makes the disks of the story.
func images(t *testing.T) []lab.Disk {
	t.Helper()
	dir := t.TempDir()
	var disks []lab.Disk
	for i := range members + 1 {
		path := filepath.Join(dir, fmt.Sprintf("disk%c.img", 'a'+i))
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, diskSize); err != nil {
			t.Fatal(err)
		}
		disks = append(disks, lab.Disk{Path: path})
	}
	return disks
}

// buildMdkit builds the one binary that is also the guest's mdadm.
func buildMdkit(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mdkit")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/mdkit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// say tells a line of the story, on standard output: the story is what `make
// demo` is for.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// retell prints the guest's lines until it ends the story.
func retell(m *lab.Machine) {
	for n := 0; ; n++ {
		line := m.Await(lineKey(n))
		if len(line) == 0 {
			return
		}
		say("%s", line)
	}
}

// showVerify runs mdkit verify, which must find nothing wrong.
func showVerify(t *testing.T, mdkit string, images []string) {
	t.Helper()
	t.Chdir(filepath.Dir(images[0])) // so that the story shows no long paths
	short := strings.Fields(names(images))
	out := run(t, mdkit, append([]string{"verify"}, short...)...)
	say("  $ mdkit verify %s\n%s", names(images), indent(out))
}

// readWithout reads the whole array from all images but one.
func readWithout(t *testing.T, mdkit string, images []string, missing int, want string) {
	t.Helper()
	rest := slices.Delete(slices.Clone(images), missing, missing+1)
	slices.Reverse(rest) // any order will do
	got := digest(t, strings.NewReader(run(t, mdkit, append([]string{"open", "--cat"}, rest...)...)))
	say("  $ mdkit open --cat %s | sha256sum\n    %s", names(rest), got)
	if got != want {
		t.Errorf("sha256 without %s is %s, the kernel read %s", filepath.Base(images[missing]), got, want)
	}
}

// readTree copies the array out and takes the files from the filesystem on it.
func readTree(t *testing.T, mdkit string, e2fsprogs *lab.Tool, images []string, want string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "array.img")
	run(t, mdkit, append([]string{"open", "--copy", copied}, images...)...)
	files := t.TempDir()
	cmd := e2fsprogs.Program(t.Context(), "debugfs", "-R", "rdump / "+files, copied)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	got := digestTree(t, files)
	say("  $ mdkit open --copy array.img %s\n    and the files in it: sha256 %s", names(images), got)
	if got != want {
		t.Errorf("sha256 of the files is %s, in the lab kernel it was %s", got, want)
	}
}

// run runs a program that must succeed and returns its standard output.
func run(t *testing.T, path string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(path), strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	if stdout.Len() == 0 {
		return stderr.String() // mdadm writes its messages there
	}
	return stdout.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

// names returns the files without their folder, for the story.
func names(paths []string) string {
	var short []string
	for _, p := range paths {
		short = append(short, filepath.Base(p))
	}
	return strings.Join(short, " ")
}
