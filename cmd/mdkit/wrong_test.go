package main

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/fixture"
)

// A wrong is a command line with something wrong in it, and the exit code that
// docs/exit-codes.md gives for it.
type wrong struct {
	line  string
	code  int
	names string // what the one line on standard error names
}

// wrongs is the matrix: every native verb with every kind of wrong argument.
// five.* are the members of an array, short.img is one cut short, head.img one cut
// inside its superblock, other.img is a member of another array, and tiny.img is
// smaller than any superblock.
func wrongs() []wrong {
	var list []wrong
	for _, verb := range []struct {
		line      string // %s is the wrong thing
		nothing   int    // the code for a file without any format in it
		cut       int    // for a member cut short
		foreign   int    // for a member of another array
		forgiving bool   // standard error is silent about a file without any format
	}{
		{"probe %s", 2, 0, 0, true},
		{"probe --json %s", 2, 0, 0, true},
		{"inspect %s", 2, 0, 0, false},
		{"verify five.0.img five.2.img %s", 8, 4, 4, false},
		{"verify --json %s five.0.img five.2.img", 8, 4, 4, false},
		{"open --cat five.0.img %s", 8, 4, 8, false},
		{"open --copy out five.0.img %s", 8, 4, 8, false},
		{"open --copy out %s five.0.img", 8, 4, 0, false},
	} {
		with := func(thing string, code int, names string) {
			list = append(list, wrong{strings.Replace(verb.line, "%s", thing, 1), code, names})
		}
		for _, thing := range []string{"absent.img", "dir", "text.txt/below", "socket", "looping"} {
			with(thing, 8, thing)
		}
		for _, thing := range []string{"text.txt", "tiny.img", "empty.img", "zeroes.img"} {
			names := thing
			if verb.forgiving {
				names = ""
			}
			with(thing, verb.nothing, names)
		}
		if verb.cut != 0 {
			names := "short.img"
			if strings.HasPrefix(verb.line, "verify") {
				names = "" // a finding, on standard output
			}
			with("short.img", verb.cut, names)
		}
		if verb.foreign != 0 {
			names := "other.img"
			if strings.HasPrefix(verb.line, "verify") {
				names = ""
			}
			with("other.img", verb.foreign, names)
		}
	}
	return append(
		list,
		wrong{"open --cat five.0.img", 4, "missing slots 1 2"},
		wrong{"open --copy out five.1.img", 4, "missing slots 0 2"},
		wrong{"open --quiet --copy text.txt five.0.img five.1.img", 8, "text.txt"},
		wrong{"open --quiet --copy dir five.0.img five.1.img", 8, "dir"},
		wrong{"open --quiet --copy absent/out five.0.img five.1.img", 8, "absent/out: cannot be made"},
		wrong{"open --quiet --copy socket five.0.img five.1.img", 8, "socket"},
		wrong{"open --quiet --copy five.2.img five.0.img five.1.img", 8, "five.2.img"},
		wrong{"open --quiet --copy five.1.img --force five.0.img five.1.img", 8, "five.1.img"},
		wrong{"open --cat head.img", 8, "head.img"},
		wrong{"open --cat five.0.img five.1.img --offset=-1", 16, "--offset"},
		wrong{"open --cat five.0.img five.1.img --length=99T", 16, "99T"},
		wrong{"inspect five.0.img --at=x", 16, `"x"`},
		wrong{"inspect five.0.img five.1.img", 16, "one"},
		wrong{"inspect five.0.img --only=nonsense", 2, "nonsense"},
		wrong{"inspect five.0.img --metadata=9.9", 16, "9.9"},
		wrong{"probe", 16, "device"},
		wrong{"verify", 16, "member"},
		wrong{"inspect", 16, "device"},
		wrong{"open --cat", 16, "member"},
		wrong{"verify --nonsense five.0.img", 16, "nonsense"},
		wrong{"nonsense five.0.img", 16, "nonsense"},
		wrong{"cluster", 16, "status"},
		wrong{"cluster nonsense", 16, "nonsense"},
		wrong{"cluster up", 16, "--static"},
		wrong{"cluster up --nonsense", 16, "nonsense"},
		wrong{"cluster up --static absent.img", 8, "absent.img"},
		wrong{"cluster up --static dir", 8, "dir"},
		wrong{"cluster up --static text.txt", 16, "text.txt:1: "},
		wrong{"cluster up --static zeroes.img", 16, "zeroes.img:1: "},
		wrong{"cluster up --static empty.img", 16, "empty.img:1: cluster: "},
		wrong{"cluster up --static nodes.toml", 16, "nodes.toml:1: fence: no fence command"},
		wrong{"cluster up --no-fencing --static nodes.toml", 16, "nodes.toml:5: addrs: no interface"},
		wrong{"cluster join", 16, "name"},
		wrong{"cluster join a b", 16, "name"},
		wrong{"cluster join a/b", 16, "a/b"},
		wrong{"cluster leave", 16, "name"},
		wrong{"cluster leave ..", 16, ".."},
		wrong{"cluster status x", 16, "no arguments"},
		wrong{"trace", 16, "needs dlm"},
		wrong{"trace nonsense", 16, "nonsense"},
		wrong{"trace dlm x", 16, "no arguments"},
		wrong{"trace dlm --for -1s", 16, "positive"},
		wrong{"trace dlm --lockspace a/b", 16, "--lockspace"},
		wrong{"cluster down", 8, "no controller"},
		wrong{"cluster join x", 8, "no controller"},
	)
}

