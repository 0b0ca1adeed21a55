package array_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestOddStatesLikeTheKernel has the kernel leave arrays in unusual states, and checks
// that the engine reads them right.
func TestOddStatesLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	var cases []lab.Case
	add := func(name string, k kernelArray, run func(*exchange)) {
		n := uint64(len(cases))
		cases = append(cases, lab.Case{Name: name + "_" + k.level, Run: func(t *testing.T, g *lab.Guest) {
			x := &exchange{t: t, g: g, k: k, rng: rand.New(rand.NewPCG(seed, n)), disks: g.Disks[:k.disks]}
			var err error
			if x.level, err = md.ParseLevel(k.level); err != nil {
				t.Fatal(err)
			}
			x.create()
			x.kernelWrites(len(x.model))
			run(x)
			for _, d := range g.Disks {
				if _, err := md.ReadMember(mustFile(t, d)); err == nil {
					x.mdadm("--zero-superblock", d)
				}
			}
		}})
	}
	for _, k := range []kernelArray{
		{"raid1", "", "1.2", 0, 3},
		{"raid5", "left-symmetric", "1.2", 64, 4},
		{"raid6", "left-symmetric", "1.1", 16, 5},
		{"raid10", "n2", "1.0", 32, 4},
	} {
		for _, state := range lab.Sample(t, []struct {
			name string
			run  func(*exchange)
		}{{"half_rebuilt", halfRebuilt}, {"half_replaced", halfReplaced}, {"bad_blocks", badBlocks}}, 1) {
			add(state.name, k, state.run)
		}
	}
	add("dirty", kernelArray{"raid5", "left-symmetric", "1.2", 64, 4}, dirty)
	var disks []lab.Disk
	for range 6 {
		disks = append(disks, lab.Disk{Size: 3 << 20})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid10", "raid456"}, Disks: disks, Files: mdadm.Files,
	}, cases...)
}

func mustFile(t *testing.T, path string) *block.File {
	t.Helper()
	f, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// set writes an attribute of the array.
func (x *exchange) set(attribute, value string) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join("/sys/block/md0/md", attribute), []byte(value), 0); err != nil {
		x.t.Fatal(err)
	}
}

// halfway is where rebuilding is made to stop, in sectors of the members.
const halfway = 2048

// awaitHalfway waits until a rebuild has come to sync_max, which is set to halfway.
func (x *exchange) awaitHalfway() {
	x.t.Helper()
	lab.Poll(x.t, func() string {
		b, err := os.ReadFile("/sys/block/md0/md/sync_completed")
		if err == nil && strings.HasPrefix(string(b), fmt.Sprint(halfway, " / ")) {
			return ""
		}
		return fmt.Sprintf("sync_completed is %q, %v; want %d", b, err, halfway)
	})
}

