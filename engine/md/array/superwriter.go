package array

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdkit/mdkit/engine/md"
)

// superWriter records in the members' superblocks what the next assembly, by the
// kernel or the engine, must know: that the array is being written to, which
// members went out, and that it was closed cleanly. It does what md_update_sb does
// (md.c), with these differences:
//
//   - If no bitmapLog keeps the bitmap, its event count falls behind that of the
//     superblocks while the array is dirty. The kernel takes such a bitmap for
//     out of date and resyncs everything. That is right, because no bits were set.
//   - Writes to such an array, if it is degraded, make its bitmap useless for
//     members that come back, so events_cleared is moved past their event counts.
type superWriter struct {
	slots   []slot
	journal *leg     // nil if there is none
	log     writeLog // nil if there is none
	now     func() time.Time
	began   atomic.Bool

	mu       sync.Mutex
	events   uint64
	recorded int                 // how many legs had failed when last written
	resync   uint64              // resync_offset as it was found
	supers   map[*leg]*md.Member // the superblocks that are on the members now
	bitmaps  map[*leg]*md.Bitmap // nil if there is none or it is out of date
	roles    map[uint32]outcome  // why device numbers are out
}

// outcome is why a device number is out.
type outcome bool

const (
	missing outcome = false // it was not there
	faulty  outcome = true  // it refused a write
)

// errNoSuperblock is why a write is refused if all members went out.
var errNoSuperblock = errors.New("no member takes a superblock")

// newSuperWriter reads the bitmaps and copies the superblocks. journal may be nil.
func newSuperWriter(f *md.Member, slots []slot, journal *leg) (*superWriter, error) {
	w := &superWriter{
		slots: slots, journal: journal, now: time.Now, events: f.Events(), resync: f.ResyncOffset(),
		supers: make(map[*leg]*md.Member), bitmaps: make(map[*leg]*md.Bitmap), roles: make(map[uint32]outcome),
	}
	for l := range w.legs {
		m := *l.member
		if m.Super0 != nil {
			m.Super0 = m.Super0.Clone()
		} else {
			m.Super1 = m.Super1.Clone()
		}
		w.supers[l] = &m
		b, err := m.ReadBitmap(l.dev)
		if err != nil {
			return nil, err
		}
		if b != nil && b.Version == md.BitmapLockless {
			return nil, fmt.Errorf("%w: writing to arrays with a lockless bitmap", ErrUnsupported)
		}
		if b != nil && b.Events >= f.Events() {
			w.bitmaps[l] = b
		}
	}
	return w, nil
}

// legs yields every leg, the journal's last.
func (w *superWriter) legs(yield func(*leg) bool) {
	for _, s := range w.slots {
		for _, l := range s {
			if !yield(l) {
				return
			}
		}
	}
	if w.journal != nil {
		yield(w.journal)
	}
}

// begin marks the array as being written to, before the first write.
func (w *superWriter) begin() error {
	if w.began.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.Load() {
		return nil
	}
	if w.log != nil {
		if err := w.log.start(); err != nil {
			return err
		}
	}
	if err := w.record(false); err != nil {
		return err
	}
	w.began.Store(true)
	return nil
}

// wrote records members that went out during a write, before the write is
// acknowledged.
func (w *superWriter) wrote() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failures() == w.recorded {
		return nil
	}
	return w.record(false)
}

// end marks the array as cleanly closed. All data must be durable already.
func (w *superWriter) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.began.Load() {
		return nil
	}
	if w.log != nil {
		if err := w.log.stop(); err != nil {
			return err
		}
	}
	if err := w.record(true); err != nil {
		return err
	}
	w.began.Store(false)
	return nil
}

func (w *superWriter) failures() (n int) {
	for l := range w.legs {
		if l.failed.Load() {
			n++
		}
	}
	return n
}

// record writes all superblocks. A member that refuses its superblock is out, which
// has to be recorded in turn.
func (w *superWriter) record(clean bool) error {
	for {
		w.recorded = w.failures()
		w.advance()
		var errs []error
		if b, ok := w.log.(*bitmapLog); ok {
			if err := b.record(w.events); err != nil {
				errs = append(errs, err)
			}
		}
		alive := 0
		for events := w.lowest() + 1; events <= w.events; events++ {
			var err error
			if alive, err = w.recordAll(events, clean); err != nil {
				errs = append(errs, err)
			}
		}
		switch {
		case alive == 0:
			return errors.Join(append(errs, errNoSuperblock)...)
		case w.failures() == w.recorded:
			return nil
		}
	}
}

// lowest is the event count of the member that is furthest behind. A power failure
// must never leave a member two behind another, or it would count as stale.
func (w *superWriter) lowest() uint64 {
	low := w.events - 1
	for l := range w.legs {
		if !l.failed.Load() {
			low = min(low, w.supers[l].Events())
		}
	}
	return low
}

