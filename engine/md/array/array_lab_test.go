package array_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// kernelArray is an array for Debian's mdadm to make.
type kernelArray struct {
	level, layout string // mdadm's words; layout may be empty
	metadata      string
	chunk         int // KiB; 0 for none
	disks         int
}

func (k kernelArray) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s chunk%dK %ddisks", k.level, k.layout, k.metadata, k.chunk, k.disks)), " ")
}

var metadataVersions = []string{"0.90", "1.0", "1.1", "1.2"}

// kernelArrays lists every level and layout, each with one of the metadata versions
// in turn, or with all of them if every is set.
func kernelArrays(every bool, turn int) (list []kernelArray) {
	add := func(level, layout string, chunk, disks int) {
		versions := metadataVersions
		if level == "raid0" { // mdadm 4.2 cannot make one with 0.90
			versions = versions[1:]
		}
		for i, v := range versions {
			if every || i == turn%len(versions) {
				list = append(list, kernelArray{level, layout, v, chunk, disks})
			}
		}
		turn++
	}
	add("linear", "", 0, 4)
	add("linear", "", 64, 3)
	for _, chunk := range []int{4, 12, 64, 100} {
		add("raid0", "original", chunk, 5)
		add("raid0", "alternate", chunk, 5)
	}
	add("raid1", "", 0, 2)
	add("raid1", "", 0, 4)
	add("raid4", "", 16, 4)
	for i, layout := range []string{"left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric", "parity-first", "parity-last"} {
		add("raid5", layout, 4<<i, 3+i%3)
	}
	for i, layout := range []string{
		"left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric", "parity-first", "parity-last",
		"ddf-zero-restart", "ddf-N-restart", "ddf-N-continue",
		"left-asymmetric-6", "right-asymmetric-6", "left-symmetric-6", "right-symmetric-6", "parity-first-6",
	} {
		add("raid6", layout, 4<<(i%5), 4+i%3)
	}
	for i, layout := range []string{"n2", "n3", "f2", "f3", "o2", "o3"} {
		add("raid10", layout, 4<<i, 4)
		add("raid10", layout, 64, 5)
	}
	return list
}

// sample takes about every sixth array of each level; the seed says where to begin.
func sample(all []kernelArray, seed uint64) (list []kernelArray) {
	byLevel := make(map[string][]kernelArray)
	for _, k := range all {
		byLevel[k.level] = append(byLevel[k.level], k)
	}
	seen := make(map[string]int)
	for _, k := range all {
		step := min(6, len(byLevel[k.level]))
		if seen[k.level]%step == int(seed/4%uint64(step)) {
			list = append(list, k)
		}
		seen[k.level]++
	}
	return list
}

// TestArraysLikeTheKernel has the kernel and the engine run the same arrays in
// turn. Each must read what the other wrote, with all members and without every set
// of them that the level can lose. The test runs a sample of the levels, layouts and
// metadata versions; with MDKIT_SOAK set, all of them.
func TestArraysLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		for _, f := range []string{"min", "max"} {
			if err := os.WriteFile("/proc/sys/dev/raid/speed_limit_"+f, []byte("2000000"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}}}
	soak := lab.Soak()
	arrays := kernelArrays(soak, int(seed%4))
	if !soak {
		arrays = sample(arrays, seed)
	}
	for i, k := range arrays {
		cases = append(cases, lab.Case{Name: strings.ReplaceAll(k.String(), " ", "_"), Run: func(t *testing.T, g *lab.Guest) {
			x := &exchange{t: t, g: g, k: k, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
			x.run()
		}})
	}
	var disks []lab.Disk
	for _, kib := range []int64{2560, 3076, 2816, 3080, 5120, 3076} {
		disks = append(disks, lab.Disk{Size: kib << 10})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"linear", "md-linear", "raid0", "raid1", "raid10", "raid456"},
		Disks:   disks,
		Files:   mdadm.Files,
	}, cases...)
}

