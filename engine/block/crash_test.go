package block_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/internal/lab"
)

const sector = block.SectorSize

func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

func write(t *testing.T, d block.Device, p []byte, off int64) {
	t.Helper()
	if _, err := d.WriteAt(p, off); err != nil {
		t.Fatal(err)
	}
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	for seed := range uint64(50) {
		base := block.NewMemory("ram", 8*sector)
		c := block.NewCrash(base, seed)
		write(t, c, fill(1, 8*sector), 0)
		if contents(base)[0] != 0 {
			t.Fatal("the base was written before Sync")
		}
		if err := c.Sync(); err != nil {
			t.Fatal(err)
		}
		write(t, c, fill(2, 2*sector), sector)
		if err := c.Crash(); err != nil {
			t.Fatal(err)
		}
		for i, b := range contents(base) {
			touched := i >= sector && i < 3*sector
			if b != 1 && (b != 2 || !touched) {
				t.Fatalf("seed %d: byte %d is %d after the cut", seed, i, b)
			}
		}
		if _, err := c.WriteAt([]byte{1}, 0); !errors.Is(err, block.ErrClosed) {
			t.Errorf("a write after the cut gave %v", err)
		}
		if _, err := c.ReadAt([]byte{1}, 0); !errors.Is(err, block.ErrClosed) {
			t.Errorf("a read after the cut gave %v", err)
		}
		if err := c.Sync(); !errors.Is(err, block.ErrClosed) {
			t.Errorf("a sync after the cut gave %v", err)
		}
	}
}

// outcome is the first byte of each of four sectors.
type outcome [4]byte

func outcomeOf(t *testing.T, d block.Device) outcome {
	t.Helper()
	var o outcome
	p := contents(d)
	for i := range o {
		o[i] = p[i*sector]
		if !bytes.Equal(p[i*sector:(i+1)*sector], fill(o[i], sector)) {
			t.Fatalf("sector %d is torn inside", i)
		}
	}
	return o
}

// TestCrashReachesEveryState lists by hand the states that can follow three
// writes. The walk must yield each of them once, and seeded cuts must produce
// all of them and no other.
func TestCrashReachesEveryState(t *testing.T) {
	prepare := func(seed uint64) (*block.Memory, *block.Crash) {
		base := block.NewMemory("ram", 4*sector)
		c := block.NewCrash(base, seed)
		write(t, c, fill(1, 2*sector), 0)        // sectors 0 and 1
		write(t, c, fill(2, 2*sector), sector)   // sectors 1 and 2
		write(t, c, fill(3, 1*sector), 3*sector) // sector 3
		return base, c
	}
	want := make(map[outcome]int)
	for _, a := range []byte{0, 1} {
		for _, b := range []byte{0, 1, 2} {
			for _, c := range []byte{0, 2} {
				for _, d := range []byte{0, 3} {
					want[outcome{a, b, c, d}] = 0
				}
			}
		}
	}
	_, c := prepare(0)
	for state := range c.States(24) {
		want[outcomeOf(t, state)]++
	}
	if len(want) != 24 {
		t.Errorf("walk gave %d states; want 24", len(want))
	}
	for o, n := range want {
		if n != 1 {
			t.Errorf("walk gave state %v %d times; want once", o, n)
		}
	}
	sampled := 0
	for state := range c.States(23) {
		if _, known := want[outcomeOf(t, state)]; !known {
			t.Errorf("sampling gave the impossible state %v", outcomeOf(t, state))
		}
		sampled++
	}
	if sampled != 23 {
		t.Errorf("sampling gave %d states; want 23", sampled)
	}
	seen := make(map[outcome]bool)
	for seed := range uint64(2000) {
		base, c := prepare(seed)
		if err := c.Crash(); err != nil {
			t.Fatal(err)
		}
		o := outcomeOf(t, base)
		if _, known := want[o]; !known {
			t.Fatalf("seed %d gave the impossible state %v", seed, o)
		}
		seen[o] = true
	}
	if len(seen) != 24 {
		t.Errorf("2000 cuts reached %d of 24 states", len(seen))
	}
}

func TestCrashIsDecidedByItsSeed(t *testing.T) {
	run := func(seed uint64) string {
		base := block.NewMemory("ram", 100*sector)
		c := block.NewCrash(base, seed)
		write(t, c, blocktest.Pattern(seed, 90*sector), 0)
		write(t, c, blocktest.Pattern(seed+1, 33*sector), 1000)
		if err := c.Crash(); err != nil {
			t.Fatal(err)
		}
		return string(contents(base))
	}
	for seed := range uint64(20) {
		if first, second := run(seed), run(seed); first != second {
			t.Errorf("seed %d gave two different outcomes", seed)
		}
	}
}

// TestPowerCutsAllAtOnce keeps a mirror on two crash devices and cuts the power
// at every operation: the synced value must be on both, and the one being
// written may be on either.
func TestPowerCutsAllAtOnce(t *testing.T) {
	workload := func(p *block.Power, a, b block.Device) byte {
		for v := byte(1); v < 10; v++ {
			for _, d := range []block.Device{a, b} {
				if _, err := d.WriteAt(fill(v, 700), 300); err != nil {
					return v - 1
				}
			}
			for _, d := range []block.Device{a, b} {
				if err := d.Sync(); err != nil {
					return v - 1
				}
			}
		}
		return 9
	}
	dry := block.NewPower(0)
	workload(dry, dry.Attach(block.NewMemory("a", 2*sector)), dry.Attach(block.NewMemory("b", 2*sector)))
	if dry.Ops() != 36 {
		t.Fatalf("the workload has %d operations; want 36", dry.Ops())
	}
	seed := lab.Seed(t)
	for n := 1; n <= dry.Ops(); n++ {
		p := block.NewPower(seed + uint64(n))
		bases := []*block.Memory{block.NewMemory("a", 2*sector), block.NewMemory("b", 2*sector)}
		p.CutAfter(n)
		acked := workload(p, p.Attach(bases[0]), p.Attach(bases[1]))
		if want := byte((n - 1) / 4); acked != want {
			t.Errorf("cut at %d: %d values were acknowledged; want %d", n, acked, want)
		}
		for _, base := range bases {
			for i, b := range contents(base)[300:1000] {
				if b != acked && b != acked+1 {
					t.Fatalf("cut at %d: %s holds %d at %d after %d was synced", n, base.Name(), b, i, acked)
				}
			}
		}
	}
}
