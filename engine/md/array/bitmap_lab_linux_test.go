package array_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// labBitmapChunk is the bitmap's chunk size, in KiB, in arrays that the kernel and
// the engine write in turn.
const labBitmapChunk = 64

// TestBitmapsLikeTheKernel has the engine write to arrays with a bitmap, and the
// kernel use the bitmap: it must resync chunks whose bits are set, or rebuild them on
// a member that is re-added, and no others.
func TestBitmapsLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	var cases []lab.Case
	// Parity and second copies are on the last member, or on the second for raid10:
	// damage there does not change the content of the array.
	for i, k := range []kernelArray{
		{"raid1", "", "1.2", 0, 3},
		{"raid4", "", "1.0", 16, 4},
		{"raid5", "parity-last", "0.90", 64, 4},
		{"raid6", "parity-last", "1.1", 16, 5},
		{"raid10", "n2", "1.2", 32, 4},
	} {
		for name, run := range map[string]func(*exchange){"dirty": (*exchange).kernelResyncsTheBits, "readd": (*exchange).kernelReaddsTheBits} {
			cases = append(cases, lab.Case{Name: name + "_" + k.level, Run: func(t *testing.T, g *lab.Guest) {
				x := &exchange{t: t, g: g, k: k, rng: rand.New(rand.NewPCG(seed, uint64(i))), disks: g.Disks[:k.disks]}
				var err error
				if x.level, err = md.ParseLevel(k.level); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(x.wipe)
				x.create("--bitmap=internal", fmt.Sprintf("--bitmap-chunk=%dK", labBitmapChunk))
				x.kernelWrites(len(x.model))
				x.stop()
				run(x)
			}})
		}
	}
	slices.SortFunc(cases, func(a, b lab.Case) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	var disks []lab.Disk
	for range 5 {
		disks = append(disks, lab.Disk{Size: 8 << 20})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid10", "raid456"}, Disks: disks, Files: mdadm.Files,
	}, lab.Sample(t, cases, 2)...)
}

// wound is a page of a member that was damaged, with its content before.
type wound struct {
	off  int64 // on the device
	good []byte
}

// second is the index of the member that holds only parity or second copies.
func (x *exchange) second() int {
	if x.level == md.LevelRAID10 {
		return 1
	}
	return len(x.disks) - 1
}

// hurt damages one page of a member in a chunk whose bit is set, or in one whose bit
// is not set.
func (x *exchange) hurt(d block.Device, dirty []uint64, marked bool) wound {
	x.t.Helper()
	m, err := md.ReadMember(d)
	if err != nil {
		x.t.Fatal(err)
	}
	chunk := int64(x.k.chunk) << 10
	for range 10000 {
		off := x.rng.Int64N(int64(m.UsedSize())*md.SectorSize/4096) * 4096
		at := off
		if x.level == md.LevelRAID10 {
			at = off/chunk*2*chunk + off%chunk
		}
		if slices.Contains(dirty, uint64(at/(labBitmapChunk<<10))) != marked {
			continue
		}
		w := wound{off + int64(m.DataOffset())*md.SectorSize, make([]byte, 4096)}
		if err := block.ReadFull(d, w.good, w.off); err != nil {
			x.t.Fatal(err)
		}
		if _, err := d.WriteAt(blocktest.Pattern(x.rng.Uint64(), 4096), w.off); err != nil {
			x.t.Fatal(err)
		}
		return w
	}
	x.t.Fatalf("no place with bit %v; bits are %v", marked, dirty)
	return wound{}
}

// heals reports whether the page is as it was before the damage, and restores it.
func (x *exchange) heals(d block.Device, w wound) bool {
	x.t.Helper()
	got := make([]byte, len(w.good))
	if err := block.ReadFull(d, got, w.off); err != nil {
		x.t.Fatal(err)
	}
	if _, err := d.WriteAt(w.good, w.off); err != nil {
		x.t.Fatal(err)
	}
	return bytes.Equal(got, w.good)
}

// few does a few writes, which leave most chunks alone.
func (x *exchange) few(a *array.Array) {
	x.t.Helper()
	for range 6 {
		x.write(a, 8<<10)
	}
}

// kernelResyncsTheBits has the engine write to an array and not close it, and the
// kernel resync it.
func (x *exchange) kernelResyncsTheBits() {
	x.t.Helper()
	var inside, outside wound
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		a := mustOpen(x.t, files, array.Options{})
		x.few(a)
		if err := a.Sync(); err != nil { // clears the bits set so far
			x.t.Fatal(err)
		}
		x.few(a)
		dirty, _ := dirtyChunks(x.t, files[0])
		there := files[x.second()]
		inside, outside = x.hurt(there, dirty, true), x.hurt(there, dirty, false)
	})
	x.assemble(x.disks)
	x.settleWhole()
	x.stop()
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		there := files[x.second()]
		if x.heals(there, outside) {
			x.t.Error("the kernel resynced a place that has no bit")
		}
		if !x.heals(there, inside) {
			x.t.Error("the kernel did not resync a place that has a bit")
		}
	})
	x.soundForTheKernel()
}

// kernelReaddsTheBits has the engine write without a member, and the kernel re-add
// that member.
func (x *exchange) kernelReaddsTheBits() {
	x.t.Helper()
	lost := x.second()
	var inside, outside wound
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		rest := slices.Delete(slices.Clone(files), lost, lost+1)
		for range 2 {
			a := mustOpen(x.t, rest, array.Options{})
			x.few(a)
			mustClose(x.t, a)
		}
		dirty, _ := dirtyChunks(x.t, rest[0])
		inside, outside = x.hurt(files[lost], dirty, true), x.hurt(files[lost], dirty, false)
		inside.good = nil // the member missed writes there, so its old content is wrong
	})
	x.assemble(slices.Delete(slices.Clone(x.disks), lost, lost+1))
	x.mdadm(kernelDevice, "--re-add", x.disks[lost])
	x.settleWhole()
	x.stop()
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		if x.heals(files[lost], outside) {
			x.t.Error("the kernel rebuilt a place that has no bit")
		}
	})
	x.soundForTheKernel()
}

// soundForTheKernel checks that both sides read the right content, and that the
// kernel finds no mismatch.
func (x *exchange) soundForTheKernel() {
	x.t.Helper()
	x.withFiles(x.disks, block.ForReading, x.engineReads)
	x.assemble(x.disks)
	x.settleWhole()
	x.kernelReads()
	x.kernelChecks()
	x.stop()
	x.noComplaint()
}
