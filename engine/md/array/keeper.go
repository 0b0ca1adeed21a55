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

// keeper writes down in the members' superblocks what becomes of the array, so
// that whoever assembles it next, the kernel or the engine, knows: that it is
// being written to, which members went out, and that it was closed in order.
// It does what md_update_sb does (md.c), with these differences:
//
//   - Where no bitmapLog keeps the bitmap, that is left behind by the
//     superblocks while the array is dirty. The kernel takes such a bitmap for
//     out of date and resyncs everything, which is right, since nobody set bits.
//   - Writes to such an array, if it is degraded, make its bitmap useless for
//     members that come back, so events_cleared is moved past them.
type keeper struct {
	slots   []slot
	journal *leg     // nil if there is none
	log     writeLog // nil if there is none
	now     func() time.Time
	began   atomic.Bool

	mu       sync.Mutex
	events   uint64
	recorded int                 // how many legs had failed when last written
	resync   uint64              // resync_offset as it was found
	supers   map[*leg]*md.Member // what is on the members now
	bitmaps  map[*leg]*md.Bitmap // nil where there is none or it is out of date
	roles    map[uint32]outcome  // of device numbers that are out, so far
}

// outcome is why a device number is out.
type outcome bool

const (
	missing outcome = false // it was not there
	faulty  outcome = true  // it refused a write
)

// errNoSuperblock is why a write is refused when all members went out.
var errNoSuperblock = errors.New("no member takes a superblock")

// newKeeper reads the bitmaps, and copies the superblocks. There need be no
// journal.
func newKeeper(f *md.Member, slots []slot, journal *leg) (*keeper, error) {
	k := &keeper{
		slots: slots, journal: journal, now: time.Now, events: f.Events(), resync: f.ResyncOffset(),
		supers: make(map[*leg]*md.Member), bitmaps: make(map[*leg]*md.Bitmap), roles: make(map[uint32]outcome),
	}
	for l := range k.legs {
		m := *l.member
		if m.Super0 != nil {
			m.Super0 = m.Super0.Clone()
		} else {
			m.Super1 = m.Super1.Clone()
		}
		k.supers[l] = &m
		b, err := m.ReadBitmap(l.dev)
		if err != nil {
			return nil, err
		}
		if b != nil && b.Version == md.BitmapLockless {
			return nil, fmt.Errorf("%w: writing to arrays with a lockless bitmap", ErrUnsupported)
		}
		if b != nil && b.Events >= f.Events() {
			k.bitmaps[l] = b
		}
	}
	return k, nil
}

// legs yields every leg, and then that of the journal.
func (k *keeper) legs(yield func(*leg) bool) {
	for _, s := range k.slots {
		for _, l := range s {
			if !yield(l) {
				return
			}
		}
	}
	if k.journal != nil {
		yield(k.journal)
	}
}

// begin marks the array as written to, before the first write.
func (k *keeper) begin() error {
	if k.began.Load() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.began.Load() {
		return nil
	}
	if k.log != nil {
		if err := k.log.start(); err != nil {
			return err
		}
	}
	if err := k.record(false); err != nil {
		return err
	}
	k.began.Store(true)
	return nil
}

// wrote records members that went out during a write, before the write is
// acknowledged.
func (k *keeper) wrote() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failures() == k.recorded {
		return nil
	}
	return k.record(false)
}

// end marks the array as closed in order. All data must be durable already.
func (k *keeper) end() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.began.Load() {
		return nil
	}
	if k.log != nil {
		if err := k.log.stop(); err != nil {
			return err
		}
	}
	if err := k.record(true); err != nil {
		return err
	}
	k.began.Store(false)
	return nil
}

func (k *keeper) failures() (n int) {
	for l := range k.legs {
		if l.failed.Load() {
			n++
		}
	}
	return n
}

// record writes all superblocks. A member that refuses is out, which is to be
// written down in turn.
func (k *keeper) record(clean bool) error {
	for {
		k.recorded = k.failures()
		k.advance()
		var errs []error
		if b, ok := k.log.(*bitmapLog); ok {
			if err := b.record(k.events); err != nil {
				errs = append(errs, err)
			}
		}
		alive := 0
		for events := k.lowest() + 1; events <= k.events; events++ {
			var err error
			if alive, err = k.recordAll(events, clean); err != nil {
				errs = append(errs, err)
			}
		}
		switch {
		case alive == 0:
			return errors.Join(append(errs, errNoSuperblock)...)
		case k.failures() == k.recorded:
			return nil
		}
	}
}