// recordAll writes the superblocks of all members that are behind the given event
// count, or of all members if it is the last one. It counts those that took it.
func (w *superWriter) recordAll(events uint64, clean bool) (alive int, err error) {
	var errs []error
	for l := range w.legs {
		if l.failed.Load() || events < w.events && w.supers[l].Events() >= events {
			continue
		}
		if err := w.write(l, events, clean); err != nil {
			l.failed.Store(true)
			errs = append(errs, err)
			continue
		}
		alive++
	}
	return alive, errors.Join(errs...)
}

// advance raises the event count. It raises it further for each member that went
// out, because one behind still counts as up to date (md.c, super_1_validate).
func (w *superWriter) advance() {
	healthy := make(map[uint32]bool)
	for l := range w.legs {
		if !l.failed.Load() {
			healthy[l.member.DevNumber()] = true
		}
	}
	w.events++
	for l := range w.legs {
		if l.failed.Load() {
			w.goOut(l.member.DevNumber(), faulty)
		}
	}
	for l := range w.legs {
		for number := range slotHolders(w.supers[l]) {
			if !healthy[number] {
				w.goOut(number, missing)
			}
		}
	}
}

// goOut notes the first reason for a device number to be out.
func (w *superWriter) goOut(number uint32, why outcome) {
	if _, known := w.roles[number]; !known {
		w.roles[number] = why
		w.events++
	}
}

// ownBits reports whether no bitmapLog keeps the bitmaps.
func (w *superWriter) ownBits() bool {
	_, kept := w.log.(*bitmapLog)
	return !kept
}

// write brings one member's bitmap and superblock up to date.
func (w *superWriter) write(l *leg, events uint64, clean bool) error {
	m := w.supers[l]
	if b := w.bitmaps[l]; b != nil && clean && w.ownBits() {
		b.Events = w.events
		if len(w.roles) > 0 {
			b.EventsCleared = w.events
		}
		if _, err := l.dev.WriteAt(b.AppendTo(nil), b.Offset); err != nil {
			return err
		}
	}
	resync := uint64(0)
	if clean || w.journal != nil && w.resync == md.MaxSector { // MD_JOURNAL_CLEAN
		resync = w.resync
	}
	if m.Super0 != nil {
		w.update0(m.Super0, events, resync)
	} else {
		w.update1(m.Super1, events, resync)
	}
	if _, err := l.dev.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
		return err
	}
	return l.dev.Sync()
}

// tail sets where the journal begins, to be recorded next.
func (w *superWriter) tail(journal *leg, pos uint64) {
	w.supers[journal].Super1.RecoveryOffset = pos
}

// writeTail records where the journal begins, and members that went out.
func (w *superWriter) writeTail(journal *leg, pos uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail(journal, pos)
	if w.failures() != w.recorded {
		return w.record(false)
	}
	return w.write(journal, w.events, false)
}

// update1 is super_1_sync.
func (w *superWriter) update1(s *md.Super1, events, resync uint64) {
	s.Events, s.UTime, s.ResyncOffset = events, uint64(w.now().Unix()), resync
	for number, why := range w.roles {
		if uint64(number) >= uint64(len(s.DevRoles)) {
			continue
		}
		s.DevRoles[number] = md.RoleSpare
		if why == faulty {
			s.DevRoles[number] = md.RoleFaulty
		}
	}
}

// update0 is super_90_sync.
func (w *superWriter) update0(s *md.Super0, events, resync uint64) {
	s.Events, s.CPEvents, s.UTime = events, events, uint32(w.now().Unix())
	s.State &^= md.Super0Clean
	s.RecoveryCP = uint32(min(resync, 1<<32-1))
	if resync == md.MaxSector {
		s.State |= md.Super0Clean
	}
	for number := range w.roles {
		if number >= md.Super0Disks {
			continue
		}
		d := &s.Disks[number]
		if d.State&md.DiskActive != 0 {
			s.ActiveDisks--
			s.WorkingDisks--
			s.FailedDisks++
			s.NrDisks--
		}
		*d = md.Disk0{Number: number, RaidDisk: d.RaidDisk, State: md.DiskRemoved | md.DiskFaulty}
	}
}

// slotHolders yields the numbers of the devices that have a slot in the superblock's
// table.
func slotHolders(m *md.Member) iter.Seq[uint32] {
	n := md.Super0Disks
	if m.Super1 != nil {
		n = len(m.Super1.DevRoles)
	}
	return func(yield func(uint32) bool) {
		for number := range uint32(n) {
			if _, ok := m.RoleOf(number).Slot(); ok && !yield(number) {
				return
			}
		}
	}
}
