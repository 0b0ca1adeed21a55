package dmsetup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// TestTwins runs each of stories twice from the same start, once with Debian's dmsetup
// and once with ours, and allows no difference: exit codes, both streams, the devices
// and their tables, and the nodes in /dev/mapper.
func TestTwins(t *testing.T) {
	var cases []lab.Case
	for _, st := range lab.Sample(t, stories(), 12) {
		cases = append(cases, lab.Case{Name: st.name, Run: func(t *testing.T, _ *lab.Guest) { st.run(t) }})
	}
	lab.Run(t, lab.Spec{
		Files:   lab.Peer(t, "dmsetup").Files,
		Modules: labModules(),
	}, cases...)
}

// labModules are what the stories need. dm-crypt and dm-integrity do not load
// without the ciphers.
func labModules() []string {
	return []string{
		"brd rd_nr=4 rd_size=8192", "loop", "aes_generic", "cbc", "xts", "ecb", "sha256_generic", "hmac",
		"dm-mod", "dm-crypt",
		"dm-snapshot", "dm-mirror", "dm-thin-pool", "dm-flakey", "dm-delay", "dm-zero", "dm-integrity",
	}
}

// story is a list of steps. The results of command lines of dmsetup are compared; see
// step for other steps.
type story struct {
	name  string
	lines []string
}

// outcome is the result of a command line.
type outcome struct {
	line, out, err string
	code           int
	state          string
}

func (o outcome) String() string {
	return fmt.Sprintf("$ %s\nexit code %d\nstdout:\n%sstderr:\n%sstate:\n%s", o.line, o.code, o.out, o.err, o.state)
}

// extras are lines that only ours prints: the kernel's messages, holders, and other
// information.
var extras = regexp.MustCompile(`(?m)^  .*\n`)

// late is a warning that a busy machine causes in reports at intervals.
var late = regexp.MustCompile(`(?m)^WARNING: Try increasing --interval .*\n`)

// trimmed returns standard error without the lines that only ours prints.
func trimmed(s string) string {
	if strings.Contains(s, "Usage:") {
		return strings.Replace(s, usageAdded(), "", 1)
	}
	if strings.Contains(s, "Fields\n---") {
		return s
	}
	return extras.ReplaceAllString(s, "")
}

func (st story) run(t *testing.T) {
	want := st.tell(t, peers)
	got := st.tell(t, ours)
	for i := range want {
		w, g := want[i], got[i]
		w.err, g.err = late.ReplaceAllString(w.err, ""), late.ReplaceAllString(g.err, "")
		if g.err = trimmed(g.err); w != g {
			t.Errorf("dmsetup:\n%v\nours:\n%v", w, got[i])
		}
	}
}

// runner runs one command line with the given words and standard input.
type runner func(t *testing.T, words []string, in string) outcome

func (st story) tell(t *testing.T, run runner) (told []outcome) {
	t.Helper()
	reset(t)
	defer reset(t)
	w := &world{t: t}
	defer w.release()
	for _, line := range st.lines {
		o, compared := w.step(line, run)
		if !compared {
			continue
		}
		o.line = line
		o.state = state(t)
		told = append(told, o)
	}
	return told
}

// world is what the steps of a story work with.
type world struct {
	t    *testing.T
	held []*os.File
}

