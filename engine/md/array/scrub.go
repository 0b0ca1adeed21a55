package array

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/mdkit/mdkit/engine/md"
)

// ScrubOptions say how Scrub goes over an array. Positions are in bytes from the
// start of the members' data or, for raid10, whose copies are at different places,
// in bytes of the array. They are what the kernel's sync_completed counts, but in
// bytes.
type ScrubOptions struct {
	// From is the position to start at: the last that an earlier scrub reported.
	From int64
	// Repair overwrites what is proved to be wrong with what is proved to be right.
	// The array must have been opened for writing.
	Repair bool
	// Pending limits the scrub to what awaits a resync, according to the bitmap if
	// there is one. With Repair, and if no mismatch is left, the array will be
	// clean once it is closed: this is the resync that the kernel would do.
	Pending bool
	// Rate limits the progress, in bytes of position per second; 0 means no limit.
	Rate int64
	// Workers is how many windows are checked at once; 0 means one for each
	// processor.
	Workers int
	// Progress, if set, is called in order with every position reached; a later
	// scrub may continue there.
	Progress func(position int64)
}

// MismatchKind says what is wrong with the redundancy.
type MismatchKind string

// Kinds of mismatch.
const (
	// MismatchParity means that all blocks of a row can be read, but parity does
	// not match the data.
	MismatchParity MismatchKind = "parity"
	// MismatchCopies means that copies of the same data differ.
	MismatchCopies MismatchKind = "copies"
	// MismatchUnreadable means that a member cannot read a place, and that its
	// content follows from the others.
	MismatchUnreadable MismatchKind = "unreadable"
	// MismatchLost means that so many members cannot read a place that its data is
	// gone.
	MismatchLost MismatchKind = "lost"
)

// Proof is what shows which member is wrong.
type Proof string

// Proofs. A mismatch without proof is not repaired.
const (
	// ProofNone means that any of the members may be wrong.
	ProofNone Proof = ""
	// ProofSyndrome means that P and Q of RAID6 point at one block, and that no
	// other single block explains the page.
	ProofSyndrome Proof = "syndrome"
	// ProofMajority means that more than half of the copies agree.
	ProofMajority Proof = "majority"
	// ProofRedundancy means that what cannot be read follows from the rest.
	ProofRedundancy Proof = "redundancy"
	// ProofResync means that the place awaits a resync, in which parity follows data
	// and the first copy counts (raid5.c, handle_parity_checks5; raid1.c,
	// process_checks).
	ProofResync Proof = "resync"
)

// Mismatch is a place with wrong redundancy.
type Mismatch struct {
	Kind MismatchKind `json:"kind"`
	// Position is where it is, in bytes as in ScrubOptions, and Len the number of
	// bytes of each member from the first to the last that is affected.
	Position int64 `json:"position"`
	Len      int64 `json:"length"`
	// Array lists the bytes of the array that are at the place.
	Array []ArrayRange `json:"array"`
	// Members are all members that have a part in it.
	Members []MismatchMember `json:"members"`
	Proof   Proof            `json:"proof,omitempty"`
	// Repaired is set if the right bytes have been written.
	Repaired bool `json:"repaired"`
}

// ArrayRange is Len bytes of the array from Off.
type ArrayRange struct {
	Off int64 `json:"offset"`
	Len int64 `json:"length"`
}

// MismatchMember is a member's part in a mismatch.
type MismatchMember struct {
	Name string `json:"name"`
	Slot int    `json:"slot"`
	Off  int64  `json:"offset"` // bytes from the start of the device
	// Role is "data 2" (counted along the array from the row's first chunk),
	// "P", "Q" or "copy".
	Role string `json:"role"`
	// Group is the same number for copies that are the same; 0 if it does not apply.
	Group int `json:"group,omitempty"`
	// Wrong is set if Proof points at this member.
	Wrong bool `json:"wrong,omitempty"`
	// Unreadable is why the member could not be read.
	Unreadable string `json:"unreadable,omitempty"`
}