// bareErrno matches error texts that only a programmer understands.
var bareErrno = regexp.MustCompile(`\b(E[A-Z]{3,}|0x[0-9a-f]{8,})\b|[Ee]rrno|goroutine|panic|runtime error|%!|<nil>`)

// TestWrongInput gives every native verb everything that it should refuse, and
// wants one line that names the thing, the documented exit code, no file changed
// and none left behind.
func TestWrongInput(t *testing.T) {
	images, err := filepath.Abs("testdata/images")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	wrongThings(t, images)
	seed := maphash.MakeSeed()
	before, content := folder(t), sums(t, seed)
	for _, w := range wrongs() {
		t.Run(strings.ReplaceAll(w.line, "/", "_"), func(t *testing.T) {
			code, out, errs := quickly(t, w.line)
			if code != w.code {
				t.Errorf("exit code %d, want %d", code, w.code)
			}
			lines := strings.Count(errs, "\n")
			switch {
			case strings.Contains(w.line, "--json"): // everything is in the document
				errs = out
			case w.names == "" && lines != 0, w.names != "" && lines != 1:
				t.Errorf("%d lines on standard error", lines)
			}
			if !strings.Contains(errs, w.names) || bareErrno.MatchString(errs) {
				t.Errorf("does not name %q in plain words", w.names)
			}
			if t.Failed() {
				t.Logf("standard error:\n%s", errs)
			}
			for path, now := range folder(t) {
				if before[path] != now {
					t.Errorf("%s was written", path)
				}
			}
		})
	}
	for path, sum := range sums(t, seed) {
		if content[path] != sum {
			t.Errorf("%s has other bytes than before", path)
		}
	}
}

// wrongThings makes the files in the working directory.
func wrongThings(t *testing.T, images string) {
	t.Helper()
	read := func(name string) []byte {
		img, err := fixture.Read(filepath.Join(images, name+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if err := img.WriteFile("image"); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile("image")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("nodes.toml", []byte("cluster = \"c\"\n[[node]]\nid = 1\nname = \"a\"\naddrs = [\"240.0.0.1\"]\n[[node]]\nid = 2\nname = \"b\"\naddrs = [\"240.0.0.2\"]\n"))
	five := read("five.1")
	write("five.0.img", read("five.0"))
	write("five.1.img", five)
	write("five.2.img", read("five.2"))
	write("other.img", read("mirror.0"))
	write("short.img", five[:2<<20])
	write("head.img", five[:4096+100])
	write("text.txt", []byte("some text\n"))
	write("tiny.img", make([]byte, 512))
	write("empty.img", nil)
	write("zeroes.img", make([]byte, 1<<20))
	ln, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	for _, err := range []error{
		os.Remove("image"), os.Mkdir("dir", 0o777), os.Symlink("looping", "looping"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// quickly runs a command line, which must end by itself.
func quickly(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(append([]string{"mdkit"}, strings.Fields(line)...), ui.IO{In: strings.NewReader(""), Out: &out, Err: &err})
	}()
	code = lab.Receive(t, "the end of mdkit "+line, done)
	return code, out.String(), err.String()
}

// folder returns what is in the working directory, with sizes and times.
func folder(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			all[path] = fmt.Sprint(info.Size(), info.ModTime())
		} else {
			all[path] = d.Type().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sums returns hashes of the images.
func sums(t *testing.T, seed maphash.Seed) map[string]uint64 {
	t.Helper()
	paths, err := filepath.Glob("*.img")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]uint64)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err == nil {
			all[path] = maphash.Bytes(seed, b)
		}
	}
	return all
}
