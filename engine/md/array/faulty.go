package array

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// ErrInjected is the error of a request that an array of level faulty makes fail.
var ErrInjected = errors.New("fault injected")

const (
	faultyModes = 6  // FaultyWriteTransient to FaultyReadFixable
	maxFaults   = 50 // at most so many sectors are remembered
)

// faultyArray makes requests to its one member fail, on purpose and reproducibly
// (drivers/md/md-faulty.c). A request is one call. Requests that fail reach the
// member all the same, except in the mode in which all writes fail.
//
// Like the kernel's driver, it does not add the data offset: the array begins where
// the device does, so with 1.1 and 1.2 the superblock is within it.
type faultyArray struct {
	leg *leg

	mu      sync.Mutex
	period  [faultyModes]int32
	left    [faultyModes]int32 // requests until the next failure; 0 for never
	sectors []faultySector
}

// faultySector is a sector at which requests fail.
type faultySector struct {
	sector int64
	reads  bool
	writes bool
	fixed  bool // forgotten; this entry may be used again
	heals  bool // reads fail until the sector is written
}

// newFaulty takes the mode from the superblock. Once the kernel has read it, it
// writes -1 there, which is no mode.
func (a *Array) newFaulty(f *md.Member) (personality, int64, error) {
	size := int64(f.UsedSize()) * md.SectorSize
	if len(a.slots) == 0 || len(a.slots[0]) == 0 {
		return nil, 0, md.ErrNotEnough
	}
	l := a.slots[0][0]
	if size < 0 || size > l.dev.Size() {
		return nil, 0, fmt.Errorf("%s: %d sectors used, the device has %d bytes", f.Name, f.UsedSize(), l.dev.Size())
	}
	p := &faultyArray{leg: l}
	if f.Layout() < 0 {
		return p, size, nil
	}
	return p, size, p.set(f.Layout())
}

// SetFaults changes which requests an array of level faulty makes fail. mode is a
// layout as ParseLayout returns it: the mode in the low five bits, and the period in
// requests above them; a period of 0 means once. FaultyClearErrors ends all modes
// and FaultyClearFaults forgets the sectors that fail (md-faulty.c, faulty_reshape).
// SetFaults fails with ErrUnsupported for other levels and other modes.
func (a *Array) SetFaults(mode int32) error {
	f, ok := a.how.(*faultyArray)
	if !ok {
		return fmt.Errorf("set faults of %s: %w: level %v", a.name, ErrUnsupported, a.level)
	}
	if err := f.set(mode); err != nil {
		return fmt.Errorf("set faults of %s: %w", a.name, err)
	}
	return nil
}

func (f *faultyArray) set(layout int32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	mode, count := layout&md.FaultyModeMask, layout>>md.FaultyPeriodShift
	switch {
	case layout < 0 || mode >= faultyModes && mode != md.FaultyClearErrors && mode != md.FaultyClearFaults:
		return fmt.Errorf("%w: mode %d", ErrUnsupported, layout)
	case mode == md.FaultyClearFaults:
		f.sectors = nil
	case mode == md.FaultyClearErrors:
		f.period, f.left = [faultyModes]int32{}, [faultyModes]int32{}
	default:
		f.period[mode], f.left[mode] = count, max(count, 1)
	}
	return nil
}

// due counts a request in a mode and reports whether this one is to fail.
func (f *faultyArray) due(mode int32) bool {
	if f.left[mode] == 0 {
		return false
	}
	if f.left[mode]--; f.left[mode] > 0 {
		return false
	}
	f.left[mode] = f.period[mode]
	return true
}

// hits reports whether a request fails because of the first remembered sector in
// [from, to); only that one counts. A write heals it if it can be healed.
func (f *faultyArray) hits(write bool, from, to int64) bool {
	for i := range f.sectors {
		s := &f.sectors[i]
		if s.sector < from || s.sector >= to {
			continue
		}
		if write && s.heals {
			*s = faultySector{sector: s.sector, fixed: true}
		}
		return write && s.writes || !write && s.reads
	}
	return false
}

// remember makes a sector fail from now on. Earlier faults of the sector are
// combined with it as the kernel's driver does, which has no sector that both heals
// and fails writes.
func (f *faultyArray) remember(sector int64, mode int32) {
	added := faultySector{sector: sector, reads: mode != md.FaultyWritePersistent, writes: mode == md.FaultyWritePersistent, heals: mode == md.FaultyReadFixable}
	at := len(f.sectors)
	for i, s := range f.sectors {
		if s.sector == sector {
			f.sectors[i] = s.and(added)
			return
		}
		if s.fixed {
			at = i
		}
	}
	switch {
	case at >= maxFaults:
	case at == len(f.sectors):
		f.sectors = append(f.sectors, added)
	default:
		f.sectors[at] = added
	}
}

// and combines the faults of a sector that failed before with an added one, as
// add_sector does.
func (s faultySector) and(added faultySector) faultySector {
	both := s.reads && s.writes
	all := faultySector{sector: s.sector, reads: true, writes: true}
	switch {
	case added.writes && s.reads && !both, // reads failed, now writes do too
		added.reads && s.writes && !both,                // the other way round
		added.heals && s.reads && !s.heals && !s.writes: // it cannot heal any more
		return all
	}
	return added
}

// fails decides whether one request fails, and whether it reaches the member.
func (f *faultyArray) fails(write bool, off, n int64) (fail, reaches bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if write && f.left[md.FaultyWriteAll] != 0 {
		return true, false
	}
	from, to := off/md.SectorSize, (off+n+md.SectorSize-1)/md.SectorSize
	fail = f.hits(write, from, to)
	modes := []int32{md.FaultyReadTransient, md.FaultyReadPersistent, md.FaultyReadFixable}
	if write {
		modes = []int32{md.FaultyWritePersistent, md.FaultyWriteTransient}
	}
	for _, mode := range modes {
		if !f.due(mode) {
			continue
		}
		fail = true
		if mode != md.FaultyReadTransient && mode != md.FaultyWriteTransient {
			f.remember(from, mode)
		}
	}
	return fail, true
}

func (f *faultyArray) read(p []byte, off int64) error {
	fail, _ := f.fails(false, off, int64(len(p)))
	if err := block.ReadFull(f.leg.dev, p, off); err != nil {
		return err
	}
	if fail {
		return ErrInjected
	}
	return nil
}

func (f *faultyArray) write(p []byte, off int64) error {
	fail, reaches := f.fails(true, off, int64(len(p)))
	if reaches {
		if _, err := f.leg.dev.WriteAt(p, off); err != nil {
			return err
		}
	}
	if fail {
		return ErrInjected
	}
	return nil
}
