package array_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// scrubAll collects what a scrub finds.
func scrubAll(t *testing.T, a *array.Array, opt array.ScrubOptions) (list []array.Mismatch) {
	t.Helper()
	for m, err := range a.Scrub(t.Context(), opt) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// contentOf reads all of a device.
func contentOf(t *testing.T, d block.Device) []byte {
	t.Helper()
	b := make([]byte, d.Size())
	if err := block.ReadFull(d, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// scrubSpecs are arrays with redundancy, with members larger than a window.
func scrubSpecs() (list []arraySpec) {
	for _, s := range arraySpecs() {
		if !s.level.Redundant() {
			continue
		}
		if s.chunk != 0 && s.chunk < 8 {
			continue // the kernel has no chunks smaller than a page
		}
		for i := range s.sizes {
			s.sizes[i] += 1024
		}
		list = append(list, s)
	}
	return list
}

// filled makes an array with random content, and closes it.
func filled(t *testing.T, spec arraySpec, rng *rand.Rand) []*block.Memory {
	t.Helper()
	disks := makeArray(t, spec)
	a := mustOpen(t, devices(disks), array.Options{})
	if _, err := a.WriteAt(blocktest.Pattern(rng.Uint64(), int(a.Size())), 0); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return disks
}

// TestScrubNamesTheDamage damages one run of bytes of one member within a page, and
// wants the scrub to find exactly that run. On raid6, and on arrays of three copies or
// more, it must name the member and restore the bytes.
func TestScrubNamesTheDamage(t *testing.T) {
	rng := lab.Rand(t)
	for _, spec := range scrubSpecs() {
		t.Run(spec.String(), func(t *testing.T) {
			disks := filled(t, spec, rng)
			a := mustOpen(t, devices(disks), array.Options{ReadOnly: true})
			if found := scrubAll(t, a, array.ScrubOptions{}); len(found) != 0 {
				t.Fatalf("a sound array: %+v", found)
			}
			for range 6 {
				scrubOne(t, spec, disks, rng)
			}
		})
	}
}

func scrubOne(t *testing.T, spec arraySpec, disks []*block.Memory, rng *rand.Rand) {
	t.Helper()
	a := mustOpen(t, devices(disks), array.Options{})
	// Not every slot is in use to the end, so leave out the end.
	at := rng.Int64N(int64(spec.sizes[0]-256)*md.SectorSize) &^ 4095
	victim := rng.IntN(len(disks))
	from := rng.IntN(4096)
	length := 1 + rng.IntN(4096-from)
	off := dataStart*md.SectorSize + at + int64(from)
	before := make([]byte, length)
	if err := block.ReadFull(disks[victim], before, off); err != nil {
		t.Fatal(err)
	}
	damage := bytes.Clone(before)
	for i := range damage {
		damage[i] ^= byte(1 + rng.IntN(255))
	}
	if _, err := disks[victim].WriteAt(damage, off); err != nil {
		t.Fatal(err)
	}
	found := scrubAll(t, a, array.ScrubOptions{Workers: 1 + rng.IntN(3)})
	if len(found) != 1 || found[0].Len != int64(length) {
		t.Fatalf("%d bytes at %d of member %d: %+v", length, off, victim, found)
	}
	m := found[0]
	var mine *array.MismatchMember
	for i := range m.Members {
		if m.Members[i].Slot == victim {
			mine = &m.Members[i]
		}
	}
	if mine == nil || mine.Off != off {
		t.Fatalf("the damage is at %d of member %d: %+v", off, victim, m)
	}
	provable := spec.level == md.LevelRAID6 || len(m.Members) > 2 && m.Kind == array.MismatchCopies
	wrong := m.Wrong()
	if provable && (len(wrong) != 1 || wrong[0].Slot != victim) {
		t.Fatalf("member %d is not named: %+v", victim, m)
	}
	if !provable && len(wrong) != 0 {
		t.Fatalf("a member is named without proof: %+v", m)
	}
	for _, m := range scrubAll(t, a, array.ScrubOptions{Repair: true}) {
		if m.Repaired != provable {
			t.Fatalf("repaired %v: %+v", m.Repaired, m)
		}
	}
	after := make([]byte, length)
	if err := block.ReadFull(disks[victim], after, off); err != nil {
		t.Fatal(err)
	}
	if provable != bytes.Equal(after, before) {
		t.Fatalf("provable: %v, repaired: %v", provable, !provable)
	}
	if _, err := disks[victim].WriteAt(before, off); err != nil {
		t.Fatal(err)
	}
}

// TestScrubReadErrors makes a sector of one member unreadable: the scrub says
// so, and repairs it from the rest.
func TestScrubReadErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	for _, spec := range scrubSpecs() {
		t.Run(spec.String(), func(t *testing.T) {
			disks := filled(t, spec, rng)
			devs := devices(disks)
			off := int64(dataStart+8*rng.Int64N(64)) * md.SectorSize
			fault, err := block.NewFault(disks[1], fmt.Sprintf("read %d+512 error", off))
			if err != nil {
				t.Fatal(err)
			}
			devs[1] = fault
			a := mustOpen(t, devs, array.Options{})
			want := contentOf(t, disks[1])
			found := scrubAll(t, a, array.ScrubOptions{Repair: true})
			if len(found) != 1 || found[0].Kind != array.MismatchUnreadable || !found[0].Repaired {
				t.Fatalf("%+v", found)
			}
			wrong := found[0].Wrong()
			if len(wrong) != 1 || wrong[0].Slot != 1 || wrong[0].Unreadable == "" {
				t.Fatalf("%+v", found)
			}
			if !bytes.Equal(contentOf(t, disks[1]), want) {
				t.Error("the repair changed what the sector held")
			}
		})
	}
}

// TestScrubLostByLogs has the same sectors in the bad block logs of all members, and
// one more in the log of each. Only what no member holds is lost; levels with copies
// must count it to the sector.
func TestScrubLostByLogs(t *testing.T) {
	const first, sectors = 8, 4
	rng := rand.New(rand.NewPCG(4, 0))
	for _, spec := range scrubSpecs() {
		t.Run(spec.String(), func(t *testing.T) {
			spec.change = func(_ int, s *md.Super1) {
				s.BblogOffset, s.BblogSize = 8, 8
			}
			disks := filled(t, spec, rng)
			for i, d := range disks {
				m, err := md.ReadMember(d)
				if err != nil {
					t.Fatal(err)
				}
				m.Super1.FeatureMap |= md.FeatureBadBlocks
				if _, err := d.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
					t.Fatal(err)
				}
				log, err := md.AppendBadBlocks(nil, []md.BadBlock{
					{Sector: dataStart + first, Length: sectors},
					{Sector: dataStart + first + sectors + uint64(i), Length: 1},
				}, 0, 8)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := d.WriteAt(log, 16*md.SectorSize); err != nil {
					t.Fatal(err)
				}
			}
			a := mustOpen(t, devices(disks), array.Options{})
			lost := int64(0)
			for _, m := range scrubAll(t, a, array.ScrubOptions{Repair: true}) {
				if m.Kind != array.MismatchLost || m.Repaired {
					t.Errorf("%+v", m)
				}
				for _, r := range m.Array {
					lost += r.Len
				}
			}
			want := int64(0)
			for at := int64(0); at < a.Size(); at += md.SectorSize {
				if _, err := a.ReadAt(make([]byte, md.SectorSize), at); errors.Is(err, array.ErrLost) {
					want += md.SectorSize
				} else if err != nil {
					t.Fatal(err)
				}
			}
			exact := spec.level == md.LevelRAID1 || spec.level == md.LevelRAID10
			if lost < want || exact && lost != want {
				t.Errorf("%d bytes are called lost, %d cannot be read", lost, want)
			}
			if want == 0 && spec.level != md.LevelRAID10 { // its copies can be in other sectors
				t.Error("nothing is lost")
			}
		})
	}
}

// TestScrubDegraded takes a member away: raid6 still finds damage, but cannot say
// which member is wrong; raid5 has nothing left to check.
func TestScrubDegraded(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	for _, spec := range scrubSpecs() {
		if spec.level != md.LevelRAID6 && spec.level != md.LevelRAID5 {
			continue
		}
		t.Run(spec.String(), func(t *testing.T) {
			disks := filled(t, spec, rng)
			devs := devices(disks)
			devs[rng.IntN(len(devs)-1)] = nil
			a := mustOpen(t, devs, array.Options{})
			if found := scrubAll(t, a, array.ScrubOptions{}); len(found) != 0 {
				t.Fatalf("sound but degraded: %+v", found)
			}
			last := disks[len(disks)-1]
			off := int64(dataStart+512) * md.SectorSize
			if _, err := last.WriteAt([]byte("damage"), off); err != nil {
				t.Fatal(err)
			}
			found := scrubAll(t, a, array.ScrubOptions{Repair: true})
			if spec.level == md.LevelRAID5 {
				if len(found) != 0 {
					t.Fatalf("%+v", found)
				}
				return
			}
			if len(found) != 1 || found[0].Proof != array.ProofNone || found[0].Repaired {
				t.Fatalf("%+v", found)
			}
		})
	}
}

// TestScrubPending damages arrays that were not closed cleanly: parity follows data
// there, and the first copy counts, as in the kernel's resync.
func TestScrubPending(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	for _, spec := range scrubSpecs() {
		t.Run(spec.String(), func(t *testing.T) {
			disks := filled(t, spec, rng)
			spec.change = func(_ int, s *md.Super1) { s.ResyncOffset = 0 }
			for i, d := range makeArray(t, spec) { // put the superblocks of a dirty array there
				super := make([]byte, dataStart*md.SectorSize)
				if err := block.ReadFull(d, super, 0); err != nil {
					t.Fatal(err)
				}
				if _, err := disks[i].WriteAt(super, 0); err != nil {
					t.Fatal(err)
				}
			}
			a := mustOpen(t, devices(disks), array.Options{})
			content := make([]byte, a.Size())
			if _, err := disks[0].WriteAt([]byte("damage"), (dataStart+80)*md.SectorSize); err != nil {
				t.Fatal(err)
			}
			if err := block.ReadFull(a, content, 0); err != nil {
				t.Fatal(err)
			}
			found := scrubAll(t, a, array.ScrubOptions{Repair: true})
			if len(found) != 1 || found[0].Proof != array.ProofResync || !found[0].Repaired {
				t.Fatalf("%+v", found)
			}
			if found := scrubAll(t, a, array.ScrubOptions{}); len(found) != 0 {
				t.Fatalf("after the repair: %+v", found)
			}
			now := make([]byte, a.Size())
			if err := block.ReadFull(a, now, 0); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(now, content) {
				t.Error("the repair changed the content of the array")
			}
		})
	}
}

func TestScrubStops(t *testing.T) {
	spec := arraySpec{level: md.LevelRAID5, layout: 2, chunk: 8, sizes: same(4, 8192)}
	disks := filled(t, spec, rand.New(rand.NewPCG(1, 0)))
	a := mustOpen(t, devices(disks), array.Options{ReadOnly: true})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var reached int64
	opt := array.ScrubOptions{Rate: 1 << 20, Progress: func(at int64) {
		reached = at
		if at < a.ScrubExtent() {
			stop()
		}
	}}
	for _, err := range a.Scrub(ctx, opt) {
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if reached == 0 || reached >= a.ScrubExtent() {
		t.Fatalf("stopped at %d of %d", reached, a.ScrubExtent())
	}
	// Scrub the rest, at a rate: 4 MiB of members less what is done.
	opt = array.ScrubOptions{From: reached, Rate: 32 << 20, Progress: func(at int64) { reached = at }}
	start := time.Now()
	left := a.ScrubExtent() - reached
	if found := scrubAll(t, a, opt); len(found) != 0 || reached != a.ScrubExtent() {
		t.Fatalf("%v, at %d", found, reached)
	}
	if least := time.Duration(left) * time.Second / (32 << 20); time.Since(start) < least {
		t.Errorf("%d bytes in %v, faster than 32 MiB/s", left, time.Since(start))
	}
	for _, err := range mustOpen(t, devices(disks), array.Options{ReadOnly: true}).Scrub(t.Context(), array.ScrubOptions{Repair: true}) {
		if err == nil {
			t.Error("an array that was opened for reading was repaired")
		}
	}
	linear := makeArray(t, arraySpec{level: md.LevelLinear, sizes: same(2, 64)})
	for _, err := range mustOpen(t, devices(linear), array.Options{}).Scrub(t.Context(), array.ScrubOptions{}) {
		if !errors.Is(err, array.ErrUnsupported) {
			t.Errorf("linear: %v", err)
		}
	}
}