// release closes what is held open, and waits until devices whose removal was deferred
// are gone: the kernel removes them in the background.
func (w *world) release() {
	t := w.t
	t.Helper()
	if len(w.held) == 0 {
		return
	}
	for _, f := range w.held {
		f.Close()
	}
	w.held = nil
	c, err := dm.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lab.Until(t, "devices to go whose removal was deferred", func() bool {
		list, err := c.List(dm.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(list, func(e dm.Entry) bool {
			i, err := c.Status(dm.ByName(e.Name), dm.StatusOptions{})
			return err == nil && i.DeferredRemove() && i.OpenCount == 0
		})
	})
}

// step takes one step:
//
//	[NAME=value ...] dmsetup WORDS [< TEXT]   run it; \n in TEXT is a newline,
//	                                          MAJ the device mapper's major number
//	[...] dmstats WORDS, devmap_name WORDS    the same under another name
//	hold PATH                                 keep the device open
//	release                                   close all
//	file PATH TEXT                            write a file
//	targets PATH N                            write a table of N targets
//	mkdir PATH, rm PATH
func (w *world) step(line string, run runner) (outcome, bool) {
	t := w.t
	t.Helper()
	line = strings.ReplaceAll(line, "MAJ", fmt.Sprint(mapper.Major(sysfs.Host)))
	line, in, _ := strings.Cut(line, " < ")
	in = strings.ReplaceAll(in, `\n`, "\n")
	words := shellWords(line)
	for len(words) > 0 && strings.Contains(words[0], "=") {
		name, value, _ := strings.Cut(words[0], "=")
		old, there := os.LookupEnv(name)
		os.Setenv(name, value)
		defer func() {
			if os.Unsetenv(name); there {
				os.Setenv(name, old)
			}
		}()
		words = words[1:]
	}
	var err error
	switch words[0] {
	case "dmsetup", "dmstats", "devmap_name":
		return run(t, words, in), true
	case "hold":
		var f *os.File
		if f, err = os.Open(words[1]); err == nil {
			w.held = append(w.held, f)
		}
	case "release":
		w.release()
	case "file":
		err = os.WriteFile(words[1], []byte(strings.ReplaceAll(strings.Join(words[2:], " "), `\n`, "\n")), 0o644)
	case "targets":
		var n int
		var b strings.Builder
		if n, err = strconv.Atoi(words[2]); err == nil {
			for i := range n {
				fmt.Fprintf(&b, "%d 8 linear 1:%d %d\n", i*8, i%4, i*8)
			}
			err = os.WriteFile(words[1], []byte(b.String()), 0o644)
		}
	case "mkdir":
		err = os.MkdirAll(words[1], 0o755)
	case "rm":
		err = os.RemoveAll(words[1])
	default:
		t.Fatalf("no step %q", words[0])
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return outcome{}, false
}

// shellWords splits a line at blanks outside single quotes.
func shellWords(line string) []string {
	var words []string
	var b strings.Builder
	quoted, any := false, false
	for _, c := range []byte(line) {
		switch {
		case c == '\'':
			quoted, any = !quoted, true
		case c == ' ' && !quoted:
			if b.Len() > 0 || any {
				words = append(words, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > 0 || any {
		words = append(words, b.String())
	}
	return words
}

// peers runs Debian's program. devmap_name is dmsetup under another name.
func peers(t *testing.T, words []string, in string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("/sbin/dmsetup", words[1:]...)
	if words[0] == "dmstats" {
		cmd.Path = "/sbin/dmstats"
	}
	cmd.Args[0] = words[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{out: out.String(), err: errs.String(), code: cmd.ProcessState.ExitCode()}
}

// ours runs our program, in this process.
func ours(t *testing.T, words []string, in string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(t.Context(), words, ui.IO{In: strings.NewReader(in), Out: &out, Err: &errs})
	return outcome{out: out.String(), err: errs.String(), code: code}
}

// reset removes all devices, nodes and cookies.
func reset(t *testing.T) {
	t.Helper()
	c, err := dm.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lab.Poll(t, func() string {
		if err := c.RemoveAll(dm.RemoveOptions{}); err != nil {
			t.Fatal(err)
		}
		list, err := c.List(dm.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list { // a program that waits may hold a suspended device
			c.Resume(dm.ByNumber(e.Number.Major, e.Number.Minor), dm.ResumeOptions{}) //nolint:errcheck // done again in the next round
		}
		if len(list) > 0 {
			return fmt.Sprintf("%v to be removed", list)
		}
		return ""
	})
	nodes, _ := filepath.Glob("/dev/mapper/*")
	for _, n := range nodes {
		if filepath.Base(n) != "control" {
			os.RemoveAll(n)
		}
	}
	os.RemoveAll("/run/udev")
	rams, _ := filepath.Glob("/dev/ram*")
	for _, path := range rams { // a thin pool or an integrity device depends on what it finds there
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(make([]byte, 64<<10))
			err = errors.Join(err, f.Sync(), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cookies, _, err := mapper.UntouchedCookies(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		if err := c.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

// state returns everything about devices: what the kernel says about each, its tables,
// and the nodes.
func state(t *testing.T) string {
	t.Helper()
	c, err := dm.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.List(dm.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range list {
		dev := dm.ByNumber(e.Number.Major, e.Number.Minor)
		i, err := c.Status(dev, dm.StatusOptions{})
		fmt.Fprintf(&b, "%+v %v\n", i, err)
		for _, inactive := range []bool{false, true} {
			_, table, err := c.TableStatus(dev, dm.TableStatusOptions{Kind: dm.KindTable, Inactive: inactive, NoFlush: true})
			fmt.Fprintf(&b, "  inactive %v: %v %v\n", inactive, table, err)
		}
		kib, _ := os.ReadFile("/sys/dev/block/" + e.Number.String() + "/bdi/read_ahead_kb")
		fmt.Fprintf(&b, "  read ahead %s", kib)
	}
	nodes, _ := filepath.Glob("/dev/mapper/*")
	for _, n := range nodes {
		var st unix.Stat_t
		err := unix.Lstat(n, &st)
		fmt.Fprintf(&b, "%s: mode %o, owner %d:%d, device %d:%d %v\n", n, st.Mode, st.Uid, st.Gid, unix.Major(st.Rdev), unix.Minor(st.Rdev), err)
	}
	cookies, _ := mapper.Cookies()
	fmt.Fprintf(&b, "%d cookies\n", len(cookies))
	return b.String()
}
