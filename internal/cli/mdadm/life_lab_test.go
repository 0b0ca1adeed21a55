package mdadm

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
)

// oursLine runs a command line with our mdadm.
func oursLine(line string) outcome {
	w := strings.Fields(line)
	for i := range w {
		w[i] = devName(w[i])
	}
	return ours(w...)
}

// must runs a command line with our mdadm that has to succeed.
func must(t *testing.T, line string) {
	t.Helper()
	if got := oursLine(line); got.code != 0 {
		stat, _ := os.ReadFile("/proc/mdstat")
		t.Fatalf("mdadm %s: %v\n%s", line, got, stat)
	}
	lab.ArraysIdle(t)
}

// sum is the checksum of a whole device, read past the cache.
func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	flush(t, path)
	f := openDirect(t, path)
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// scribble writes noise to the start, the middle and the end of a device.
func scribble(t *testing.T, path string, seed uint64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	noise := make([]byte, 1<<20)
	rng := rand.NewChaCha8(key)
	for _, off := range []int64{0, size / 3, size / 2, size - int64(len(noise))} {
		rng.Read(noise)
		if _, err := f.WriteAt(noise, off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// head is the part of a member that holds the metadata of versions 1.1 and 1.2.
func head(t *testing.T, path string) []byte {
	t.Helper()
	flush(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 2<<20)
	if _, err := io.ReadFull(f, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func putHead(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func ram(i int) string { return fmt.Sprintf("/dev/ram%d", i) }

// kernelComplaint matches what the kernel logs if something is wrong with metadata.
var kernelComplaint = regexp.MustCompile(`(?i)invalid|error|fail|kick|mismatch|different|bad |not clean|not in-sync|cannot|out of date`)

// complaints fails the test if the kernel has logged any.
func complaints(t *testing.T, g *lab.Guest) {
	t.Helper()
	for _, line := range g.KernelLog(t) {
		if kernelComplaint.MatchString(line) {
			t.Errorf("the kernel says: %s", line)
		}
	}
}

// TestAssembleEveryKind checks that ours assembles what Debian's mdadm creates, and
// the other way round, with the same data in it and no kernelComplaint.
func TestAssembleEveryKind(t *testing.T) {
	var cases []lab.Case
	for _, k := range []struct{ level, n string }{
		{"linear", "3"}, {"0", "3"}, {"1", "3"}, {"4", "3"}, {"5", "4"}, {"6", "4"}, {"10", "4"}, {"multipath", "1"}, {"faulty", "1"},
	} {
		for _, version := range []string{"0.90", "1.0", "1.1", "1.2"} {
			if k.level == "0" && version == "0.90" {
				continue // mdadm 4.2 no longer creates it: the format has no place for the layout
			}
			if k.level == "faulty" && (version == "1.1" || version == "1.2") {
				continue // faulty adds no data offset (md-faulty.c, faulty_make_request): data would overwrite the superblock
			}
			name := fmt.Sprintf("%s %s", k.level, version)
			cases = append(cases, lab.Case{Name: strings.ReplaceAll(name, " ", "_"), Run: func(t *testing.T, g *lab.Guest) {
				needPersonality(t, k.level)
				defer reset(t)
				members := "r0 r1 r2 r3"[:3*int(k.n[0]-'0')-1]
				start := " md0 " + members
				if k.level == "faulty" {
					start = " --run" + start // mdadm never finds such an array complete
				}
				create := fmt.Sprintf("--create --run --force --quiet --assume-clean md0 -l%s -n%s -e%s %s", k.level, k.n, version, members)
				do(t, "mdadm "+create)
				both(t, g, start, "theirs")
				reset(t)
				must(t, create)
				both(t, g, start, "ours")
			}})
		}
	}
	runSome(t, 3, cases)
}

// both writes to the running array, stops it, and lets each of the two programs
// assemble it.
func both(t *testing.T, g *lab.Guest, start, creator string) {
	t.Helper()
	lab.ArraysIdle(t)
	scribble(t, "/dev/md0", 1)
	want := sum(t, "/dev/md0")
	do(t, "mdadm --stop md0")
	g.KernelLog(t)
	for _, assemble := range []func(){
		func() { must(t, "--assemble"+start) },
		func() { do(t, "mdadm --assemble"+start) },
	} {
		assemble()
		lab.ArraysIdle(t)
		if sum(t, "/dev/md0") != want {
			t.Errorf("created by %s: other data after assembly", creator)
		}
		do(t, "mdadm --stop md0")
	}
	complaints(t, g)
}

// TestForceOnTheKernel is TestForceInEveryOrder on real superblocks: a raid5 that
// lost one member, was written to, and then lost a second. It also shows that
// Debian's mdadm accepts the stale member.
func TestForceOnTheKernel(t *testing.T) {
	runSome(t, 1, []lab.Case{{Name: "raid5", Run: func(t *testing.T, g *lab.Guest) {
		defer reset(t)
		do(t, "mdadm --create --run --quiet --assume-clean md0 -l5 -n4 -z 12M r0 r1 r2 r3")
		scribble(t, "/dev/md0", 1)
		do(t, "mdadm md0 --fail r0")
		scribble(t, "/dev/md0", 2)
		want := sum(t, "/dev/md0")
		do(t, "mdadm? md0 --fail r2")
		do(t, "mdadm --stop md0")
		for _, i := range []int{1, 3} { // as if these had been used for longer
			edit(t, ram(i), func(s *md.Super1) { s.Events += 8 })
		}
		heads := make([][]byte, 4)
		for i := range heads {
			heads[i] = head(t, ram(i))
		}
		restore := func() {
			for i := range heads {
				putHead(t, ram(i), heads[i])
			}
		}
		rng := lab.Rand(t)
		orders := [][]int{{0, 1, 2, 3}, {1, 2, 3, 0}, {3, 2, 1, 0}, rng.Perm(4), rng.Perm(4)}
		for _, order := range orders {
			line := "--assemble --force md0"
			for _, i := range order {
				line += fmt.Sprintf(" r%d", i)
			}
			if got := oursLine(line); got.code != 0 || !strings.Contains(got.err, "started with 3 drives (out of 4)") {
				t.Errorf("mdadm %s: %v", line, got)
			} else if sum(t, "/dev/md0") != want {
				t.Errorf("mdadm %s: other data", line)
			}
			if !bytes.Equal(head(t, ram(0)), heads[0]) {
				t.Errorf("mdadm %s: the stale member was written to", line)
			}
			do(t, "mdadm? --stop md0")
			restore()
		}
		const bad = "--assemble --force /dev/md0 /dev/ram1 /dev/ram2 /dev/ram3 /dev/ram0"
		got := peers(t, strings.Fields(bad)...)
		if bytes.Equal(head(t, ram(0)), heads[0]) {
			t.Errorf("this no longer shows the fault of mdadm 4.2: %v", got)
		}
		t.Logf("Debian's mdadm: %v", got)
	}}})
}

// TestFailedStart lets the kernel refuse an array whose members --force has
// changed. They must be as before, and nothing half-assembled must be left.
func TestFailedStart(t *testing.T) {
	runSome(t, 1, []lab.Case{{Name: "raid5", Run: func(t *testing.T, g *lab.Guest) {
		defer reset(t)
		do(t, "mdadm --create --run --quiet --assume-clean md0 -l5 -n3 r0 r1 r2")
		do(t, "mdadm md0 --fail r0")
		do(t, "mdadm? md0 --fail r1")
		do(t, "mdadm --stop md0")
		for i := range 3 {
			edit(t, ram(i), func(s *md.Super1) { s.Layout = 77 })
		}
		edit(t, ram(2), func(s *md.Super1) { s.Events += 8 })
		var before [3][]byte
		for i := range before {
			before[i] = head(t, ram(i))
		}
		got := oursLine("--assemble --force md0 r0 r1 r2")
		if got.code != 1 || !strings.Contains(got.err, "failed to RUN_ARRAY /dev/md0: ") || !strings.Contains(got.err, "kernel: ") {
			t.Errorf("%v", got)
		}
		if !strings.Contains(got.err, "forcing event count") {
			t.Errorf("nothing was to be forced: %v", got)
		}
		for i := range before {
			if !bytes.Equal(head(t, ram(i)), before[i]) {
				t.Errorf("%s was not put back", ram(i))
			}
		}
		if left := arraysUp(t); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}}})
}

// edit changes a 1.2 superblock and makes it valid again.
func edit(t *testing.T, path string, change func(*md.Super1)) {
	t.Helper()
	flush(t, path)
	f, err := block.OpenFile(path, block.ForWriting)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := md.ReadMember(f, md.V12)
	if err != nil {
		t.Fatal(err)
	}
	change(m.Super1)
	if _, err := f.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// TestLastMember checks that a member that an array cannot do without is not
// failed without --force, whatever name it is called by.
func TestLastMember(t *testing.T) {
	runSome(t, 1, []lab.Case{{Name: "raid5", Run: func(t *testing.T, g *lab.Guest) {
		defer reset(t)
		do(t, "mdadm --create --run --quiet --assume-clean md0 -l5 -n3 r0 r1 r2")
		do(t, "mdadm md0 --fail r0")
		link := "/dev/disk/by-id/lab-ram1"
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll("/dev/disk")
		if err := os.Symlink("../../ram1", link); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"/dev/ram1", "ram1", "1:1", "0x1:01", link, "/dev/../dev/ram1"} {
			got := oursLine("md0 --fail " + name)
			if got.code != 2 || !strings.Contains(got.err, "set device faulty failed for "+name) {
				t.Errorf("--fail %s: %v", name, got)
			}
			if b, _ := os.ReadFile("/sys/block/md0/md/degraded"); string(b) != "1\n" {
				t.Fatalf("--fail %s: %s members are gone", name, b)
			}
		}
		if got := oursLine("md0 --fail --force ram1"); got.code != 2 {
			t.Errorf("--force: %v", got)
		}
		if b, _ := os.ReadFile("/sys/block/md0/md/degraded"); string(b) != "2\n" {
			t.Errorf("--force was not heard: degraded %s", b)
		}
	}}})
}

// TestRefusedAdd checks that a device which the kernel, or ours, refuses to add is
// as before.
func TestRefusedAdd(t *testing.T) {
	runSome(t, 1, []lab.Case{{Name: "raid0", Run: func(t *testing.T, g *lab.Guest) {
		defer reset(t)
		do(t, "mdadm --create --run --quiet md1 -l1 -n2 --assume-clean r4 r5")
		do(t, "mdadm --stop md1")
		do(t, "mdadm --create --run --quiet md0 -l0 -n2 r0 r1")
		scribble(t, "/dev/ram3", 3)
		for _, i := range []int{3, 4} {
			before := sum(t, ram(i))
			got := oursLine(fmt.Sprintf("md0 --add --force r%d", i))
			if got.code != 1 || !strings.Contains(got.err, "kernel: ") {
				t.Errorf("%v", got)
			}
			if sum(t, ram(i)) != before {
				t.Errorf("%s was not put back", ram(i))
			}
		}
		do(t, "mdadm --stop md0")
		do(t, "mdadm --create --run --quiet md0 -l1 -n2 --size=20000 --assume-clean r0 r1")
		got := oursLine("md0 --add md0")
		if got.code != 1 || !strings.Contains(got.err, "it is the array itself") {
			t.Errorf("%v", got)
		}
		file := filepath.Join(t.TempDir(), "image")
		text := bytes.Repeat([]byte("text\n"), ramSize/5)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		got = oursLine("md0 --add " + file)
		now, _ := os.ReadFile(file)
		if got.code != 1 || got.err != "mdadm: "+file+" is not a block device.\n" || !bytes.Equal(now, text) {
			t.Errorf("%v", got)
		}
	}}})
}

// TestDryRun checks that a dry run changes nothing, and that what it announces is
// what then happens.
func TestDryRun(t *testing.T) {
	runSome(t, 1, []lab.Case{{Name: "raid5", Run: func(t *testing.T, g *lab.Guest) {
		defer reset(t)
		do(t, "mdadm --create --run --quiet --assume-clean md0 -l5 -n3 r0 r1 r2")
		check := func(line string) {
			t.Helper()
			before := arrayState(t)
			var sums [devs]uint64
			for i := range sums {
				sums[i] = hashOf(t, ram(i))
			}
			got := oursLine(line + " --dry-run")
			var doc struct {
				Schema string           `json:"schema"`
				Exit   int              `json:"exit"`
				DryRun bool             `json:"dry_run"`
				Steps  []map[string]any `json:"steps"`
			}
			jsonSaid := oursLine(line + " --dry-run --json")
			if err := json.Unmarshal([]byte(jsonSaid.out), &doc); err != nil || jsonSaid.err != "" {
				t.Errorf("%s --json: %v: %v", line, err, jsonSaid)
			}
			if got.code != 0 || got.out == "" || doc.Exit != 0 || !doc.DryRun || !strings.HasPrefix(doc.Schema, "mdkit.") ||
				len(doc.Steps) != strings.Count(got.out, "\n") {
				t.Errorf("%s: %v\n%s", line, got, jsonSaid.out)
			}
			if now := arrayState(t); now != before {
				t.Errorf("%s --dry-run: %s", line, changes(before, now))
			}
			for i := range sums {
				if hashOf(t, ram(i)) != sums[i] {
					t.Errorf("%s --dry-run wrote to %s", line, ram(i))
				}
			}
		}
		check("md0 --add r3 r4")
		check("md0 --fail r1 --remove r1 --re-add r1")
		check("md0 --fail r1 --remove faulty --add-spare r1")
		must(t, "md0 --add r3")
		check("md0 --replace r1 --with r3")
		do(t, "mdadm --stop md0")
		check("--assemble md0 r0 r1 r2 r3")
		check("--assemble --scan -c partitions")
		check("--assemble md0 --update=name -N other r0 r1 r2 r3")
		check("--incremental r0 -c none")
		check("--incremental --run r0 -c none")
		check("--zero-superblock r0")
	}}})
}

// TestLife takes one array through everything, and checks the data each time.
func TestLife(t *testing.T) {
	var cases []lab.Case
	for _, kind := range []string{
		"-l5 -n3 -e1.2 --bitmap=internal r0 r1 r2", "-l1 -n2 -e1.0 --bitmap=internal r0 r1", "-l6 -n4 -e0.90 --bitmap=internal r0 r1 r2 r3",
		"-l10 -n4 -e1.1 --bitmap=internal r0 r1 r2 r3", "-l4 -n3 -e1.2 --bitmap=internal r0 r1 r2",
	} {
		w := strings.Fields(kind)
		cases = append(cases, lab.Case{Name: strings.Join(w[:3], ""), Run: func(t *testing.T, g *lab.Guest) { life(t, kind) }})
	}
	runSome(t, 1, cases)
}

func life(t *testing.T, kind string) {
	defer reset(t)
	must(t, "--create --run --quiet md0 "+kind)
	members := strings.Fields(kind)[4:]
	round := uint64(1)
	var want [32]byte
	write := func() {
		t.Helper()
		round++
		scribble(t, "/dev/md0", round)
		want = sum(t, "/dev/md0")
	}
	look := func(after string) {
		t.Helper()
		lab.ArraysIdle(t)
		if sum(t, "/dev/md0") != want {
			t.Fatalf("%s: other data after %s", kind, after)
		}
	}
	write()
	step := func(line string) {
		t.Helper()
		must(t, line)
		look(line)
	}
	step("md0 --fail r1")
	write()
	step("md0 --remove r1")
	step("md0 --add r8")
	whole(t)
	step("md0 --fail r0 --remove r0")
	write()
	step("md0 --re-add r0")
	whole(t)
	step("md0 --add r9")
	step("md0 --replace r0 --with r9")
	whole(t)
	step("md0 --remove faulty")
	do(t, "mdadm --stop md0")
	now := slices.Concat([]string{"r9", "r8"}, members[2:])
	step("--assemble md0 " + strings.Join(now, " "))
	whole(t)
	// Without the member that was rebuilt from the others.
	step("md0 --fail r8")
	do(t, "mdadm --stop md0")
	step("--assemble md0 " + strings.Join(now, " "))
}

// whole checks that no member is missing.
func whole(t *testing.T) {
	t.Helper()
	if b, _ := os.ReadFile("/sys/block/md0/md/degraded"); string(b) != "0\n" {
		stat, _ := os.ReadFile("/proc/mdstat")
		t.Fatalf("degraded: %s\n%s", b, stat)
	}
}
