package mdadm

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/fixture"
)

// wrongThings replace DEV in the lines of wrongLines. The array md0 runs on r0, r1
// and r2 and has lost r5; r3 and r4 are members of another array, which does not
// run; r6 is blank.
var wrongThings = []string{
	"/tmp/absent.img", "/tmp", "/tmp/text.txt", "/tmp/cut.img", "/tmp/looping", "/tmp/text.txt/below", "/dev/null",
	"/dev/ubda", // 64 KiB: too small
	"r0",        // busy
	"r3",        // of another array
	"r6",        // blank
}

// wrongLine is a verb with a wrong thing in its place.
type wrongLine struct {
	line string
	fine []string // things that are not wrong for this verb
	ours []string // things that mdadm 4.2 accepts, or cannot open for a reason of its own
}

func wrongLines() []wrongLine {
	return []wrongLine{
		{line: "-C md9 -l1 -n2 DEV r7", fine: []string{"r3", "r6"}},
		{line: "-C md9 -l5 -n3 -R r7 r8 DEV", fine: []string{"r3", "r6"}},
		{line: "-C md9 -e0.90 -l1 -n2 DEV r7", fine: []string{"r3", "r6"}},
		{line: "-B md9 -l0 -n2 DEV r7", fine: []string{"r3", "r6", "/dev/ubda"}},
		{line: "-A md9 r3 DEV", fine: []string{"r3"}},
		{line: "-A md9 DEV", fine: []string{"r3"}},
		{line: "-E DEV", fine: []string{"r0", "r3"}},
		{line: "-E -e1.2 DEV", fine: []string{"r0", "r3"}, ours: []string{"/tmp/text.txt", "/tmp/cut.img"}},
		{line: "-X DEV", fine: []string{"r0", "r3"}},
		{line: "-D DEV"},
		{line: "-Q DEV", fine: []string{"/dev/ubda", "r0", "r3", "r6", "/tmp/text.txt", "/tmp/cut.img"}},
		{line: "md0 --add DEV", fine: []string{"r3", "r6"}, ours: []string{"/dev/ubda"}},
		{line: "md0 --re-add DEV"},
		{line: "md0 --fail DEV", fine: []string{"r0"}},
		{line: "md0 --remove DEV"},
		{line: "md0 --replace DEV", fine: []string{"r0"}},
		{line: "md0 --replace r0 --with DEV"},
		{line: "--zero-superblock DEV", fine: []string{"r3", "r6", "/dev/ubda", "/tmp/text.txt", "/tmp/cut.img"}, ours: []string{"/dev/null"}},
		{line: "--zero-superblock -e1.2 DEV", fine: []string{"r3"}, ours: []string{"/dev/null"}},
		{line: "--stop DEV"},
		{line: "--run DEV"},
		{line: "DEV --add r6"},
		{line: "DEV --fail r0"},
	}
}

// TestWrongInputOnArrays gives every verb every wrong thing, and wants mdadm's exit
// code, no more lines than mdadm prints, the thing named in one of them, and no byte
// changed on any disk.
func TestWrongInputOnArrays(t *testing.T) {
	beside(t)
	mdadm := lab.Peer(t, "mdadm")
	files := map[string]string{"/probe": probeFixtures()}
	for guest, host := range mdadm.Files {
		files[guest] = host
	}
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) { wrongWorld(t) }}}
	for _, w := range lab.Sample(t, wrongLines(), 3) {
		cases = append(cases, lab.Case{
			Name: strings.ReplaceAll(w.line, "/", "_"),
			Run:  func(t *testing.T, _ *lab.Guest) { w.try(t) },
		})
	}
	for i, name := range lab.Sample(t, carried(t), 6) {
		yes := []string{"", "y\n"}[i%2]
		cases = append(cases, lab.Case{
			Name: "overwriting " + name,
			Run:  func(t *testing.T, _ *lab.Guest) { overwriting(t, name, yes) },
		})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid0", "raid1", "raid456", "loop", "brd rd_nr=9 rd_size=4096"},
		Disks:   []lab.Disk{{Size: tiny}},
		Files:   files,
		Memory:  1 << 30,
	}, cases...)
}

// wrongWorld sets up the disks and arrays for the lines.
func wrongWorld(t *testing.T) {
	t.Helper()
	do(t, "hostname labhost")
	for _, step := range []string{
		"mdadm -C -R -q --assume-clean md0 -l5 -n3 r0 r1 r2", "mdadm -C -R -q --assume-clean md1 -l1 -n2 r3 r4",
		"mdadm --stop md1",
	} {
		do(t, step)
	}
	member := make([]byte, 4096+100)
	f, err := os.Open("/dev/ram3")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(member, 0); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.WriteFile("/tmp/text.txt", []byte("some text\n"), 0o644),
		os.WriteFile("/tmp/cut.img", member, 0o644),
		os.Symlink("looping", "/tmp/looping"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	lab.ArraysIdle(t)
}

var hashSeed = maphash.MakeSeed()

// contents are hashes of all that could be changed, read past the caches, and what
// the kernel says about its arrays.
func contents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("/dev/ram*")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range append(paths, "/dev/ubda", "/tmp/text.txt", "/tmp/cut.img") {
		all[path] = fmt.Sprint(hashOf(t, path))
	}
	stat, err := os.ReadFile("/proc/mdstat")
	if err != nil {
		t.Fatal(err)
	}
	all["/proc/mdstat"] = string(stat)
	return all
}