// Wrong lists the members that are proved to be wrong.
func (m *Mismatch) Wrong() (list []MismatchMember) {
	for _, x := range m.Members {
		if x.Wrong {
			list = append(list, x)
		}
	}
	return list
}

// pageSize is the unit in which the wrong block is searched, in bytes: the unit of
// mdadm's raid6check and of md itself.
const pageSize = 4096

// scrubber is a level that can be scrubbed.
type scrubber interface {
	// extent is the position at which a scrub ends.
	extent() int64
	// readers is how many members are read for each window.
	readers() int
	// awaiting lists the positions for which a resync is due.
	awaiting() []span
	// prepare makes a worker that checks windows of up to length bytes.
	prepare(length int64) scrubWorker
}

// scrubWorker checks windows, one at a time.
type scrubWorker interface {
	check(from, to int64, repair bool) ([]Mismatch, error)
}

// ScrubExtent is the position at which a scrub of the array ends, in bytes; 0
// for levels without redundancy.
func (a *Array) ScrubExtent() int64 {
	if s, ok := a.how.(scrubber); ok {
		return s.extent()
	}
	return 0
}

// Scrub reads all of the array's members and yields every place at which they
// do not agree, in order. A missing member is not a mismatch; what cannot be checked
// without it is left out. Scrub ends early with an error if a write fails while
// repairing, if the context ends, and with ErrUnsupported for arrays without
// redundancy. Its memory is bounded, whatever the size of the array.
func (a *Array) Scrub(ctx context.Context, opt ScrubOptions) iter.Seq2[Mismatch, error] {
	return func(yield func(Mismatch, error) bool) {
		s, ok := a.how.(scrubber)
		_, moving := a.how.(*reshaping)
		switch {
		case moving:
			yield(Mismatch{}, fmt.Errorf("scrub %s: %w: a reshape is under way", a.name, ErrUnsupported))
			return
		case !ok:
			yield(Mismatch{}, fmt.Errorf("scrub %s: %w: %v has no redundancy to check", a.name, ErrUnsupported, a.level))
			return
		case opt.Repair && a.opt.ReadOnly:
			yield(Mismatch{}, a.fail("repair", -1, 0, errReadOnlyRepair))
			return
		}
		left := 0 // mismatches that were not repaired
		each := func(m Mismatch, err error) bool {
			if !m.Repaired {
				left++
			}
			return yield(m, err)
		}
		err := a.scrub(ctx, s, opt, each)
		if err == nil && opt.Pending && opt.Repair && opt.From == 0 && left == 0 {
			err = a.resynced()
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Mismatch{}, fmt.Errorf("scrub %s: %w", a.name, err))
		}
	}
}

var (
	errReadOnlyRepair = errors.New("the array was opened for reading only")
	errStopped        = errors.New("the caller wants no more")
)

const (
	scrubMemory = 64 << 20  // bytes of all workers' buffers together
	maxWindow   = 256 << 10 // bytes read from each member at once; more would not stay in the cache
)

// window is how many bytes of each member a worker checks at once: a power of two,
// so that either windows divide chunks or chunks divide windows.
func window(workers, readers int) int64 {
	w := int64(maxWindow)
	for w > pageSize && w*int64(workers)*int64(max(readers, 1)) > scrubMemory {
		w /= 2
	}
	return w
}

// windowResult is what a worker found in a window that ends at end.
type windowResult struct {
	end   int64
	found []Mismatch
	err   error
}

