package array_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestNoWriteHoleDegraded cuts the power of sessions that run without a member from
// the start.
func TestNoWriteHoleDegraded(t *testing.T) {
	seed := lab.Seed(t)
	cuts := 6
	if lab.Soak() {
		cuts = 200
	}
	for _, spec := range loggedSpecs() {
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			for n := range cuts {
				rng := rand.New(rand.NewPCG(seed, uint64(n)))
				disks := spec.make(t)
				if err := crashSession(devices(disks), newHistory(content(t, devices(disks), array.Options{})), rng, 5); err != nil {
					t.Fatal(err)
				}
				missing := rng.IntN(spec.disks)
				var rest []*block.Memory
				for i, d := range disks {
					if i != missing {
						rest = append(rest, d)
					}
				}
				h := newHistory(content(t, devices(rest), array.Options{}))
				work := rng.Uint64()
				ops := dryRun(spec, rest, h, work, 20)
				power := block.NewPower(rng.Uint64())
				power.CutAfter(1 + rng.IntN(ops))
				err := crashSession(powered(power, rest), h, rand.New(rand.NewPCG(work, 1)), 20)
				if !errors.Is(err, block.ErrClosed) {
					t.Fatalf("cut %d: the session ended with %v", n, err)
				}
				if err := h.check(content(t, devices(rest), array.Options{}), false); err != nil {
					t.Fatalf("cut %d, without member %d: %v", n, missing, err)
				}
			}
		})
	}
}

// TestLoggedTraffic writes from several goroutines at once: however small they are,
// logs must neither mix up writes nor block.
func TestLoggedTraffic(t *testing.T) {
	seed := lab.Seed(t)
	for _, spec := range loggedSpecs() {
		disks := spec.make(t)
		a := mustOpen(t, devices(disks), array.Options{})
		model := make([]byte, a.Size())
		const writers = 4
		share := len(model) / writers
		var wg sync.WaitGroup
		for w := range writers {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			wg.Go(func() {
				for range 40 {
					off := rng.IntN(share)
					p := blocktest.Pattern(rng.Uint64(), min(1+rng.IntN(20000), share-off))
					off += w * share
					copy(model[off:], p)
					if _, err := a.WriteAt(p, int64(off)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		wantArray(t, a, model)
		wantArray(t, mustOpen(t, devices(disks), array.Options{ReadOnly: true}), model) // as after a cut
		mustClose(t, a)
		wantArray(t, mustOpen(t, devices(disks), array.Options{ReadOnly: true}), model)
		if !consistent(t, devices(disks)) {
			t.Errorf("%v: parity does not match", spec)
		}
	}
}

// TestLoggedMemberFails has a member refuse all writes to its data, or to its log
// too: it is out, and writes to the array go on.
func TestLoggedMemberFails(t *testing.T) {
	seed := lab.Seed(t)
	for _, spec := range loggedSpecs() {
		for _, from := range []uint64{16, spec.dataAt()} {
			disks := spec.make(t)
			bad, err := block.NewFault(disks[1], fmt.Sprintf("write %ds+1T error", from))
			if err != nil {
				t.Fatal(err)
			}
			list := devices(disks)
			list[1] = bad
			rng := rand.New(rand.NewPCG(seed, from))
			h := newHistory(content(t, list, array.Options{}))
			if err := crashSession(list, h, rng, 30); err != nil {
				t.Fatalf("%v: %v", spec, err)
			}
			if err := h.check(content(t, dropped(list, 1), array.Options{}), false); err != nil {
				t.Errorf("%v: %v", spec, err)
			}
		}
	}
}

// TestJournalFails wants writes to fail once the journal fails, because the kernel
// makes the array read-only then. No earlier write may be lost.
func TestJournalFails(t *testing.T) {
	for _, spec := range loggedSpecs() {
		if spec.journal == 0 {
			continue
		}
		disks := spec.make(t)
		list := devices(disks)
		bad, err := block.NewFault(list[spec.disks], fmt.Sprintf("write %ds+1T error after=4", spec.dataAt()))
		if err != nil {
			t.Fatal(err)
		}
		list[spec.disks] = bad
		a := mustOpen(t, list, array.Options{})
		model := make([]byte, a.Size())
		var failed error
		for i := range 10 {
			p := blocktest.Pattern(uint64(i), 4096)
			if _, failed = a.WriteAt(p, int64(i)*4096); failed != nil {
				break
			}
			copy(model[i*4096:], p)
		}
		if failed == nil || !strings.Contains(failed.Error(), "journal device refused a write") {
			t.Errorf("%v: writes ended with %v", spec, failed)
		}
		wantArray(t, a, model)
	}
}
