package array

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// Reasons why an array cannot be opened, or a place in it cannot be served.
var (
	// ErrUnsupported marks arrays that the engine does not run because of their
	// kind or state; the message says which.
	ErrUnsupported = errors.New("not supported by the engine")
	// ErrLost marks a place for which too many members have no good copy.
	ErrLost = errors.New("not enough members hold this place")
)

// errNoCopy is the reason why a slot was not even read.
var errNoCopy = errors.New("no good copy")

// Options say how Open opens an array. The zero value is right for arrays in
// good order.
type Options struct {
	// Dirty opens arrays that are degraded and were not shut down cleanly; some
	// reconstructed data may be wrong then. With ReadOnly it also opens arrays
	// whose write journal is missing, and with it the newest writes.
	Dirty bool
	// RAID0Layout is the layout to assume for a RAID0 whose members differ in
	// size and whose metadata does not say (all of 0.90, and 1.x before Linux
	// 5.4): LayoutRAID0Original or LayoutRAID0Alternate.
	RAID0Layout int32
	// Backup is where mdadm keeps what a reshape in place is about to overwrite:
	// the file of its --backup-file. Data that the members may not hold is read
	// from it. Arrays that are not being reshaped refuse one.
	Backup block.Device
	// ReadOnly makes the array refuse writes and leave the metadata untouched.
	ReadOnly bool
}

// Array is an assembled array: a block.Device. Reads and writes may come from
// many goroutines at once; large reads are split among several.
//
// A member that refuses a write is out from then on, and the write succeeds if
// the others suffice. A read that fails on one member is served from the
// redundancy.
//
// The first write marks the array as dirty in the superblocks, and records there
// which members are missing, so that they do not count as up to date later.
// Close marks it as clean again; after a crash the kernel resyncs it.
type Array struct {
	name  string
	level md.Level
	size  int64
	grain int64 // reads are split at multiples of this
	opt   Options
	slots []slot
	// journal is the device of the write journal, or nil.
	journal *leg
	how     personality
	super   *superWriter // nil for levels without redundancy and if opened read-only

	busy   sync.RWMutex // shared by writes, so that Close waits for them
	closed bool
}

// personality is how a level serves a request within the array.
type personality interface {
	read(p []byte, off int64) error
	write(p []byte, off int64) error
}

// Open makes the array that Assess found from the devices of its members. Members
// without a device are missing; a caller that wants to see the array without one
// of them leaves it out of the map. Open fails with a *StartError for arrays that
// cannot be started with what is there, and with an error matching ErrUnsupported
// for those that the engine does not run.
func Open(asm *md.Assembly, devs map[*md.Member]block.Device, opt Options) (*Array, error) {
	f := asm.Freshest
	if f == nil {
		return nil, fmt.Errorf("open array: %w: no member with a slot", md.ErrNotEnough)
	}
	a := &Array{name: "array " + f.UUID().String(), level: f.Level(), opt: opt}
	if err := a.supported(f); err != nil {
		return nil, err
	}
	if err := a.seat(asm, devs); err != nil {
		return nil, fmt.Errorf("open %s: %w", a.name, err)
	}
	if f.Features()&md.FeatureJournal != 0 && a.journal == nil && (!opt.ReadOnly || !opt.Dirty) {
		return nil, &md.StartError{UUID: f.UUID(), Level: a.level, Slots: len(a.slots), Err: md.ErrNoJournal}
	}
	if err := a.startable(f); err != nil {
		return nil, err
	}
	if err := a.setUp(f); err != nil {
		return nil, fmt.Errorf("open %s: %w", a.name, err)
	}
	return a, nil
}

// supported refuses arrays that would be read or written wrongly, and names the
// reason.
func (a *Array) supported(f *md.Member) error {
	refuse := func(what string) error {
		return fmt.Errorf("open %s: %w: %s", a.name, ErrUnsupported, what)
	}
	switch {
	case f.Reshape() != nil && !a.opt.ReadOnly:
		return refuse(errReshaping.Error())
	case f.Features()&(md.FeatureJournal|md.FeaturePPL|md.FeatureMultiplePPLs) != 0 && f.Reshape() != nil:
		return refuse("a reshape of an array with a journal or a partial parity log")
	case f.Reshape() == nil && a.opt.Backup != nil:
		return fmt.Errorf("open %s: %s: %w: there is no reshape that it could belong to", a.name, block.Name(a.opt.Backup), md.ErrBackup)
	case f.Features()&md.FeatureClustered != 0 && !a.opt.ReadOnly:
		return refuse("other nodes of its cluster may be writing to it; open it read-only")
	}
	return nil
}

