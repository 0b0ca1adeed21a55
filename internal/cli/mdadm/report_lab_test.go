package mdadm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// outcome is everything that a command line prints, and its exit code.
type outcome struct {
	code     int
	out, err string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", o.code, o.out, o.err)
}

// ours runs a command line with this package.
func ours(args ...string) outcome { return answered("", args...) }

// answered is ours with an answer on standard input.
func answered(answer string, args ...string) outcome {
	var out, err bytes.Buffer
	code := Main(context.Background(), append([]string{"mdadm"}, args...), ui.IO{In: strings.NewReader(answer), Out: &out, Err: &err})
	return outcome{code, out.String(), err.String()}
}

// peers runs a command line with Debian's mdadm.
func peers(t *testing.T, args ...string) outcome {
	t.Helper()
	return peersAnswered(t, "", args...)
}

// peersAnswered is peers with an answer on standard input.
func peersAnswered(t *testing.T, answer string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("mdadm", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(answer), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// sameReport runs a reporting command line with both programs, and lets nothing
// differ. If something does, the peer is run once more: if its own two reports
// differ, the array has changed meanwhile, and everything is done again.
func sameReport(t *testing.T, args ...string) {
	t.Helper()
	for range 20 {
		want, got := peers(t, args...), ours(args...)
		if got == want || saysClearly(want, got, args) {
			return
		}
		if want == peers(t, args...) {
			t.Errorf("mdadm %s:\n%s", strings.Join(args, " "), lineDiff(want.String(), got.String()))
			return
		}
		time.Sleep(50 * time.Millisecond) // between two tries
	}
	t.Errorf("mdadm %s: no two equal answers of Debian's mdadm", strings.Join(args, " "))
}

// saysClearly reports whether this is the one case in which ours differs on purpose:
// --examine-bitmap of something without a bitmap. mdadm then takes whatever is there
// for a bitmap, or prints the reason for an earlier error; ours says in one line
// that there is none, with the same exit code.
func saysClearly(want, got outcome, args []string) bool {
	bogus := strings.Contains(want.err, "invalid bitmap magic") || strings.Contains(want.err, "failed to read superblock of bitmap file")
	return bogus && want.code == 1 && got.code == 1 && got.out == "" &&
		strings.Count(got.err, "\n") == 1 && strings.Contains(got.err, args[len(args)-1])
}

// lineDiff shows the lines in which got differs from want, and the last line before
// them that is the same.
func lineDiff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	head := 0
	for head < min(len(w), len(g)) && w[head] == g[head] {
		head++
	}
	tail := 0
	for tail < min(len(w), len(g))-head && w[len(w)-1-tail] == g[len(g)-1-tail] {
		tail++
	}
	var b strings.Builder
	if head > 0 {
		fmt.Fprintf(&b, "  %q\n", w[head-1])
	}
	for _, l := range w[head : len(w)-tail] {
		fmt.Fprintf(&b, "mdadm: %q\n", l)
	}
	for _, l := range g[head : len(g)-tail] {
		fmt.Fprintf(&b, "ours:  %q\n", l)
	}
	return b.String()
}

// scenario puts arrays into some state. The words r0, r1, ... are RAM disks, and
// md0, md1, ... are arrays.
type scenario struct {
	name  string
	steps []string
}

// devs are the member devices all scenarios choose from.
const devs = 10

func devName(word string) string {
	if n, err := strconv.Atoi(strings.TrimPrefix(word, "r")); err == nil && strings.HasPrefix(word, "r") {
		return fmt.Sprintf("/dev/ram%d", n)
	}
	if strings.HasPrefix(word, "md") && len(word) > 2 && word[2] >= '0' && word[2] <= '9' {
		return "/dev/" + word
	}
	return word
}

// do takes one step: "mdadm ARGS", "mdadm? ARGS" if it may fail, "write FILE
// WORDS" and "await FILE WORD" for the kernel's attributes, "hostname NAME",
// "damage DEVICE OFFSET BYTE".
func do(t *testing.T, step string) {
	t.Helper()
	w := strings.Fields(step)
	for i := range w {
		w[i] = devName(w[i])
	}
	switch w[0] {
	case "mdadm", "mdadm?":
		got := peers(t, w[1:]...)
		if got.code != 0 && w[0] == "mdadm" {
			b, _ := os.ReadFile("/proc/mdstat")
			t.Fatalf("%s: %v\n%s", step, got, b)
		}
	case "write":
		if err := os.WriteFile(w[1], []byte(strings.Join(w[2:], " ")), 0o644); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	case "await":
		lab.Poll(t, func() string {
			b, err := os.ReadFile(w[1])
			if err == nil && strings.TrimSpace(string(b)) == strings.Join(w[2:], " ") {
				return ""
			}
			return fmt.Sprintf("%s: it is %q, %v", step, b, err)
		})
	case "flush":
		flush(t, w[1])
	case "fill":
		fill(t, w[1])
	case "hostname":
		if err := unix.Sethostname([]byte(w[1])); err != nil {
			t.Fatal(err)
		}
	case "damage":
		off, _ := strconv.ParseInt(w[2], 0, 64)
		b, _ := strconv.ParseUint(w[3], 0, 8)
		poke(t, w[1], off, byte(b))
	case "blank":
		wipe(t, w[1])
	case "swap":
		for _, dev := range w[1:] {
			swapSuper(t, dev)
		}
	case "dirty":
		poke(t, w[1], 0, 1)
	case "remove":
		if err := os.Remove(w[1]); err != nil {
			t.Fatal(err)
		}
	case "map":
		f, err := os.OpenFile("/run/mdadm/map", os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprintln(f, strings.Join(strings.Fields(step)[1:], " "))
	case "conf": // the text of a configuration, lines with " | " between them
		text := strings.ReplaceAll(strings.TrimPrefix(step, "conf "), " | ", "\n") + "\n"
		if err := os.WriteFile(labConf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	case "tidy": // stops all arrays, and removes their names
		for range 3 {
			for _, md := range arraysUp(t) {
				peers(t, "--stop", md)
			}
		}
		os.Remove("/run/mdadm/map")
		os.RemoveAll("/dev/md")
	case "sleep":
		time.Sleep(1100 * time.Millisecond) // times in superblocks are in seconds
	default:
		t.Fatalf("unknown step %q", step)
	}
}

// labConf is the configuration that steps write.
const labConf = "/run/lab.conf"

// swapSuper turns the 0.90 superblock of a disk into what a machine of the other byte
// order writes: all of it are words, and md_p.h has the halves of both event counts the
// other way round there.
func swapSuper(t *testing.T, dev string) {
	t.Helper()
	f, err := os.OpenFile(dev, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const at, events, checkpoint = ramSize&^(64<<10-1) - 64<<10, 32 + 7, 32 + 9
	b := make([]byte, 4096)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	word := func(i int) []byte { return b[4*i : 4*i+4] }
	for i := range len(b) / 4 {
		slices.Reverse(word(i))
	}
	for _, i := range []int{events, checkpoint} {
		hi, lo := bytes.Clone(word(i)), bytes.Clone(word(i+1))
		copy(word(i), lo)
		copy(word(i+1), hi)
	}
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// wipe blanks both ends of a disk, where metadata is.
func wipe(t *testing.T, dev string) {
	t.Helper()
	f, err := os.OpenFile(dev, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, off := range []int64{0, ramSize - wiped} {
		if _, err := f.WriteAt(make([]byte, wiped), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func poke(t *testing.T, dev string, off int64, b byte) {
	t.Helper()
	f, err := os.OpenFile(dev, os.O_WRONLY|os.O_SYNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b}, off); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// ramSize is the size of a RAM disk in bytes; wiped is how much of each end is
// blanked between scenarios.
const (
	ramSize = 48 << 20
	wiped   = 256 << 10
)

// arraysUp lists the arrays there are, as /dev/mdN.
func arraysUp(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/mdstat")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		if w := strings.Fields(line); len(w) > 1 && strings.HasPrefix(line, "md") {
			names = append(names, "/dev/"+w[0])
		}
	}
	return names
}

// members lists the RAM disks that the steps mention.
func (s scenario) members() []string {
	var list []string
	for i := range devs {
		word := fmt.Sprintf("r%d", i)
		for _, step := range s.steps {
			if strings.Contains(" "+step+" ", " "+word+" ") {
				list = append(list, devName(word))
				break
			}
		}
	}
	return list
}

// memberReports and arrayReports are the options of the reports that are compared,
// on members and on arrays; anyReports need no device.
func memberReports() [][]string {
	return [][]string{
		{"--examine"},
		{"-E", "--brief"},
		{"-Eb", "-v"},
		{"-E", "--export"},
		{"-E", "-e", "1.2"},
		{"-E", "-e0.90"},
		{"-E", "-e", "0.swap"},
		{"-E", "-e", "1"},
		{"-E", "-e1.0"},
		{"-E", "-e1.1", "-b"},
		{"-E", "--homehost=other"},
		{"--examine-badblocks"},
		{"--examine-badblocks", "-b"},
		{"--examine-badblocks", "-e1.2"},
		{"-X"},
		{"-X", "--brief"},
		{"-Q"},
		{"-D"},
		{"-Dt"},
	}
}

func arrayReports() [][]string {
	return [][]string{
		{"--detail"},
		{"-D", "--brief"},
		{"-Dbv"},
		{"-D", "--export"},
		{"-DY", "--no-devices"},
		{"-D", "--no-devices"},
		{"-Db", "--no-devices", "-v"},
		{"-D", "--test"},
		{"-Dbt"},
		{"-D", "--prefer=by-id"},
		{"-D", "--homehost=other"},
		{"-Q"},
		{"-X"},
		{"-E"},
	}
}

func anyReports() [][]string {
	return [][]string{
		{"-Ds"},
		{"-D", "--scan", "--verbose"},
		{"-Ds", "-vv"},
		{"-Ds", "--export"},
		{"-Dst"},
		{"-D", "/dev/md99"},
		{"-Q", "/dev/md99"},
		{"-D"},
		{"-E"},
		{"-Q", "/nowhere"},
		{"-D", "/nowhere"},
		{"-Es"},
		{"-E", "-s", "-v"},
		{"-Es", "-vv"},
	}
}

// reports lists the command lines to compare: those that always are, and all
// others.
func (s scenario) reports(t *testing.T) (always, others [][]string) {
	members := s.members()
	always = append(always, append([]string{"-E"}, members...), append([]string{"-Ebv"}, members...))
	others = append(anyReports(), append([]string{"-Eb"}, members...))
	for _, m := range members {
		for _, opts := range memberReports() {
			others = append(others, append(opts, m))
		}
	}
	for _, a := range arraysUp(t) {
		for i, opts := range arrayReports() {
			if i < 4 {
				always = append(always, append(opts, a))
			} else {
				others = append(others, append(opts, a))
			}
		}
	}
	return always, others
}

// run sets up the scenario and compares reports on it: all of them in a soak,
// otherwise the main ones and a few of the others.
func (s scenario) run(t *testing.T) {
	t.Cleanup(func() { clear(t) })
	for _, step := range s.steps {
		do(t, step)
	}
	always, others := s.reports(t)
	if !lab.Soak() {
		lab.Rand(t).Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		others = others[:min(5, len(others))]
	}
	for _, args := range append(always, others...) {
		sameReport(t, args...)
	}
	t.Logf("%d command lines", len(always)+len(others))
}

// clear stops everything and blanks the disks.
func clear(t *testing.T) {
	for range 3 {
		for _, md := range arraysUp(t) {
			name := strings.TrimPrefix(md, "/dev/")
			os.WriteFile("/sys/block/"+name+"/md/sync_action", []byte("frozen"), 0o644)
			peers(t, "--stop", md)
		}
	}
	if left := arraysUp(t); len(left) > 0 {
		t.Errorf("cannot stop %v", left)
	}
	for i := range devs {
		wipe(t, fmt.Sprintf("/dev/ram%d", i))
	}
	os.Remove("/run/mdadm/map")
	os.Remove("/dev/md/home")
}

// TestReportsLikeMdadm puts arrays into many states and lets Debian's mdadm and ours
// report on each. It takes a sample of the states and of the command lines.
func TestReportsLikeMdadm(t *testing.T) {
	beside(t)
	spec := reportSpec(t)
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		do(t, "write /proc/sys/dev/raid/speed_limit_min 1")
	}}}
	all := scenarios()
	for _, s := range lab.Sample(t, all, 4) {
		cases = append(cases, lab.Case{Name: s.name, Run: func(t *testing.T, _ *lab.Guest) { s.run(t) }})
	}
	lab.Run(t, spec, cases...)
}

// reportSpec is the machine for the scenarios.
func reportSpec(t *testing.T) lab.Spec {
	return lab.Spec{
		Modules: []string{
			"linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty",
			fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10),
		},
		Files:  lab.Peer(t, "mdadm").Files,
		Memory: 1 << 30,
	}
}
