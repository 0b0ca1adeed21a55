package array_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestScrubLikeTheKernel damages arrays that the kernel wrote. The kernel's check and
// the engine's scrub must agree on whether there is damage and, where the kernel
// counts by page, on how much. The kernel must find nothing wrong with what the
// engine has repaired.
func TestScrubLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	var cases []lab.Case
	for i, k := range []kernelArray{
		{"raid1", "", "1.2", 0, 2},
		{"raid1", "", "1.0", 0, 3},
		{"raid4", "", "1.2", 16, 4},
		{"raid5", "left-asymmetric", "1.1", 4, 4},
		{"raid5", "left-symmetric", "0.90", 64, 5},
		{"raid6", "left-symmetric", "1.2", 16, 5},
		{"raid6", "ddf-N-continue", "1.2", 4, 6},
		{"raid6", "parity-first-6", "1.2", 8, 4},
		{"raid10", "n2", "1.2", 32, 4},
		{"raid10", "f3", "1.2", 16, 5},
		{"raid10", "o2", "1.2", 8, 5},
	} {
		cases = append(cases, lab.Case{Name: strings.ReplaceAll(k.String(), " ", "_"), Run: func(t *testing.T, g *lab.Guest) {
			x := &exchange{t: t, g: g, k: k, rng: rand.New(rand.NewPCG(seed, uint64(i))), disks: g.Disks[:k.disks]}
			x.scrub()
		}})
	}
	var disks []lab.Disk
	for range 6 {
		disks = append(disks, lab.Disk{Size: 3 << 20})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid10", "raid456"}, Disks: disks, Files: mdadm.Files,
	}, lab.Sample(t, cases, 4)...)
}

func (x *exchange) scrub() {
	x.t.Helper()
	var err error
	if x.level, err = md.ParseLevel(x.k.level); err != nil {
		x.t.Fatal(err)
	}
	x.create()
	x.kernelWrites(len(x.model))
	x.stop()
	var found []array.Mismatch
	pages := 0
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		pages = x.damage(files)
		found = x.engineScrubs(files, false)
	})
	bytes, provable := int64(0), 0
	var expected []string
	for _, m := range found {
		bytes += (m.Position+m.Len+4095)/4096*4096 - m.Position/4096*4096
		if m.Proof != array.ProofNone {
			provable++
		}
		page := m.Position / 4096 * 8
		expected = append(expected, fmt.Sprintf("md0: mismatch sector in range %d-%d", page, page+8))
	}
	if bytes != int64(pages)*4096 {
		x.t.Fatalf("%d pages are damaged, and the scrub tells of %d bytes: %+v", pages, bytes, found)
	}
	x.assemble(x.disks)
	x.kernelCounts(int64(pages) * 8)
	x.stop()
	want := 0
	if x.level == md.LevelRAID6 || x.k.disks == 3 && x.level == md.LevelRAID1 || x.k.layout == "f3" {
		want = len(found)
	}
	if provable != want {
		x.t.Fatalf("%d of %d can be proved, want %d: %+v", provable, len(found), want, found)
	}
	if provable > 0 {
		x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
			x.engineScrubs(files, true)
			x.engineReads(files)
		})
		x.assemble(x.disks)
		x.kernelChecks()
		x.kernelReads()
		x.stop()
	}
	// The kernel's drivers log the places, as far as their rate limit allows.
	x.noComplaint(expected...)
	for _, d := range x.disks {
		x.mdadm("--zero-superblock", d)
	}
}

// damage spoils bytes of some pages, each on one member and no two in the same row,
// and returns how many pages.
func (x *exchange) damage(files []block.Device) int {
	x.t.Helper()
	members := make([]*md.Member, len(files))
	for i, f := range files {
		m, err := md.ReadMember(f)
		if err != nil {
			x.t.Fatal(err)
		}
		members[i] = m
	}
	// Far copies are in sections one behind the other: damage only the first.
	used := members[0].UsedSize() / 8 / 4
	pages := 3 + x.rng.IntN(5)
	for n := range pages {
		i := x.rng.IntN(len(files))
		page := used / uint64(pages) * uint64(n)
		off := int64(members[i].DataOffset()+page*8)*md.SectorSize + int64(x.rng.IntN(4000))
		b := make([]byte, 1+x.rng.IntN(90))
		if err := block.ReadFull(files[i], b, off); err != nil {
			x.t.Fatal(err)
		}
		for j := range b {
			b[j] ^= byte(1 + x.rng.IntN(255))
		}
		if _, err := files[i].WriteAt(b, off); err != nil {
			x.t.Fatal(err)
		}
	}
	return pages
}

// engineScrubs has the engine scrub the array, and returns the mismatches.
func (x *exchange) engineScrubs(files []block.Device, repair bool) (found []array.Mismatch) {
	x.t.Helper()
	a, err := openArray(files, array.Options{ReadOnly: !repair})
	if err != nil {
		x.t.Fatal(err)
	}
	for m, err := range a.Scrub(x.t.Context(), array.ScrubOptions{Repair: repair}) {
		if err != nil {
			x.t.Fatal(err)
		}
		found = append(found, m)
	}
	return found
}

// kernelCounts has the kernel check the array, and compares the number of sectors
// that do not match. For mirrors the kernel counts whole requests, so the number only
// has to be above zero.
func (x *exchange) kernelCounts(sectors int64) {
	x.t.Helper()
	x.set("sync_action", "check")
	x.settle()
	b, err := os.ReadFile("/sys/block/md0/md/mismatch_cnt")
	if err != nil {
		x.t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		x.t.Fatal(err)
	}
	exact := x.level == md.LevelRAID4 || x.level == md.LevelRAID5 || x.level == md.LevelRAID6
	if n == 0 || exact && n != sectors {
		x.t.Fatalf("the kernel's check counts %d sectors, want %d", n, sectors)
	}
}
