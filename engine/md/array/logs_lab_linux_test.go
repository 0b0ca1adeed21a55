package array_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// loggedArray is an array with a log that the kernel runs.
type loggedArray struct {
	name    string
	disks   []int // numbers of the machine's disks; the journal is the last
	journal bool
	back    bool // the journal is in write-back mode
	size    int64
	args    []string
}

func (a loggedArray) device() string { return "/dev/md/" + a.name }

// members is the number of disks without the journal.
func (a loggedArray) members() int {
	if a.journal {
		return len(a.disks) - 1
	}
	return len(a.disks)
}

func loggedArrays() []loggedArray {
	list := []loggedArray{
		{name: "ppl", size: 12 << 20, args: []string{"--level=5", "--consistency-policy=ppl", "--chunk=16", "--raid-devices=3"}},
		{name: "through", journal: true, size: 8 << 20, args: []string{"--level=5", "--chunk=64", "--raid-devices=3"}},
		{name: "back", journal: true, back: true, size: 8 << 20, args: []string{"--level=6", "--chunk=16", "--raid-devices=4"}},
	}
	next := 0
	for i := range list {
		a := &list[i]
		n, err := strconv.Atoi(strings.TrimPrefix(a.args[len(a.args)-1], "--raid-devices="))
		if err != nil {
			panic(err)
		}
		if a.journal {
			n++
		}
		for range n {
			a.disks = append(a.disks, next)
			next++
		}
	}
	return list
}

// TestLogsLikeTheKernel kills machines whose kernel writes to arrays with a log. The
// engine and the kernel must recover the same from the images. Then the engine writes
// to the same images and its power is cut, and again both must recover the same.
func TestLogsLikeTheKernel(t *testing.T) {
	rng := lab.Rand(t)
	mdadm := lab.Peer(t, "mdadm")
	set := lab.Cases(t, lab.Case{Name: "load", Run: loadArrays}, lab.Case{Name: "judge", Run: judgeArrays})
	spec := lab.Spec{Modules: []string{"raid456"}, Files: mdadm.Files}
	kills := 1
	if lab.Soak() {
		kills = 40
	}
	var disks []lab.Disk
	for _, a := range loggedArrays() {
		for range a.disks {
			disks = append(disks, lab.Disk{Size: a.size})
		}
	}
	for n := range kills {
		t.Run(fmt.Sprintf("kill %d", n), func(t *testing.T) { // a subtest removes its images when it ends
			s := spec
			s.Disks = disks
			m := set.Start(t, s, "load")
			m.Await("ready")
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond) // kill it at a random moment
			m.Kill()
			drop := -1
			if rng.IntN(3) == 0 {
				drop = rng.IntN(3)
			}
			compareLogs(t, set, spec, "of the kernel", m.Disks, drop, false)
			compareLogs(t, set, spec, "of the engine", engineOn(t, rng, m.Disks), -1, true)
		})
	}
}