// seat makes the legs of each slot.
func (a *Array) seat(asm *md.Assembly, devs map[*md.Member]block.Device) error {
	a.slots = make([]slot, len(asm.Slots))
	for i := range a.slots {
		for _, m := range []*md.Member{asm.Slots[i], asm.Replacements[i]} {
			d := devs[m]
			if m == nil || d == nil {
				continue
			}
			l, err := newLeg(md.CaughtUp(asm.Freshest, m), d)
			if err != nil {
				return err
			}
			a.slots[i] = append(a.slots[i], l)
		}
	}
	if d := devs[asm.Journal]; asm.Journal != nil && d != nil {
		l, err := newLeg(asm.Journal, d)
		if err != nil {
			return err
		}
		a.journal = l
	}
	return nil
}

// startable checks that enough slots are entirely in sync, and all of them if parity
// cannot be trusted; a member that is partly rebuilt does not count.
func (a *Array) startable(f *md.Member) error {
	avail := make([]bool, len(a.slots))
	var missing []int
	for i, s := range a.slots {
		avail[i] = s.holds(math.MaxInt64-1, 1) || a.level == md.LevelMultipath && len(s) > 0
		if !avail[i] {
			missing = append(missing, i)
		}
	}
	err := &md.StartError{UUID: f.UUID(), Level: a.level, Slots: len(a.slots), Missing: missing}
	if a.level == md.LevelFaulty && len(missing) == 0 && len(a.slots) == 1 {
		return nil // mdadm's enough() does not know this level
	}
	// A partial parity log can correct the parity after a power failure.
	clean := f.Clean() || f.Features()&(md.FeaturePPL|md.FeatureMultiplePPLs) != 0
	geometries := []geometry{geometryOf(f)}
	if r := f.Reshape(); r != nil {
		geometries = append(geometries, geometryAfter(f, r))
		for i := geometryOf(f).slots; i < len(a.slots); i++ {
			avail[i] = len(a.slots[i]) > 0 // see movedSlots
		}
	}
	readable := slices.Clone(avail) // plus slots that reading takes no data from
	for i := range readable {
		switch {
		case readable[i]:
		case len(a.slots[i]) > 0:
			readable[i] = f.Dispensable(a.slots[i][0].member, i)
		default:
			readable[i] = f.Reshape() == nil && md.OnlyParity(a.level, f.Layout(), len(avail), i)
		}
	}
	for _, g := range geometries {
		if !md.Enough(a.level, g.slots, g.layout, true, avail) {
			err.Err = md.ErrNotEnough
			return err
		}
		if !a.opt.Dirty && !md.Enough(a.level, g.slots, g.layout, clean, avail) && !md.Enough(a.level, g.slots, g.layout, clean, readable) {
			err.Err = md.ErrDirtyDegraded
			return err
		}
	}
	return nil
}

// minGrain is the smallest piece that a read is split into, in bytes: a smaller one
// is not worth a goroutine.
const minGrain = 256 << 10

// setUp chooses the personality and determines the size.
func (a *Array) setUp(f *md.Member) (err error) {
	stripe := int64(1)
	var log writeLog
	reshape := f.Reshape()
	switch a.level {
	case md.LevelLinear, md.LevelRAID0:
		a.how, a.size, err = a.newStriped(f)
	case md.LevelMultipath:
		a.how, a.size, err = a.newMultipath(f)
	case md.LevelFaulty:
		a.how, a.size, err = a.newFaulty(f)
	case md.LevelRAID1:
		a.how, a.size, err = a.newMirrored(f, a.slots, geometryOf(f))
	case md.LevelRAID10:
		if reshape != nil {
			a.how, a.size, err = a.newReshaping(f, reshape)
			break
		}
		a.how, a.size, err = a.newMirrored(f, a.slots, geometryOf(f))
	case md.LevelRAID4, md.LevelRAID5, md.LevelRAID6:
		if reshape != nil {
			a.how, a.size, err = a.newReshaping(f, reshape)
			break
		}
		var p *parityArray
		if p, err = a.newParity(f, a.slots, geometryOf(f)); err == nil {
			a.how, a.size = p, p.geometry.Size()
			stripe = p.geometry.Chunk() * int64(p.geometry.DataSlots())
			log, err = a.openLog(f, p)
		}
	default:
		err = fmt.Errorf("%w: level %v", ErrUnsupported, a.level)
	}
	a.grain = max(stripe, minGrain/stripe*stripe)
	if a.level == md.LevelFaulty {
		a.grain = math.MaxInt64 // a request is to fail as a whole
	}
	if err == nil && a.level.Redundant() && a.level != md.LevelMultipath && !a.opt.ReadOnly {
		if log == nil {
			log, err = a.openBitmap(f)
		}
		if err == nil {
			err = a.keepRecords(f, log)
		}
	}
	return err
}

// usedBytes is how many bytes of each member a redundant array uses. They must fit
// into every leg.
func (a *Array) usedBytes(f *md.Member) (int64, error) {
	used := f.UsedSize()
	if used > math.MaxInt64/md.SectorSize {
		return 0, fmt.Errorf("%s: %d sectors used of each member are more than any device has", f.Name, used)
	}
	for _, s := range a.slots {
		for _, l := range s {
			if l.member.DataSize() < used {
				return 0, fmt.Errorf("%s: has room for %d sectors of data, the array needs %d", l.member.Name, l.member.DataSize(), used)
			}
		}
	}
	return int64(used) * md.SectorSize, nil
}