// scrub hands windows to workers and collects the results in order.
func (a *Array) scrub(ctx context.Context, s scrubber, opt ScrubOptions, yield func(Mismatch, error) bool) error {
	workers := opt.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	size := window(workers, s.readers())
	ctx, stop := context.WithCancel(ctx)
	type job struct {
		from, to int64
		done     chan windowResult
	}
	jobs := make(chan job)
	order := make(chan chan windowResult, 2*workers)
	running := make(chan struct{}, workers)
	defer func() { // wait, so that no worker writes after Scrub has ended
		stop()
		for range workers {
			<-running
		}
	}()
	for range workers {
		go func() {
			defer func() { running <- struct{}{} }()
			w := s.prepare(size)
			for j := range jobs {
				found, err := w.check(j.from, j.to, opt.Repair)
				j.done <- windowResult{j.to, found, err}
			}
		}()
	}
	go func() {
		defer close(order)
		defer close(jobs)
		for from := opt.From / size * size; from < s.extent(); from += size {
			if opt.Pending && !overlaps(s.awaiting(), from, from+size) {
				continue
			}
			j := job{from, min(from+size, s.extent()), make(chan windowResult, 1)}
			select {
			case order <- j.done:
			case <-ctx.Done():
				return
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	}()
	pace := newPace(opt.Rate, opt.From)
	for done := range order {
		var r windowResult
		select {
		case r = <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, m := range r.found {
			if !yield(m, nil) {
				return errStopped
			}
		}
		if r.err != nil {
			return r.err
		}
		if opt.Progress != nil {
			opt.Progress(r.end)
		}
		if err := pace.wait(ctx, r.end); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if opt.Repair {
		return a.Sync()
	}
	return nil
}

// pace slows down a scrub that is faster than its rate.
type pace struct {
	rate  int64
	from  int64
	start time.Time
}

func newPace(rate, from int64) pace { return pace{rate, from, time.Now()} }

func (p pace) wait(ctx context.Context, position int64) error {
	if p.rate <= 0 {
		return nil
	}
	due := p.start.Add(time.Duration(float64(position-p.from) / float64(p.rate) * float64(time.Second)))
	left := time.Until(due)
	if left <= 0 {
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pendingSpans lists the positions that await a resync because the array was not
// closed cleanly: those whose bits are set in the bitmap, or all from resync_offset
// on.
func pendingSpans(f *md.Member, slots []slot) []span {
	if f.Clean() || f.ResyncOffset() > math.MaxInt64/md.SectorSize {
		return nil
	}
	rest := []span{{int64(f.ResyncOffset()) * md.SectorSize, math.MaxInt64}}
	for _, s := range slots {
		for _, l := range s {
			if l.member != f {
				continue
			}
			b, err := f.ReadBitmap(l.dev)
			if err != nil || b == nil || b.Events < f.Events() || b.State&md.BitmapStale != 0 {
				return rest // the kernel too ignores a bitmap that it cannot use
			}
			spans, err := dirtySpans(b, l)
			if err != nil {
				return rest
			}
			return spans
		}
	}
	return rest
}

// dirtySpans lists the positions whose bits are set, in any node's copy if there
// are several.
func dirtySpans(first *md.Bitmap, l *leg) (spans []span, err error) {
	chunk := int64(first.ChunkSectors()) * md.SectorSize
	for node := range first.Copies() {
		b := first
		if node > 0 {
			if b, err = l.member.ReadBitmapNode(l.dev, first, node); err != nil {
				return nil, err
			}
		}
		for run, err := range b.Runs(l.dev) {
			if err != nil {
				return nil, err
			}
			if run.State.Dirty() {
				spans = append(spans, span{int64(run.First) * chunk, int64(run.First+run.Count) * chunk})
			}
		}
	}
	return joinSpans(spans), nil
}

// overlaps reports whether one of the sorted spans overlaps [from, to).
func overlaps(spans []span, from, to int64) bool {
	i, _ := slices.BinarySearchFunc(spans, from, func(s span, at int64) int {
		if s.to <= at {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].from < to
}

// pendingAt reports whether the position awaits a resync.
func pendingAt(spans []span, position int64) bool {
	return overlaps(spans, position, position+1)
}

// resynced lets Close mark the array as clean. An array that lacks a member stays as
// it is, because its resync is complete only with all members.
func (a *Array) resynced() error {
	if a.super == nil || a.Degraded() > 0 {
		return nil
	}
	if err := a.super.begin(); err != nil {
		return err
	}
	if b, ok := a.super.log.(*bitmapLog); ok {
		b.synced()
	}
	a.super.mu.Lock()
	defer a.super.mu.Unlock()
	a.super.resync = md.MaxSector
	return nil
}