// lowest is the event count of the member that is most behind. A cut must never
// leave one two behind another, or it would be taken for stale.
func (k *keeper) lowest() uint64 {
	low := k.events - 1
	for l := range k.legs {
		if !l.failed.Load() {
			low = min(low, k.supers[l].Events())
		}
	}
	return low
}

// recordAll writes the superblocks of all members that are behind the given
// event count, or of all if it is the last one, and counts those that took it.
func (k *keeper) recordAll(events uint64, clean bool) (alive int, err error) {
	var errs []error
	for l := range k.legs {
		if l.failed.Load() || events < k.events && k.supers[l].Events() >= events {
			continue
		}
		if err := k.write(l, events, clean); err != nil {
			l.failed.Store(true)
			errs = append(errs, err)
			continue
		}
		alive++
	}
	return alive, errors.Join(errs...)
}

// advance moves the event count. If members went out it moves by two: one
// behind still counts as up to date (md.c, super_1_validate).
func (k *keeper) advance() {
	healthy := make(map[uint32]bool)
	for l := range k.legs {
		if !l.failed.Load() {
			healthy[l.member.DevNumber()] = true
		}
	}
	k.events++
	for l := range k.legs {
		if l.failed.Load() {
			k.goOut(l.member.DevNumber(), faulty)
		}
	}
	for l := range k.legs {
		for number := range slotHolders(k.supers[l]) {
			if !healthy[number] {
				k.goOut(number, missing)
			}
		}
	}
}

// goOut notes the first reason for a device number to be out.
func (k *keeper) goOut(number uint32, why outcome) {
	if _, known := k.roles[number]; !known {
		k.roles[number] = why
		k.events++
	}
}

// ownBits reports whether nobody else keeps the bitmaps.
func (k *keeper) ownBits() bool {
	_, kept := k.log.(*bitmapLog)
	return !kept
}

// write brings one member's bitmap and superblock up to date.
func (k *keeper) write(l *leg, events uint64, clean bool) error {
	m := k.supers[l]
	if b := k.bitmaps[l]; b != nil && clean && k.ownBits() {
		b.Events = k.events
		if len(k.roles) > 0 {
			b.EventsCleared = k.events
		}
		if _, err := l.dev.WriteAt(b.AppendTo(nil), b.Offset); err != nil {
			return err
		}
	}
	resync := uint64(0)
	if clean || k.journal != nil && k.resync == md.MaxSector { // MD_JOURNAL_CLEAN
		resync = k.resync
	}
	if m.Super0 != nil {
		k.update0(m.Super0, events, resync)
	} else {
		k.update1(m.Super1, events, resync)
	}
	if _, err := l.dev.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
		return err
	}
	return l.dev.Sync()
}

// tail sets where the journal begins, to be recorded next.
func (k *keeper) tail(journal *leg, pos uint64) {
	k.supers[journal].Super1.RecoveryOffset = pos
}

// writeTail records where the journal begins, and members that went out.
func (k *keeper) writeTail(journal *leg, pos uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tail(journal, pos)
	if k.failures() != k.recorded {
		return k.record(false)
	}
	return k.write(journal, k.events, false)
}

// update1 is super_1_sync.
func (k *keeper) update1(s *md.Super1, events, resync uint64) {
	s.Events, s.UTime, s.ResyncOffset = events, uint64(k.now().Unix()), resync
	for number, why := range k.roles {
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
func (k *keeper) update0(s *md.Super0, events, resync uint64) {
	s.Events, s.CPEvents, s.UTime = events, events, uint32(k.now().Unix())
	s.State &^= md.Super0Clean
	s.RecoveryCP = uint32(min(resync, 1<<32-1))
	if resync == md.MaxSector {
		s.State |= md.Super0Clean
	}
	for number := range k.roles {
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

// slotHolders yields the numbers of the devices that have a slot by the
// superblock's table.
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