// exchange is an array that the kernel and the engine run in turn.
type exchange struct {
	t     *testing.T
	g     *lab.Guest
	k     kernelArray
	rng   *rand.Rand
	disks []string
	model []byte // what the array should hold
	level md.Level
}

const kernelDevice = "/dev/md0"

func (x *exchange) run() {
	x.t.Helper()
	// Linux 6.8 dropped linear, and 6.14 brought it back under another name;
	// Debian's user-mode kernels may still lack it.
	if x.k.level == "linear" && !x.g.HasModule("linear") && !x.g.HasModule("md-linear") {
		x.t.Skip("this kernel has no linear personality")
	}
	x.disks = x.g.Disks[:x.k.disks]
	var err error
	if x.level, err = md.ParseLevel(x.k.level); err != nil {
		x.t.Fatal(err)
	}
	x.create()
	x.kernelWrites(len(x.model))
	x.stop()
	x.withFiles(x.disks, block.ForReading, x.engineReadsEveryWay)
	x.withFiles(x.disks, block.ForWriting, x.engineWrites)
	x.assemble(x.disks)
	x.settleWhole()
	x.kernelReads()
	x.kernelChecks()
	x.stop()
	if x.level.Redundant() {
		x.degraded()
	}
	x.noComplaint()
	for _, d := range x.disks {
		x.mdadm("--zero-superblock", d)
	}
}

// mdadm runs Debian's mdadm.
func (x *exchange) mdadm(args ...string) {
	x.t.Helper()
	if out, err := exec.Command("mdadm", args...).CombinedOutput(); err != nil {
		x.t.Fatalf("mdadm %s: %v: %s\n%s", strings.Join(args, " "), err, out, strings.Join(x.g.KernelLog(x.t), "\n"))
	}
}

// create makes the array. Whether it has a bitmap is left to chance, unless there are
// more arguments.
func (x *exchange) create(more ...string) {
	x.t.Helper()
	args := []string{
		"--create", kernelDevice, "--run", "--homehost=lab",
		"--level=" + x.k.level, "--metadata=" + x.k.metadata, fmt.Sprintf("--raid-devices=%d", x.k.disks),
	}
	switch {
	case len(more) > 0:
		args = append(args, more...)
	case x.level.Redundant():
		args = append(args, "--bitmap="+[]string{"none", "internal"}[x.rng.IntN(2)])
	}
	switch {
	case x.k.level == "linear" && x.k.chunk > 0:
		args = append(args, fmt.Sprintf("--rounding=%d", x.k.chunk))
	case x.k.chunk > 0:
		args = append(args, fmt.Sprintf("--chunk=%d", x.k.chunk))
	}
	if x.k.layout != "" {
		args = append(args, "--layout="+x.k.layout)
	}
	x.mdadm(append(args, x.disks...)...)
	x.settleWhole()
	f := x.openKernel(os.O_RDONLY)
	defer f.Close()
	size, err := f.Seek(0, 2)
	if err != nil {
		x.t.Fatal(err)
	}
	x.model = make([]byte, size)
}

// settle waits until nothing is being resynced, rebuilt or checked.
func (x *exchange) settle() {
	x.t.Helper()
	lab.ArraysIdle(x.t)
}

// settleWhole waits until all members are in sync.
func (x *exchange) settleWhole() {
	x.t.Helper()
	x.await("degraded", "0")
	x.await("resync_start", "none")
	x.settle()
}

// await waits until an attribute of the array has a value. Levels without redundancy
// lack the attributes that tests wait for.
func (x *exchange) await(attribute, want string) {
	x.t.Helper()
	lab.Poll(x.t, func() string {
		b, err := os.ReadFile("/sys/block/md0/md/" + attribute)
		if err == nil && string(b) == want+"\n" || !x.level.Redundant() {
			return ""
		}
		return fmt.Sprintf("%s is %q, %v; want %s", attribute, b, err, want)
	})
}

