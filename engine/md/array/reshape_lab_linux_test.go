package array_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// midReshape is a reshape in the middle of which the kernel is made to stop, by a
// limit of how far it may go. The test starts it through sysfs, because mdadm leaves
// no time to set the limit.
type midReshape struct {
	k       kernelArray
	spare   int      // number of devices that are added before
	lower   int64    // how many sectors data moves down on each member
	keep    int      // percent of the array that is kept
	changes []string // attributes and their new values
}

func midReshapes() []midReshape {
	return []midReshape{
		{kernelArray{"raid5", "left-symmetric", "1.2", 64, 4}, 1, 0, 100, []string{"raid_disks 5"}},
		{kernelArray{"raid5", "left-asymmetric", "0.90", 16, 3}, 2, 0, 100, []string{"raid_disks 5"}},
		{kernelArray{"raid5", "left-asymmetric", "1.2", 32, 4}, 0, 0, 100, []string{"layout 3"}},
		{kernelArray{"raid5", "right-symmetric", "1.1", 32, 4}, 0, 512, 100, []string{"layout 0", "chunk_size 65536"}},
		{kernelArray{"raid5", "left-symmetric", "1.0", 16, 5}, 0, 0, 60, []string{"raid_disks 4"}},
		{kernelArray{"raid5", "left-symmetric", "1.2", 16, 4}, 1, 0, 100, []string{"level raid6", "layout 2"}},
		{kernelArray{"raid6", "left-symmetric", "1.1", 64, 5}, 0, 1024, 100, []string{"chunk_size 32768"}},
		{kernelArray{"raid6", "left-symmetric", "1.2", 16, 5}, 1, 256, 100, []string{"raid_disks 6"}},
		{kernelArray{"raid6", "ddf-N-restart", "1.2", 16, 6}, 0, 0, 60, []string{"raid_disks 5", "layout 1"}},
		{kernelArray{"raid4", "", "1.2", 16, 4}, 1, 0, 100, []string{"raid_disks 5"}},
		{kernelArray{"raid10", "n2", "1.2", 32, 4}, 1, 256, 100, []string{"raid_disks 5"}},
		{kernelArray{"raid10", "o2", "1.2", 32, 4}, 2, 256, 100, []string{"raid_disks 6"}},
		{kernelArray{"raid10", "n2", "1.2", 32, 5}, 0, 512, 100, []string{"chunk_size 65536"}},
	}
}

// TestMidReshapeLikeTheKernel has the kernel stop in the middle of a reshape, and the
// engine read the array with all members and without every set of them that it can
// lose.
func TestMidReshapeLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	var cases []lab.Case
	for i, r := range lab.Sample(t, midReshapes(), 3) {
		name := strings.ReplaceAll(fmt.Sprintf("%v %v", r.k, r.changes), " ", "_")
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, g *lab.Guest) {
			x := &exchange{t: t, g: g, k: r.k, rng: rand.New(rand.NewPCG(seed, uint64(i))), disks: g.Disks[:r.k.disks]}
			x.midReshape(r, g.Disks[r.k.disks:][:r.spare])
		}})
	}
	var disks []lab.Disk
	for range 6 {
		disks = append(disks, lab.Disk{Size: 12 << 20})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid10", "raid456"}, Disks: disks, Files: mdadm.Files,
	}, cases...)
}