// try runs the line with every thing that is wrong for it.
func (w wrongLine) try(t *testing.T) {
	before := contents(t)
	for _, thing := range wrongThings {
		if slices.Contains(w.fine, thing) {
			continue
		}
		words := strings.Fields(w.line)
		for i := range words {
			if words[i] == "DEV" {
				words[i] = thing
			}
			words[i] = devName(words[i])
		}
		line := strings.Join(words, " ")
		got := inTime(t, line, words)
		for path, now := range contents(t) {
			if now != before[path] {
				t.Fatalf("mdadm %s: changed %s, was\n%sis\n%s%v", line, path, before[path], now, got)
			}
		}
		settle(t)
		want := outcome{code: got.code}
		if !slices.Contains(w.ours, thing) {
			want = peers(t, words...)
			settle(t)
		}
		if complaints := w.judge(devName(thing), got, want); len(complaints) > 0 {
			t.Errorf("mdadm %s: %s\nmdadm: %v\nours: %v", line, strings.Join(complaints, ", "), want, got)
		}
	}
}

// unspeakable matches texts that only a programmer understands.
var unspeakable = regexp.MustCompile(`\b(E[A-Z]{3,}|0x[0-9a-f]{8,})\b|[Ee]rrno|goroutine|panic|runtime error|%!|<nil>`)

func (w wrongLine) judge(thing string, got, want outcome) (complaints []string) {
	if got.code != want.code {
		complaints = append(complaints, fmt.Sprintf("exit code %d, mdadm's is %d", got.code, want.code))
	}
	said := got.out + got.err
	if !strings.Contains(said, thing) {
		complaints = append(complaints, "does not name the thing")
	}
	if unspeakable.MatchString(said) {
		complaints = append(complaints, "is not for people")
	}
	lines := func(text string) (n int) {
		for l := range strings.Lines(text) {
			if !strings.HasPrefix(l, "       ") { // indented lines belong to the one above
				n++
			}
		}
		return n
	}
	if n := lines(said); n == 0 || n > max(1, lines(want.out+want.err)) {
		complaints = append(complaints, fmt.Sprintf("%d lines", n))
	}
	return complaints
}

// inTime runs a command line, which must end by itself.
func inTime(t *testing.T, line string, words []string) outcome {
	t.Helper()
	done := make(chan outcome, 1)
	go func() { done <- ours(words...) }()
	return lab.Receive(t, "the end of mdadm "+line, done)
}

// carried are the fixtures of everything that probe knows.
func carried(t *testing.T) (names []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(probeFixtures(), "*.txtar"))
	if err != nil || len(list) < 30 {
		t.Fatalf("%d fixtures, %v", len(list), err)
	}
	for _, path := range list {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".txtar"))
	}
	return names
}

func probeFixtures() string {
	if lab.InGuest() {
		return "/probe"
	}
	return "../../../testdata/images"
}

// overwriting makes an array of a disk that has something on it: the question is not
// answered, answered with no, and answered with yes, or, if yes is empty, avoided by
// --run. Nothing may be written without consent.
func overwriting(t *testing.T, name, yes string) {
	t.Helper()
	img, err := fixture.Read(filepath.Join(probeFixtures(), name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := img.WriteFile("/tmp/disk.img"); err != nil {
		t.Fatal(err)
	}
	const roomy = 16 << 20
	if img.Size < roomy/4 { // these have content only at the start
		if err := os.Truncate("/tmp/disk.img", roomy); err != nil {
			t.Fatal(err)
		}
	}
	dev := loopDevice(t, "/tmp/disk.img")
	t.Cleanup(func() {
		peers(t, "--stop", "/dev/md9")
		settle(t)
	})
	create := []string{"-C", "/dev/md9", "-e1.2", "-l1", "-n2", dev, "missing"}
	before := hashOfData(t, "/tmp/disk.img")
	for _, answer := range []string{"", "n\n"} {
		o := answered(answer, create...)
		if o.code != 1 || !strings.Contains(o.err, dev) || !strings.Contains(o.err, "create aborted.") ||
			!regexp.MustCompile(`appears to (be|contain)|partition table exists`).MatchString(o.err) {
			t.Errorf("answered %q: %v", answer, o)
		}
		if hashOfData(t, "/tmp/disk.img") != before {
			t.Fatalf("answered %q: overwritten", answer)
		}
	}
	if yes == "" {
		create = append(create, "--run")
	}
	o := answered(yes, create...)
	if o.code != 0 || hashOfData(t, "/tmp/disk.img") == before {
		t.Errorf("told to go on: %v", o)
	}
}

// hashOf hashes a disk, read past the caches: md writes past them, too.
func hashOf(t *testing.T, path string) uint64 {
	t.Helper()
	flag := os.O_RDONLY
	if strings.HasPrefix(path, "/dev/") {
		flag |= unix.O_DIRECT
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var h maphash.Hash
	h.SetSeed(hashSeed)
	if _, err := io.CopyBuffer(struct{ io.Writer }{&h}, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return h.Sum64()
}

// hashOfData hashes the file of a disk without its holes, after everything written
// to the disk has reached it.
func hashOfData(t *testing.T, path string) uint64 {
	t.Helper()
	unix.Sync()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for end := int64(0); ; {
		start, err := f.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // only a hole is left
			return h.Sum64()
		}
		if err == nil {
			end, err = f.Seek(start, unix.SEEK_HOLE)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&h, start, end)
		if _, err := io.Copy(&h, io.NewSectionReader(f, start, end-start)); err != nil {
			t.Fatal(err)
		}
	}
}

// loopDevice makes a disk of a file until the test ends.
func loopDevice(t *testing.T, path string) string {
	t.Helper()
	ctl, err := os.Open("/dev/loop-control")
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dev := fmt.Sprintf("/dev/loop%d", n)
	loop, err := os.OpenFile(dev, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
			t.Error(err)
		}
		loop.Close()
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	})
	return dev
}