func (x *exchange) stop() {
	x.t.Helper()
	x.mdadm("--stop", kernelDevice)
}

func (x *exchange) assemble(disks []string) {
	x.t.Helper()
	x.mdadm(append([]string{"--assemble", "--run", "--quiet", kernelDevice}, disks...)...)
}

func (x *exchange) openKernel(flag int) *os.File {
	x.t.Helper()
	f, err := os.OpenFile(kernelDevice, flag, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	return f
}

// write does one random write, which need not be in whole sectors: the kernel's page
// cache takes any size. If most is the size of the array, it writes all of it.
func (x *exchange) write(w interface {
	WriteAt([]byte, int64) (int, error)
}, most int,
) {
	x.t.Helper()
	off := x.rng.IntN(len(x.model))
	n := min(1+x.rng.IntN(most), len(x.model)-off)
	if most == len(x.model) {
		off, n = 0, most
	}
	p := blocktest.Pattern(x.rng.Uint64(), n)
	if _, err := w.WriteAt(p, int64(off)); err != nil {
		x.t.Fatal(err)
	}
	copy(x.model[off:], p)
}

// kernelWrites writes up to most bytes at once, or the whole array if most is its
// size, and then some smaller pieces.
func (x *exchange) kernelWrites(most int) {
	x.t.Helper()
	f := x.openKernel(os.O_RDWR)
	defer f.Close()
	x.write(f, most)
	for range 20 {
		x.write(f, 1<<x.rng.IntN(18))
	}
	if err := f.Sync(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *exchange) kernelReads() {
	x.t.Helper()
	f := x.openKernel(os.O_RDONLY)
	defer f.Close()
	got := make([]byte, len(x.model))
	if _, err := f.ReadAt(got, 0); err != nil {
		x.t.Fatal(err)
	}
	x.want("kernel", got)
}

// kernelChecks has the kernel compare all copies and parity.
func (x *exchange) kernelChecks() {
	x.t.Helper()
	if !x.level.Redundant() {
		return
	}
	if err := os.WriteFile("/sys/block/md0/md/sync_action", []byte("check"), 0); err != nil {
		x.t.Fatal(err)
	}
	x.settle()
	b, err := os.ReadFile("/sys/block/md0/md/mismatch_cnt")
	if err != nil || string(b) != "0\n" {
		x.t.Fatalf("the kernel's check finds %q sectors that do not match, error %v", b, err)
	}
}

func (x *exchange) want(who string, got []byte) {
	x.t.Helper()
	if bytes.Equal(got, x.model) {
		return
	}
	if len(got) != len(x.model) {
		x.t.Fatalf("%s: %d bytes; want %d", who, len(got), len(x.model))
	}
	for i := range got {
		if got[i] != x.model[i] {
			x.t.Fatalf("%s: first difference at byte %d of %d", who, i, len(got))
		}
	}
}

// withFiles opens the disks while use runs. All of them stay open until it is done,
// because closing a disk empties its cache.
func (x *exchange) withFiles(disks []string, flag block.OpenFlag, use func(files []block.Device)) {
	x.t.Helper()
	var files []block.Device
	for _, path := range disks {
		f, err := block.OpenFile(path, flag|block.Exclusive)
		if err != nil {
			x.t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	use(files)
}

// engineReads checks the content of the array that the engine makes of the files.
func (x *exchange) engineReads(files []block.Device) {
	x.t.Helper()
	a, err := openArray(files, array.Options{ReadOnly: true})
	if err != nil {
		x.t.Fatal(err)
	}
	got := make([]byte, a.Size())
	if err := block.ReadFull(a, got, 0); err != nil {
		x.t.Fatal(err)
	}
	x.want(fmt.Sprintf("engine with %d members", len(files)), got)
}

// engineReadsEveryWay reads with all members and without every set of them that can
// be lost, in random order.
func (x *exchange) engineReadsEveryWay(files []block.Device) {
	x.t.Helper()
	layout := int32(0)
	if x.level == md.LevelRAID10 {
		layout, _ = md.ParseLayout(x.level, x.k.layout)
	}
	for set := range 1 << len(files) {
		avail := make([]bool, len(files))
		var with []block.Device
		for i, f := range files {
			avail[i] = set>>i&1 == 0
			if avail[i] {
				with = append(with, f)
			}
		}
		if md.Enough(x.level, len(avail), layout, true, avail) {
			x.rng.Shuffle(len(with), func(i, j int) { with[i], with[j] = with[j], with[i] })
			x.engineReads(with)
		}
	}
}

// engineOpensAndWrites opens the array, writes to it and leaves it open.
func (x *exchange) engineOpensAndWrites(files []block.Device) *array.Array {
	x.t.Helper()
	a, err := openArray(files, array.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	for range 20 {
		x.write(a, 1<<x.rng.IntN(21))
	}
	return a
}

// engineWritesAndCloses writes to the array and leaves it clean.
func (x *exchange) engineWritesAndCloses(files []block.Device) {
	x.t.Helper()
	mustClose(x.t, x.engineOpensAndWrites(files))
}

// engineWrites writes to the array and leaves it clean or dirty.
func (x *exchange) engineWrites(files []block.Device) {
	x.t.Helper()
	a := x.engineOpensAndWrites(files)
	// Without Close the array stays dirty and the kernel resyncs it, but the kernel
	// does not start a dirty array that is degraded too.
	if a.Degraded() > 0 || x.rng.IntN(2) == 0 {
		mustClose(x.t, a)
	} else if err := a.Sync(); err != nil {
		x.t.Fatal(err)
	}
}

// degraded takes a member away: the kernel writes without it and the engine reads,
// then the engine writes without it and the kernel reads. The kernel is offered the
// stale member again, and must not take it as it is. Then the kernel rebuilds the
// member from what the engine wrote.
func (x *exchange) degraded() {
	x.t.Helper()
	lost := x.rng.IntN(len(x.disks))
	rest := slices.Concat(x.disks[:lost], x.disks[lost+1:])
	if x.rng.IntN(2) == 0 { // else the engine is the first to run without it
		x.assemble(rest)
		x.kernelWrites(1 << 20)
		x.stop()
	}
	x.withFiles(rest, block.ForWriting, func(files []block.Device) {
		x.engineReads(files)
		x.engineWrites(files)
	})
	x.assemble(x.disks)
	if b, err := os.ReadFile("/sys/block/md0/md/degraded"); err != nil || string(b) != "1\n" {
		x.t.Fatalf("with the stale member offered, degraded is %q, %v; want 1", b, err)
	}
	x.kernelReads()
	if x.rng.IntN(2) == 0 { // else it may be re-added with the help of the bitmap
		x.mdadm("--zero-superblock", x.disks[lost])
	}
	x.mdadm(kernelDevice, "--add", "--quiet", x.disks[lost])
	x.settleWhole()
	x.kernelReads()
	x.kernelChecks()
	x.stop()
	x.withFiles(x.disks, block.ForReading, x.engineReads)
}

// noComplaint looks for errors and warnings in the kernel's log, and for arrays that
// are still running.
func (x *exchange) noComplaint(except ...string) {
	x.t.Helper()
	for _, line := range x.g.KernelLog(x.t) {
		if slices.ContainsFunc(except, func(s string) bool { return strings.HasSuffix(line, s) }) {
			continue
		}
		for _, word := range []string{"error", "invalid", "mismatch", "corrupt", "failure", "wrong", "BUG", "WARN"} {
			if strings.Contains(line, word) {
				x.t.Errorf("the kernel says: %s", line)
			}
		}
	}
	if left, err := filepath.Glob("/sys/block/md*/md/array_state"); err != nil || len(left) > 0 {
		for _, f := range left {
			if b, err := os.ReadFile(f); err == nil && string(b) != "clear\n" {
				x.t.Errorf("%s is %s", f, b)
			}
		}
	}
}
