package sysfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFS(t *testing.T) {
	root := t.TempDir()
	if _, err := NewFS(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("root without sys: %v", err)
	}
	write(t, filepath.Join(root, "sys"), "")
	if _, err := NewFS(root); err == nil {
		t.Error("sys may not be a file")
	}
	if got := Host.Sys("block", "md0"); got != "/sys/block/md0" {
		t.Error(got)
	}
	if got := FS("/fixture").Proc("self", "mountinfo"); got != "/fixture/proc/self/mountinfo" {
		t.Error(got)
	}
}

// pieces answers each read with the next of the given pieces, and counts the
// reads.
type pieces struct {
	list  []string
	reads int
}

func (p *pieces) read(b []byte, _ int64) (int, error) {
	p.reads++
	if len(p.list) == 0 {
		return 0, nil
	}
	n := copy(b, p.list[0])
	if p.list[0] = p.list[0][n:]; p.list[0] == "" {
		p.list = p.list[1:]
	}
	return n, nil
}

func TestReadAll(t *testing.T) {
	page := os.Getpagesize()
	full := strings.Repeat("x", page)
	for name, c := range map[string]struct {
		list  []string
		toEnd bool
		want  string
		reads int
	}{
		"attribute":           {[]string{"idle\n", "resync\n"}, false, "idle\n", 1},
		"empty attribute":     {nil, false, "", 1},
		"attribute of a page": {[]string{full, "y"}, false, full + "y", 2},
		"proc in pieces":      {[]string{"a\n", "b\n"}, true, "a\nb\n", 3},
		"proc over a page":    {[]string{full + "y", "z"}, true, full + "yz", 4},
	} {
		p := &pieces{list: c.list}
		got, err := readAll(p.read, c.toEnd)
		if err != nil || got != c.want || p.reads != c.reads {
			t.Errorf("%s: %d bytes in %d reads, %v; want %d in %d", name, len(got), p.reads, err, len(c.want), c.reads)
		}
	}
	endless := func(b []byte, _ int64) (int, error) { return len(b), nil }
	if _, err := readAll(endless, false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("endless attribute: %v", err)
	}
	failing := func([]byte, int64) (int, error) { return 0, fs.ErrPermission }
	if _, err := readAll(failing, true); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("failing read: %v", err)
	}
}

func TestDir(t *testing.T) {
	d := Dir(t.TempDir())
	write(t, d.Path("num"), " 42\n")
	write(t, d.Path("yes"), "Y\n")
	write(t, d.Path("no"), "0\n")
	write(t, d.Path("words"), "one two\n")
	write(t, d.Path("empty"), "\n")
	if err := os.Symlink("../../devices/sda", d.Path("link")); err != nil {
		t.Fatal(err)
	}
	if n, err := d.ReadUint("num"); n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if b, err := d.ReadBool("yes"); !b || err != nil {
		t.Errorf("%v, %v", b, err)
	}
	if b, err := d.ReadBool("no"); b || err != nil {
		t.Errorf("%v, %v", b, err)
	}
	if s, err := d.Link("link"); s != "sda" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if names, err := d.List(); len(names) != 6 || names[0] != "empty" || err != nil {
		t.Errorf("%v, %v", names, err)
	}

	_, err := d.ReadUint("words")
	want := `read ` + d.Path("words") + `: "one two" is not a number`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = d.ReadBool("empty")
	want = `read ` + d.Path("empty") + `: attribute is empty, want 0 or 1, N or Y`
	if !errors.Is(err, ErrEmpty) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = d.ReadUint("absent")
	want = `read ` + d.Path("absent") + `: attribute not offered by this kernel`
	if !errors.Is(err, ErrNotSupported) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = d.ReadBool("absent")
	if !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
	_, err = Dir(d.Path("absent")).List()
	if !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
	_, err = d.Link("num")
	if err == nil || errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
	if err := d.Write("absent", "1"); !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
	if _, err := os.Stat(d.Path("absent")); err == nil {
		t.Error("a write made a file")
	}
	if err := d.Write("num", "7"); err != nil {
		t.Error(err)
	}
}

func TestParseErrorCutsLongText(t *testing.T) {
	err := &ParseError{Text: strings.Repeat("x", 500), Want: "short"}
	if len(err.Error()) > 200 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// A plain file announces nothing: Wait ends with its context, and the watcher
// is usable afterwards.
func TestWatcherEndsWithContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "array_state")
	write(t, path, "clean\n")
	w, text, err := Watch(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if text != "clean" {
		t.Errorf("text %q", text)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond) // nothing will come, however long one waits
		if _, err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		if _, err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait with a context that is over: %v", err)
		}
		cancel()
	}
	if _, _, err := Watch(path + ".absent"); !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
}

// /proc/self/mounts announces changes like an attribute and comes in pieces
// like any file of /proc.
func TestWatchProc(t *testing.T) {
	w, text, err := WatchProc("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	want, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if text != strings.TrimSuffix(string(want), "\n") {
		t.Errorf("%d bytes, want %d", len(text), len(want))
	}
	got, err := ReadProc("/proc/self/mounts")
	if err != nil || got != string(want) {
		t.Errorf("ReadProc gave %d bytes, %v", len(got), err)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`/a\040b`: "/a b", `\134`: `\`, `\9`: `\9`, `\400`: `\400`, `x\04`: `x\04`, `plain`: "plain",
	} {
		if got := Unescape(in); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", in, got, want)
		}
	}
}
