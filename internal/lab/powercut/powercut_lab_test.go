package powercut

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/mdadm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestMain is mdadm if the binary is called by that name: --grow carries on in a
// process of its own.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mdadm" {
		os.Exit(mdadm.Main(context.Background(), os.Args, ui.Process()))
	}
	lab.Main(m)
}

// operation is something during which the power may fail. Its lines are run by
// our mdadm; s0 to s5 are the disks. "await ATTRIBUTE VALUE" waits for the array,
// "pause" lets the load run for a while, "unload" ends it, and "load" resumes it.
type operation struct {
	name   string
	create string
	lines  []string
	// takeover says that parity is added to an array, see errNeedsForce.
	takeover bool
	// reshapes says that layout or chunk size change, see errUnfinished.
	reshapes bool
}

const (
	disks     = 6
	sliceSize = 24 << 20
	diskSize  = disks * sliceSize
	logSize   = 1 << 30
)

func operations() []operation {
	const idle = "await sync_action idle"
	return []operation{
		{name: "create raid1", create: "-l1 -n2 s0 s1"},
		{name: "create raid5", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2"},
		{name: "size", create: "-l1 -n2 --assume-clean --size=17M s0 s1", lines: []string{"--grow md0 --size=max", idle}},
		{name: "raid1 up", create: "-l1 -n2 --assume-clean s0 s1", lines: []string{"--grow md0 -n3 --add s2", idle}},
		{name: "raid1 down", create: "-l1 -n3 --assume-clean s0 s1 s2", lines: []string{"md0 --fail s2", "md0 --remove s2", "--grow md0 -n2"}},
		{name: "bitmap", create: "-l1 -n2 --assume-clean s0 s1", lines: []string{"--grow md0 -b internal --bitmap-chunk=64K", "--grow md0 -b none", "--grow md0 -b internal"}},
		{name: "policy", create: "-l5 -n3 -c64 --assume-clean -k ppl s0 s1 s2", lines: []string{"--grow md0 -k resync", "--grow md0 -k ppl"}},
		{name: "replace", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2", lines: []string{"md0 --add s3", "md0 --replace s1 --with s3", idle, "md0 --remove faulty"}},
		{name: "re-add", create: "-l1 -n2 --assume-clean -b internal --bitmap-chunk=64K s0 s1", lines: []string{"md0 --fail s1 --remove s1", "pause", "md0 --re-add s1", idle}},
		{name: "level", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2", lines: []string{"--grow md0 -l6 -p preserve --add s3", idle}, takeover: true},
		{name: "reshape", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2", lines: []string{"--grow md0 -n4 --add s3", idle}},
		{name: "stop", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2", lines: []string{"unload", "--stop md0", "--assemble md0 s0 s1 s2", "load", "pause"}},
		{name: "stop bitmap", create: "-l1 -n2 --assume-clean -b internal --bitmap-chunk=64K s0 s1", lines: []string{"unload", "--stop md0", "--assemble md0 s0 s1", "load", "pause"}},
		{name: "update", create: "-l1 -n2 --assume-clean -b internal s0 s1", lines: []string{
			"unload", "--stop md0", "--assemble md0 --update=name --name=other s0 s1", "load", "pause",
			"unload", "--stop md0", "--assemble md0 --update=uuid s0 s1", "load", "pause",
			"unload", "--stop md0", "--assemble md0 --update=resync s0 s1", "load", "pause", idle,
			"unload", "--stop md0", "--assemble md0 --update=no-bitmap s0 s1", "load", "pause",
		}},
		{name: "takeover", create: "-l0 -n2 -c64 s0 s1", lines: []string{"--grow md0 -l5 --add s2", idle}, takeover: true, reshapes: true},
		{name: "level back", create: "-l6 -n4 -c64 --assume-clean s0 s1 s2 s3", lines: []string{"--grow md0 -l5", idle}, reshapes: true},
		{name: "chunk", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2", lines: []string{"--grow md0 -c32", idle}, reshapes: true},
		{name: "layout", create: "-l5 -n3 -c64 --assume-clean s0 s1 s2", lines: []string{"--grow md0 -p ra", idle}, reshapes: true},
		{name: "raid1 to raid5", create: "-l1 -n2 --assume-clean --size=16M s0 s1", lines: []string{"--grow md0 -l5", idle}},
		{name: "reshape raid10", create: "-l10 -n4 -c64 --assume-clean s0 s1 s2 s3", lines: []string{"--grow md0 -n5 --add s4", idle}},
	}
}

// guestCases are the cases that the machines of this package can run.
func guestCases() []lab.Case {
	cases := []lab.Case{kernelCase()}
	for _, op := range operations() {
		cases = append(cases, lab.Case{Name: caseName(op), Run: func(t *testing.T, g *lab.Guest) {
			op.record(t, g.Disks[0], g.Disks[1])
		}}, lab.Case{Name: "killed_" + caseName(op), Run: func(t *testing.T, g *lab.Guest) {
			op.run(t, g.Disks[0], func(text string) error { g.Publish(text, nil); return nil })
			g.Publish("over", nil)
			g.Await("never")
		}})
	}
	return cases
}

func caseName(op operation) string { return strings.ReplaceAll(op.name, " ", "_") }

// TestPowerCut runs operations under write load and judges what power cuts
// would have left.
func TestPowerCut(t *testing.T) {
	seed := lab.Seed(t)
	set := lab.Cases(t, guestCases()...)
	states := 60
	if lab.Soak() {
		states = 2000
	}
	for _, op := range lab.Sample(t, operations(), 1) {
		t.Run(caseName(op), func(t *testing.T) {
			m := set.Start(t, spec(t, lab.Disk{Size: diskSize}, lab.Disk{Size: logSize}), caseName(op))
			m.Wait()
			if t.Failed() {
				t.Fatalf("%s did not run to its end", op.name)
			}
			op.judgeAll(t, set, m.Disks[1], states, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func spec(t *testing.T, disks ...lab.Disk) lab.Spec {
	t.Helper()
	files := map[string]string{}
	maps.Copy(files, lab.Peer(t, "dmsetup").Files)
	return lab.Spec{
		Modules: []string{"dm-mod", "dm-log-writes", "raid0", "raid1", "raid10", "raid456"},
		Files:   files, Disks: disks, Memory: 512 << 20,
	}
}

// dmsetup runs Debian's dmsetup.
func dmsetup(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("dmsetup", append([]string{"--noudevsync", "--noudevrules"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("dmsetup %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// node is the path of a mapped device; nothing creates /dev/mapper here.
func node(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("dmsetup", "info", "-c", "--noheadings", "-o", "blkdevname", name).CombinedOutput()
	if err != nil {
		t.Fatalf("dmsetup info %s: %v\n%s", name, err, out)
	}
	return "/dev/" + strings.TrimSpace(string(out))
}

// cutUp divides a device into slices.
func cutUp(t *testing.T, dev, prefix string) {
	t.Helper()
	for i := range disks {
		dmsetup(t, "create", fmt.Sprintf("%s%d", prefix, i), "--table",
			fmt.Sprintf("0 %d linear %s %d", sliceSize/512, dev, i*sliceSize/512))
	}
}

// run runs a command line with our mdadm.
func run(t *testing.T, line string) {
	t.Helper()
	w := strings.Fields(line)
	for i := range w {
		switch {
		case w[i] == "md0":
			w[i] = "/dev/md0"
		case len(w[i]) == 2 && w[i][0] == 's':
			w[i] = node(t, w[i])
		}
	}
	var out bytes.Buffer
	if code := mdadm.Main(t.Context(), append([]string{"mdadm"}, w...), ui.IO{In: strings.NewReader(""), Out: &out, Err: &out}); code != 0 {
		stat, _ := os.ReadFile("/proc/mdstat")
		t.Fatalf("mdadm %s: exit %d\n%s%s", line, code, out.Bytes(), stat)
	}
}

func await(t *testing.T, attr, value string) {
	t.Helper()
	lab.Poll(t, func() string {
		b, err := os.ReadFile("/sys/block/md0/md/" + attr)
		if err == nil && strings.TrimSpace(string(b)) == value {
			return ""
		}
		return fmt.Sprintf("%s to be %s: %q, %v", attr, value, b, err)
	})
}

// record runs the operation on slices of a logged disk, under write load.
func (op operation) record(t *testing.T, disk, log string) {
	dmsetup(t, "create", "logged", "--table", fmt.Sprintf("0 %d log-writes %s %s", diskSize/512, disk, log))
	op.run(t, node(t, "logged"), func(text string) error {
		out, err := exec.Command("dmsetup", "--noudevsync", "--noudevrules", "message", "logged", "0", "mark "+text).CombinedOutput()
		if err != nil {
			return fmt.Errorf("mark %s: %w\n%s", text, err, out)
		}
		return nil
	})
	for i := range disks {
		dmsetup(t, "remove", fmt.Sprintf("s%d", i))
	}
	dmsetup(t, "remove", "logged")
}

// run runs the operation on slices of a disk, under write load, and calls mark
// for what it has been promised.
func (op operation) run(t *testing.T, disk string, mark func(string) error) {
	cutUp(t, disk, "s")
	say := func(text string) {
		if err := mark(text); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "--create --run --quiet md0 "+op.create)
	say("ready")
	w := &writer{mark: mark}
	w.start(t)
	w.await(t, 4)
	for _, line := range op.lines {
		switch f := strings.Fields(line); f[0] {
		case "await":
			await(t, f[1], f[2])
		case "unload":
			w.end(t)
		case "load":
			w.start(t)
		case "pause":
			w.await(t, w.count()+4)
		default:
			run(t, line)
		}
	}
	w.await(t, w.count()+4)
	w.end(t)
	await(t, "sync_action", "idle")
	run(t, "--stop md0")
	say("stopped")
}

// The load: each generation writes a few blocks of the array, and then marks that
// they are safe.
const (
	loadBlocks = 256
	loadStride = 64 << 10
	loadBlock  = 4096
	loadAtOnce = 4
)

// blocksOf returns the blocks that a generation writes.
func blocksOf(generation int) (list [loadAtOnce]int) {
	for k := range list {
		list[k] = (generation*loadAtOnce + k) % loadBlocks
	}
	return list
}

// loadContent is what a generation writes to a block.
func loadContent(block, generation int) []byte {
	b := make([]byte, loadBlock)
	binary.LittleEndian.PutUint32(b[4:], uint32(block))
	binary.LittleEndian.PutUint32(b[8:], uint32(generation))
	for i := 12; i < len(b); i++ {
		b[i] = byte(i * (block + 3) * (generation + 5))
	}
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b
}

type writer struct {
	stop  chan struct{}
	mark  func(string) error
	group sync.WaitGroup
	mu    sync.Mutex
	done  int
}

func (w *writer) start(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/md0", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	w.stop = stop
	w.group.Go(func() {
		defer f.Close()
		for g := w.count() + 1; ; g++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, block := range blocksOf(g) {
				if _, err := f.WriteAt(loadContent(block, g), int64(block)*loadStride); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
			if err := f.Sync(); err != nil {
				t.Errorf("sync: %v", err)
				return
			}
			if err := w.mark(fmt.Sprintf("ack%d", g)); err != nil {
				t.Error(err)
				return
			}
			w.mu.Lock()
			w.done = g
			w.mu.Unlock()
		}
	})
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done
}

// await waits until n generations have been written.
func (w *writer) await(t *testing.T, n int) {
	t.Helper()
	lab.Poll(t, func() string {
		if t.Failed() {
			t.FailNow() // the load has ended
		}
		if w.count() < n {
			return fmt.Sprintf("the load to come from generation %d to %d", w.count(), n)
		}
		return ""
	})
}

func (w *writer) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	w.group.Wait()
}
