package array

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// mirrored serves raid1 and raid10: each byte has copies at several places.
type mirrored struct {
	slots []slot
	at    func(off int64, places []raid.Place) []raid.Place
	// resynced is the array offset from which copies may differ, because the
	// array was not shut down cleanly. From there on the first copy counts, as it
	// does for the kernel.
	resynced int64
	size     int64
	copies   int       // number of copies of each byte
	pending  []span    // of the array: the ranges that await a resync
	locks    rangeLock // of array offsets being written
	log      writeLog  // nil if there is none
}

// newMirrored makes a raid1 or raid10 of geometry geo over slots.
func (a *Array) newMirrored(f *md.Member, slots []slot, geo geometry) (personality, int64, error) {
	used, err := a.usedBytes(f)
	if err != nil {
		return nil, 0, err
	}
	m := &mirrored{slots: slots, copies: len(slots)}
	size := used
	if a.level == md.LevelRAID1 {
		m.at = func(off int64, places []raid.Place) []raid.Place {
			for i := range slots {
				places = append(places, raid.Place{Slot: i, Off: off, Len: used - off})
			}
			return places
		}
	} else {
		g, err := raid10Of(geo, used)
		if err != nil {
			return nil, 0, err
		}
		m.at, size, m.copies = g.Map, g.Size(), g.Copies()
	}
	m.size, m.resynced = size, size
	if at := f.ResyncOffset(); at < uint64(size)/md.SectorSize {
		m.resynced = int64(at) * md.SectorSize
	}
	m.pending = pendingSpans(f, slots)
	return m, size, nil
}

// spread is how many bytes are read from one copy before it is the next one's turn.
const spread = 256 << 10

func (m *mirrored) read(p []byte, off int64) error {
	var buffer [8]raid.Place
	for len(p) > 0 {
		places := m.at(off, buffer[:0])
		n := min(int64(len(p)), places[0].Len)
		if off < m.resynced {
			n = min(n, m.resynced-off)
			turn := int(off / spread % int64(len(places)))
			places = append(places[turn:], places[:turn]...)
		}
		n, err := m.readCopy(p[:n], places)
		if err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// readCopy reads the beginning of p from the first place that has it, trying
// legs marked write-mostly last, and returns how much that was.
func (m *mirrored) readCopy(p []byte, places []raid.Place) (int64, error) {
	var failures []error
	for _, slow := range []bool{false, true} {
		for _, at := range places {
			for _, l := range m.slots[at.Slot] {
				if l.slow != slow {
					continue
				}
				n := l.readable(at.Off, int64(len(p)))
				if n == 0 {
					continue
				}
				err := l.read(p[:n], at.Off)
				if err == nil {
					return n, nil
				}
				failures = append(failures, err)
			}
		}
	}
	return 0, lost(failures)
}

// lost is the error for a place that no member can serve, with the errors of those
// that should hold it.
func lost(failures []error) error {
	if len(failures) == 0 {
		return ErrLost
	}
	return fmt.Errorf("%w: %w", ErrLost, errors.Join(failures...))
}

// readable returns how many of length bytes at off the leg can serve.
func (l *leg) readable(off, length int64) int64 {
	length = min(length, l.insync-off)
	if l.failed.Load() || length <= 0 {
		return 0
	}
	n, good := l.run(off, length)
	if !good {
		return 0
	}
	return n
}

func (m *mirrored) write(p []byte, off int64) error {
	defer m.locks.lock(off, off+int64(len(p)), false)()
	w := writing{from: off, to: off + int64(len(p))}
	return logged(m.log, w, func() error { return m.writeAll(p, off) })
}

// writeAll writes p to every copy.
func (m *mirrored) writeAll(p []byte, off int64) error {
	var buffer [8]raid.Place
	for len(p) > 0 {
		places := m.at(off, buffer[:0])
		n := min(int64(len(p)), places[0].Len)
		for _, at := range places {
			for _, l := range m.slots[at.Slot] {
				// A piece must not be partly bad on any leg.
				n, _ = l.run(at.Off, n)
			}
		}
		if err := m.writeCopies(p[:n], places); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// writeCopies writes p to every place; it is enough if one of them holds p then.
func (m *mirrored) writeCopies(p []byte, places []raid.Place) error {
	done := false
	var failures []error
	for _, at := range places {
		stored, err := m.slots[at.Slot].write(p, at.Off)
		done = done || stored
		if err != nil {
			failures = append(failures, err)
		}
	}
	if !done {
		return lost(failures)
	}
	return nil
}