func (x *exchange) midReshape(r midReshape, spares []string) {
	x.t.Helper()
	var err error
	if x.level, err = md.ParseLevel(x.k.level); err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(x.wipe)
	x.create()
	x.kernelWrites(len(x.model))
	x.set("sync_action", "frozen")
	for _, s := range spares {
		x.mdadm(kernelDevice, "--add", s)
		x.disks = append(x.disks, s)
	}
	if r.keep < 100 {
		x.model = x.model[:len(x.model)*r.keep/100&^(1<<20-1)]
		x.set("array_size", fmt.Sprint(len(x.model)>>10))
	}
	if r.lower > 0 {
		x.lower(r.lower)
	}
	for _, c := range r.changes {
		attribute, value, _ := strings.Cut(c, " ")
		x.set(attribute, value)
	}
	stop := 2048 * (1 + x.rng.IntN(6)) // in sectors of the members
	x.set("sync_max", fmt.Sprint(stop))
	x.set("sync_action", "reshape")
	x.awaitReshape(stop)
	x.stop()
	for _, d := range x.disks {
		forget(x.t, d)
	}
	x.withFiles(x.disks, block.ForReading, func(files []block.Device) {
		m, err := md.ReadMember(files[0])
		if err != nil {
			x.t.Fatal(err)
		}
		if m.Reshape() == nil {
			x.t.Fatal("there is no reshape in the superblock")
		}
		x.t.Logf("stopped: %+v", *m.Reshape())
		x.engineReadsMidReshape(files, m)
	})
}

// lower makes room for data to move down on each member.
func (x *exchange) lower(sectors int64) {
	x.t.Helper()
	members, err := filepath.Glob("/sys/block/md0/md/dev-*")
	if err != nil {
		x.t.Fatal(err)
	}
	for _, m := range members {
		b, err := os.ReadFile(filepath.Join(m, "offset"))
		if err != nil {
			x.t.Fatal(err)
		}
		offset, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		if err != nil {
			x.t.Fatal(err)
		}
		x.set(filepath.Join(filepath.Base(m), "new_offset"), fmt.Sprint(offset-sectors))
	}
}

// awaitReshape waits until a reshape has come to where it must stop, and has recorded
// its position.
func (x *exchange) awaitReshape(stop int) {
	x.t.Helper()
	read := func(attribute string) string {
		b, err := os.ReadFile("/sys/block/md0/md/" + attribute)
		if err != nil {
			x.t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	first := read("reshape_position")
	lab.Poll(x.t, func() string {
		done, position := read("sync_completed"), read("reshape_position")
		at, err := strconv.Atoi(strings.Fields(done)[0])
		// raid10 records it less often, and not when it has to stop.
		if err == nil && (at >= stop-256 || x.level == md.LevelRAID10) && position != first && position != "none" {
			return ""
		}
		return fmt.Sprintf("sync_completed is %s, want %d; reshape_position is %s", done, stop, position)
	})
}

// forget drops the cache of a disk. Closing the disk does not, as long as mdadm has it
// open, which watches the reshape in the background.
func forget(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0); err != nil {
		t.Fatal(err)
	}
}

// wipe stops the array and zeroes its superblocks for the next case.
func (x *exchange) wipe() {
	_ = exec.Command("mdadm", "--stop", kernelDevice).Run() // fails if it is stopped already
	for _, d := range x.disks {
		x.mdadm("--zero-superblock", d)
	}
}

// engineReadsMidReshape reads without every set of members that both geometries can
// lose. What the array lost by shrinking is not compared.
func (x *exchange) engineReadsMidReshape(files []block.Device, m *md.Member) {
	x.t.Helper()
	read := 0
	for set := range 1 << len(files) {
		var with []block.Device
		for i, f := range files {
			if set>>i&1 == 0 {
				with = append(with, f)
			}
		}
		a, err := openArray(with, array.Options{ReadOnly: true})
		if err != nil {
			if set == 0 {
				x.t.Fatal(err)
			}
			continue
		}
		got := make([]byte, len(x.model))
		if a.Size() < int64(len(got)) {
			x.t.Fatalf("the array has %d bytes, it held %d", a.Size(), len(got))
		}
		if err := block.ReadFull(a, got, 0); err != nil {
			x.t.Fatal(err)
		}
		x.want(fmt.Sprintf("engine with %d of %d members", len(with), len(files)), got)
		read++
	}
	least := 1 + len(files)
	if m.Level() == md.LevelRAID10 {
		least = 2
	}
	if read < least {
		x.t.Errorf("only %d sets of %d members can be read", read, len(files))
	}
}
