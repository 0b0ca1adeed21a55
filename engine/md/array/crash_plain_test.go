package array_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/internal/lab"
)

// plainArray formats an array without a log, with or without a bitmap.
func plainArray(t *testing.T, level md.Level, layout int32, n int, bitmap bool) (disks []*block.Memory) {
	t.Helper()
	const size, used = 1 << 20, 384 << 10
	array := fresh.NewArray{
		Version: md.V12, Level: level, Layout: layout, Chunk: 32, Size: used / md.SectorSize,
		RaidDisks: n, ActiveDisks: n, WorkingDisks: n, Name: "host:plain", UUID: md.UUID{7}, CTime: time.Unix(1_700_000_000, 0), Clean: true,
	}
	if level == md.LevelRAID1 {
		array.Chunk = 0
	}
	if bitmap {
		array.Bitmap = &fresh.NewBitmap{Chunk: 16 << 10, SyncSize: array.Size, Delay: 5}
		if level == md.LevelRAID10 {
			array.Bitmap.SyncSize = array.Size * uint64(n) / 2
		}
	}
	var members []fresh.NewMember
	for i := range n {
		members = append(members, fresh.NewMember{
			Sectors: size / md.SectorSize, Bytes: size, Number: i, RaidDisk: i, DataOffset: fresh.DefaultDataOffset, UUID: md.UUID{1, byte(i)},
		})
		disks = append(disks, block.NewMemory(fmt.Sprintf("disk%d", i), size))
	}
	extents, err := array.Format(members, 256)
	if err != nil {
		t.Fatal(err)
	}
	for i, list := range extents {
		for _, e := range list {
			if _, err := disks[i].WriteAt(e.Data, e.Off); err != nil {
				t.Fatal(err)
			}
		}
	}
	return disks
}

// TestCutKeepsWhatWasSynced cuts the power of arrays without a log, with and
// without a bitmap. Nothing that was synced may be lost, and where members do not
// agree, a resync must be due.
func TestCutKeepsWhatWasSynced(t *testing.T) {
	seed := lab.Seed(t)
	cuts := 10
	if lab.Soak() {
		cuts = 300
	}
	near2, err := md.ParseLayout(md.LevelRAID10, "n2")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		level  md.Level
		layout int32
		n      int
	}{{md.LevelRAID1, 0, 2}, {md.LevelRAID10, near2, 4}, {md.LevelRAID5, 2, 3}, {md.LevelRAID6, 2, 4}} {
		for _, bitmap := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v bitmap %v", c.level, bitmap), func(t *testing.T) {
				t.Parallel()
				torn := 0
				for n := range cuts {
					disks := plainArray(t, c.level, c.layout, c.n, bitmap)
					if cutPlain(t, disks, rand.New(rand.NewPCG(seed, uint64(n)))) {
						torn++
					}
				}
				if torn == 0 {
					t.Error("no cut left members that disagree, so nothing was tested")
				}
			})
		}
	}
}

// cutPlain cuts the power of one session and reports whether members disagree then.
func cutPlain(t *testing.T, disks []*block.Memory, rng *rand.Rand) (torn bool) {
	t.Helper()
	first := newHistory(content(t, devices(disks), array.Options{}))
	if err := crashSession(devices(disks), first, rng, 5); err != nil {
		t.Fatal(err)
	}
	h := newHistory(content(t, devices(disks), array.Options{}))
	work := rng.Uint64()
	ops := dryRun(loggedSpec{}, disks, h, work, 20)
	power := block.NewPower(rng.Uint64())
	power.CutAfter(1 + rng.IntN(ops))
	if err := crashSession(powered(power, disks), h, rand.New(rand.NewPCG(work, 1)), 20); !errors.Is(err, block.ErrClosed) {
		t.Fatalf("the session ended with %v", err)
	}
	a := mustOpen(t, devices(disks), array.Options{ReadOnly: true})
	if a.Degraded() > 0 {
		t.Fatal("a member is left out")
	}
	if err := h.check(content(t, devices(disks), array.Options{}), false); err != nil {
		t.Fatal(err)
	}
	for x, err := range a.Scrub(t.Context(), array.ScrubOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		torn = true
		if x.Proof != array.ProofResync {
			t.Fatalf("members disagree, and no resync is due: %+v", x)
		}
	}
	return torn
}