// loadArrays makes the arrays and writes to all of them until the machine dies.
func loadArrays(t *testing.T, g *lab.Guest) {
	seed := lab.Seed(t)
	fast(t)
	for _, a := range loggedArrays() {
		var disks []string
		for _, i := range a.disks[:a.members()] {
			disks = append(disks, g.Disks[i])
		}
		args := append([]string{"--create", a.device(), "--run", "--homehost=lab", "--metadata=1.2"}, a.args...)
		if a.journal {
			args = append(args, "--write-journal="+g.Disks[a.disks[a.members()]])
		}
		mdadmRun(t, g, append(args, disks...)...)
	}
	lab.ArraysIdle(t)
	for _, a := range loggedArrays() {
		// A journal replaces a resync only from the next start on.
		mdadmRun(t, g, "--stop", a.device())
		var disks []string
		for _, i := range a.disks {
			disks = append(disks, g.Disks[i])
		}
		mdadmRun(t, g, append([]string{"--assemble", "--quiet", a.device()}, disks...)...)
		if a.back {
			kernel, err := filepath.EvalSymlinks(a.device())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("/sys/block/"+filepath.Base(kernel)+"/md/journal_mode", []byte("write-back"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	failed := make(chan error)
	for i, a := range loggedArrays() {
		for j := range 2 {
			rng := rand.New(rand.NewPCG(seed, uint64(2*i+j)))
			go func() { failed <- load(a.device(), rng) }()
		}
	}
	g.Publish("ready", nil)
	t.Fatal(<-failed)
}

// load writes at random places, past the page cache, until a write fails.
func load(device string, rng *rand.Rand) error {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	b, err := unix.Mmap(-1, 0, 256<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	for {
		unit := int64(4096)
		if rng.IntN(4) == 0 {
			unit = 512
		}
		n := (1 + rng.Int64N(1<<rng.IntN(6)*8)) * 512 / unit * unit
		n = min(max(n, unit), int64(len(b)))
		off := rng.Int64N((size-n)/unit) * unit
		for i := range b[:n] {
			b[i] = byte(rng.Uint32())
		}
		if _, err := f.WriteAt(b[:n], off); err != nil {
			return err
		}
	}
}

func fast(t *testing.T) {
	t.Helper()
	for _, f := range []string{"min", "max"} {
		if err := os.WriteFile("/proc/sys/dev/raid/speed_limit_"+f, []byte("2000000"), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func mdadmRun(t *testing.T, g *lab.Guest, args ...string) {
	t.Helper()
	if out, err := exec.Command("mdadm", args...).CombinedOutput(); err != nil {
		t.Fatalf("mdadm %s: %v: %s\n%s", strings.Join(args, " "), err, out, strings.Join(g.KernelLog(t), "\n"))
	}
}

// sum is a digest of n bytes of a device.
func sum(r io.ReaderAt, off, n int64) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, off, n)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// sums returns digests of an array, and of the data of its members.
func sums(array io.ReaderAt, size int64, members []block.Device) (string, error) {
	all, err := sum(array, 0, size)
	if err != nil {
		return "", err
	}
	list := []string{all}
	for _, d := range members {
		m, err := md.ReadMember(d)
		if err != nil {
			return "", err
		}
		s, err := sum(d, int64(m.DataOffset())*md.SectorSize, int64(m.UsedSize())*md.SectorSize)
		if err != nil {
			return "", err
		}
		list = append(list, s)
	}
	return strings.Join(list, " "), nil
}

// judgeArrays has the kernel assemble the arrays of images, without the member that
// DROP names unless that is negative, and publishes digests of their content.
func judgeArrays(t *testing.T, g *lab.Guest) {
	fast(t)
	drop, err := strconv.Atoi(g.Env["DROP"])
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range loggedArrays() {
		var disks []string
		for i, n := range a.disks {
			if i != drop {
				disks = append(disks, g.Disks[n])
			}
		}
		mdadmRun(t, g, append([]string{"--assemble", "--run", "--quiet", a.device()}, disks...)...)
		lab.ArraysIdle(t)
		kernel, err := filepath.EvalSymlinks(a.device())
		if err != nil {
			t.Fatal(err)
		}
		attributes := "/sys/block/" + filepath.Base(kernel) + "/md/"
		if drop < 0 {
			if err := os.WriteFile(attributes+"sync_action", []byte("check"), 0); err != nil {
				t.Fatal(err)
			}
			lab.ArraysIdle(t)
			if b, err := os.ReadFile(attributes + "mismatch_cnt"); err != nil || string(b) != "0\n" {
				t.Errorf("%s: the kernel's check finds %q sectors that do not match, error %v", a.name, b, err)
			}
		}
		g.Publish(a.name, []byte(kernelSums(t, g, a, disks, drop)))
	}
	x := &exchange{t: t, g: g}
	x.noComplaint()
}

// kernelSums returns digests of an array and, after stopping it, of its members.
func kernelSums(t *testing.T, g *lab.Guest, a loggedArray, disks []string, drop int) string {
	t.Helper()
	f, err := block.OpenFile(a.device(), block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	array, err := sum(f, 0, f.Size())
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	mdadmRun(t, g, "--stop", a.device())
	if drop >= 0 {
		return array
	}
	var members []block.Device
	for _, d := range disks[:a.members()] {
		members = append(members, mustFile(t, d))
	}
	s, err := sums(strings.NewReader(""), 0, members)
	if err != nil {
		t.Fatal(err)
	}
	_, s, _ = strings.Cut(s, " ")
	return array + " " + s
}

// opened returns the images of an array, each under an overlay that takes all writes.
func opened(t *testing.T, images []string, a loggedArray) (overlays []*block.Overlay) {
	t.Helper()
	for _, n := range a.disks {
		overlays = append(overlays, block.NewOverlay(mustFile(t, images[n])))
	}
	return overlays
}

func asDevices[T block.Device](list []T) []block.Device {
	var all []block.Device
	for _, d := range list {
		all = append(all, d)
	}
	return all
}

// compareLogs has both sides recover the arrays of images. The kernel does so in
// place or on copy-on-write disks. Those of user-mode Linux get writes of less than
// 4096 bytes wrong, but only logs of the engine lead to such writes.
func compareLogs(t *testing.T, set *lab.CaseSet, spec lab.Spec, what string, images []string, drop int, inPlace bool) {
	t.Helper()
	got := make(map[string]string)
	for _, a := range loggedArrays() {
		disks := asDevices(opened(t, images, a))
		if drop >= 0 {
			disks = dropped(disks, drop)
		}
		array := mustOpen(t, disks, array.Options{ReadOnly: true, Dirty: drop >= 0})
		s, err := sum(array, 0, array.Size())
		if err == nil && drop < 0 {
			s, err = recovered(t, s, disks, a)
		}
		if err != nil {
			t.Fatalf("a log %s: %s: %v", what, a.name, err)
		}
		got[a.name] = s
	}
	spec.Env = map[string]string{"DROP": strconv.Itoa(drop)}
	for _, path := range images {
		spec.Disks = append(spec.Disks, lab.Disk{Path: path, COW: !inPlace})
	}
	r := set.Start(t, spec, "judge").Wait()
	for name, engine := range got {
		if kernel := string(r.Published[name]); engine != kernel {
			t.Errorf("a log %s: %s without member %d: the engine has %s; the kernel has %s", what, name, drop, engine, kernel)
		}
	}
}

// recovered has the engine put the content of the log in place and resync where that
// is due, as the kernel does, and returns digests of the result. It fails if that
// changes the content of the array.
func recovered(t *testing.T, first string, disks []block.Device, a loggedArray) (string, error) {
	t.Helper()
	b := make([]byte, 1)
	arr := mustOpen(t, disks, array.Options{})
	if err := block.ReadFull(arr, b, 0); err != nil {
		return "", err
	}
	if _, err := arr.WriteAt(b, 0); err != nil {
		return "", err
	}
	for x, err := range arr.Scrub(t.Context(), array.ScrubOptions{Repair: true}) {
		if err != nil {
			return "", err
		}
		t.Logf("%s: to be resynced: %v", a.name, x)
	}
	after, err := sums(arr, arr.Size(), disks[:a.members()])
	if err == nil && !strings.HasPrefix(after, first) {
		err = errors.New("replaying the log changes the content: it was " + first)
	}
	return after, errors.Join(err, arr.Close())
}

// engineOn has the engine write to the arrays of images until its power is cut, and
// returns the images that are left. No write that was synced may be lost.
func engineOn(t *testing.T, rng *rand.Rand, images []string) []string {
	t.Helper()
	left := slices.Clone(images)
	for _, a := range loggedArrays() {
		overlays := opened(t, images, a)
		h := newHistory(content(t, asDevices(overlays), array.Options{}))
		power := block.NewPower(rng.Uint64())
		var crash []block.Device
		for _, o := range overlays {
			crash = append(crash, power.Attach(o))
		}
		power.CutAfter(1 + rng.IntN(200))
		err := crashSession(crash, h, rng, 1000)
		if !errors.Is(err, block.ErrClosed) {
			t.Fatalf("%s: the session ended with %v", a.name, err)
		}
		if err := h.check(content(t, asDevices(overlays), array.Options{}), false); err != nil {
			t.Errorf("%s: after a cut: %v", a.name, err)
		}
		for i, o := range overlays {
			left[a.disks[i]] = copyOf(t, images[a.disks[i]], o)
		}
	}
	return left
}

// copyOf writes the content of an overlay on an image to a new image.
func copyOf(t *testing.T, image string, o *block.Overlay) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(image))
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := block.OpenFile(path, block.ForWriting)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := o.Apply(f); err != nil {
		t.Fatal(err)
	}
	return path
}