// Name returns "array" and its uuid.
func (a *Array) Name() string { return a.name }

// Size returns the size in bytes, the same as in the kernel.
func (a *Array) Size() int64 { return a.size }

// Level returns the array's level.
func (a *Array) Level() md.Level { return a.level }

// Degraded returns how many slots have no member that is entirely in sync.
func (a *Array) Degraded() int {
	n := 0
	for _, s := range a.slots {
		if !s.holds(math.MaxInt64-1, 1) {
			n++
		}
	}
	return n
}

// Grain returns the number of bytes at multiples of which requests are best split:
// the parts then cover whole rows, so that no member is read twice if one is
// missing. It is [math.MaxInt64] for an array whose requests must not be split.
func (a *Array) Grain() int64 { return a.grain }

// ReadAt implements io.ReaderAt; see block.Device.
func (a *Array) ReadAt(p []byte, off int64) (int, error) {
	n, eof := block.ReadSpan(a.name, a.size, off, len(p))
	if n == 0 {
		return 0, eof
	}
	if err := a.readPieces(p[:n], off); err != nil {
		return 0, a.fail("read", off, int64(n), err)
	}
	return n, eof
}

// readPieces splits a read at multiples of the grain and has several goroutines
// read the pieces, so that all members are busy at once.
func (a *Array) readPieces(p []byte, off int64) error {
	first, last := off/a.grain, (off+int64(len(p))-1)/a.grain
	workers := min(last-first+1, int64(max(len(a.slots), runtime.GOMAXPROCS(0))))
	if workers == 1 {
		return a.how.read(p, off)
	}
	var (
		next   atomic.Int64
		wg     sync.WaitGroup
		failed atomic.Pointer[error]
	)
	for range workers {
		wg.Go(func() {
			for failed.Load() == nil {
				i := first + next.Add(1) - 1
				if i > last {
					return
				}
				from, to := max(i*a.grain, off), min((i+1)*a.grain, off+int64(len(p)))
				if err := a.how.read(p[from-off:to-off], from); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// WriteAt implements io.WriterAt; see block.Device. When it returns, both data and
// redundancy are written.
func (a *Array) WriteAt(p []byte, off int64) (int, error) {
	if a.opt.ReadOnly {
		return 0, a.fail("write", off, int64(len(p)), block.ErrReadOnly)
	}
	if err := block.CheckRange("write", a.name, a.size, off, int64(len(p))); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := a.writeKept(p, off); err != nil {
		return 0, a.fail("write", off, int64(len(p)), err)
	}
	return len(p), nil
}

// writeKept writes, and records before and after it what the superblocks must say.
func (a *Array) writeKept(p []byte, off int64) error {
	a.busy.RLock()
	defer a.busy.RUnlock()
	if a.closed {
		return block.ErrClosed
	}
	if a.super == nil {
		return a.how.write(p, off)
	}
	if err := a.super.begin(); err != nil {
		return err
	}
	if err := a.how.write(p, off); err != nil {
		return errors.Join(err, a.super.wrote())
	}
	return a.super.wrote()
}

// Close waits for writes, makes them durable and marks the array as clean if it
// was clean when it was opened. Writes fail afterwards; the devices stay open.
func (a *Array) Close() error {
	a.busy.Lock()
	defer a.busy.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	if a.super == nil {
		return a.Sync()
	}
	if !a.super.began.Load() {
		return nil
	}
	if err := a.Sync(); err != nil {
		return err
	}
	if err := a.super.end(); err != nil {
		return a.fail("close", -1, 0, err)
	}
	return nil
}

// Discard makes a range read as zeroes. It writes them, because the redundancy must
// agree.
func (a *Array) Discard(off, length int64) error {
	if err := block.CheckRange("discard", a.name, a.size, off, length); err != nil {
		return err
	}
	return block.WriteZeroes(a, off, length)
}

// Sync syncs every member that is not out.
func (a *Array) Sync() error {
	if m, ok := a.how.(*multipath); ok {
		return m.sync()
	}
	var bits *bitmapLog
	var stamp uint64
	if a.super != nil && a.super.began.Load() {
		if bits, _ = a.super.log.(*bitmapLog); bits != nil {
			stamp = bits.now()
		}
	}
	var errs []error
	for _, s := range a.slots {
		for _, l := range s {
			if l.failed.Load() {
				continue
			}
			if err := l.dev.Sync(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if len(errs) == 0 && bits != nil {
		return bits.settle(stamp)
	}
	return errors.Join(errs...)
}

// fail adds the array and the place to an error.
func (a *Array) fail(op string, off, length int64, err error) error {
	return &block.Error{Op: op, Device: a.name, Off: off, Len: length, Err: err}
}

var _ interface {
	block.Device
	block.Discarder
	block.Namer
	io.ReaderAt
} = (*Array)(nil)