// spoil fills a disk with garbage, so that nothing on it is right by accident.
func (x *exchange) spoil(disk string) {
	x.t.Helper()
	f, err := block.OpenFile(disk, block.ForWriting)
	if err != nil {
		x.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(blocktest.Pattern(x.rng.Uint64(), int(f.Size())), 0); err != nil {
		x.t.Fatal(err)
	}
}

// halfRebuilt has the kernel rebuild a member halfway.
func halfRebuilt(x *exchange) {
	x.t.Helper()
	lost := x.rng.IntN(len(x.disks))
	x.mdadm(kernelDevice, "--fail", x.disks[lost])
	x.mdadm(kernelDevice, "--remove", x.disks[lost])
	x.spoil(x.disks[lost])
	x.set("sync_max", fmt.Sprint(halfway))
	x.mdadm(kernelDevice, "--add", x.disks[lost])
	x.awaitHalfway()
	x.kernelWrites(1 << 20)
	x.stop()
	x.withFiles(x.disks, block.ForReading, func(files []block.Device) {
		m, err := md.ReadMember(files[lost])
		if err != nil {
			x.t.Fatal(err)
		}
		if off := m.RecoveryOffset(); off == 0 || off > halfway {
			x.t.Errorf("recovery offset %d; want it to have come to %d", off, halfway)
		}
		a, err := openArray(files, array.Options{})
		if err != nil {
			x.t.Fatal(err)
		}
		if a.Degraded() != 1 {
			x.t.Errorf("degraded by %d; want 1", a.Degraded())
		}
		x.engineReads(files)
	})
}

// halfReplaced has the kernel copy a member to its replacement halfway.
func halfReplaced(x *exchange) {
	x.t.Helper()
	spare := x.g.Disks[len(x.disks)]
	x.spoil(spare)
	x.set("sync_max", fmt.Sprint(halfway))
	x.mdadm(kernelDevice, "--add", spare)
	x.mdadm(kernelDevice, "--replace", x.disks[1], "--with", spare)
	x.awaitHalfway()
	x.kernelWrites(1 << 20)
	x.stop()
	with := append([]string{spare}, x.disks...)
	x.withFiles(with, block.ForReading, func(files []block.Device) {
		m, err := md.ReadMember(files[0])
		if err != nil {
			x.t.Fatal(err)
		}
		if !m.Replacement() {
			x.t.Error("the spare is not a replacement according to its superblock")
		}
		x.engineReads(files)
	})
	// A replacement that is partly copied must not be used in place of the member.
	rest := append([]string{spare}, append([]string{x.disks[0]}, x.disks[2:]...)...)
	x.withFiles(rest, block.ForReading, x.engineReads)
	// The array must not be dirty: Linux 6.1 resyncs a dirty raid5 first and then
	// takes the replacement as complete without having copied parity to the rest of
	// it. Its own check finds that, although parity is right on all the members that
	// it was given.
	x.withFiles(with, block.ForWriting, x.engineWritesAndCloses)
	x.assemble(with)
	x.kernelReads()
	x.settleWhole()
	x.kernelChecks()
	x.kernelReads()
	x.stop()
}

// badBlocks tells the kernel of bad blocks on one member, and spoils their content.
func badBlocks(x *exchange) {
	x.t.Helper()
	bad := filepath.Base(x.disks[1])
	b, err := os.ReadFile("/sys/block/md0/md/dev-" + bad + "/offset")
	if err != nil {
		x.t.Fatal(err)
	}
	var start int // of data; the log counts from the start of the device
	if _, err := fmt.Sscan(string(b), &start); err != nil {
		x.t.Fatal(err)
	}
	for from, n := range map[int]int{300: 4, 1000: 250} {
		x.set("dev-"+bad+"/bad_blocks", fmt.Sprint(start+from, " ", n))
	}
	// A write makes the kernel write its bad block log. It must not be to the bad
	// blocks, because a write that succeeds there removes them from the log.
	f := x.openKernel(os.O_RDWR)
	last := x.model[len(x.model)-4096:]
	copy(last, blocktest.Pattern(x.rng.Uint64(), len(last)))
	if _, err := f.WriteAt(last, int64(len(x.model)-len(last))); err != nil {
		x.t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		x.t.Fatal(err)
	}
	x.stop()
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		m, err := md.ReadMember(files[1])
		if err != nil {
			x.t.Fatal(err)
		}
		list, err := m.ReadBadBlocks(files[1])
		if err != nil || len(list) == 0 {
			x.t.Fatalf("bad blocks are %v, %v; want some", list, err)
		}
		for _, b := range list {
			p := blocktest.Pattern(x.rng.Uint64(), int(b.Length)*md.SectorSize)
			if _, err := files[1].WriteAt(p, int64(b.Sector)*md.SectorSize); err != nil {
				x.t.Fatal(err)
			}
		}
		x.engineReads(files)
		x.engineWrites(files)
		x.engineReads(files)
	})
	x.assemble(x.disks)
	x.kernelReads()
	x.stop()
}

// dirty takes copies of the members before the kernel has marked the array as clean,
// as if the power had failed then.
func dirty(x *exchange) {
	x.t.Helper()
	x.set("safe_mode_delay", "60")
	x.kernelWrites(1 << 20)
	var copies []block.Device
	for _, d := range x.disks {
		f := mustFile(x.t, d)
		p := make([]byte, f.Size())
		if err := block.ReadFull(f, p, 0); err != nil {
			x.t.Fatal(err)
		}
		copies = append(copies, block.NewMemoryFrom(d, p))
	}
	x.stop()
	x.engineReads(copies)
	if _, err := openArray(copies[1:], array.Options{}); !errors.Is(err, md.ErrDirtyDegraded) {
		x.t.Errorf("opening the dirty array without a member gave %v; want %v", err, md.ErrDirtyDegraded)
	}
	a, err := openArray(copies[1:], array.Options{Dirty: true, ReadOnly: true})
	if err != nil {
		x.t.Fatal(err)
	}
	got := make([]byte, a.Size())
	if err := block.ReadFull(a, got, 0); err != nil {
		x.t.Fatal(err)
	}
	x.want("engine, dirty and degraded", got)
}
