package array

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// leg is one device that holds the data of a slot. Offsets are in bytes from the
// start of its data.
type leg struct {
	member *md.Member
	dev    block.Device
	start  int64 // bytes on the device where data starts
	insync int64 // the leg is in sync below this; math.MaxInt64 if entirely
	bad    []span
	slow   bool        // write-mostly: read from it only if there is no other
	failed atomic.Bool // it refused a write, so its content is stale
}

// span is the range [from, to) of bytes.
type span struct{ from, to int64 }

// newLeg makes a leg of a member. The superblock and the bad block log say which
// parts of it can be trusted.
func newLeg(m *md.Member, d block.Device) (*leg, error) {
	l := &leg{member: m, dev: d, insync: math.MaxInt64}
	const most = math.MaxInt64 / md.SectorSize
	if m.DataOffset() > most || m.DataSize() > most-m.DataOffset() {
		return nil, fmt.Errorf("%s: data of %d sectors from sector %d is beyond any device", m.Name, m.DataSize(), m.DataOffset())
	}
	l.start = int64(m.DataOffset()) * md.SectorSize
	if end := l.start + int64(m.DataSize())*md.SectorSize; end > d.Size() {
		return nil, fmt.Errorf("%s: data should end at byte %d, but the device ends at %d: it was cut short", m.Name, end, d.Size())
	}
	if off := m.RecoveryOffset(); off < most {
		l.insync = int64(off) * md.SectorSize
	}
	if m.Super1 != nil {
		l.slow = m.Super1.DevFlags&md.DevWriteMostly != 0
	}
	list, err := m.ReadBadBlocks(d)
	if err != nil {
		return nil, err
	}
	l.bad = badSpans(list, l.start)
	return l, nil
}

// badSpans turns a bad block log, which counts sectors of the device, into
// sorted, disjoint spans of the data that begins at start.
func badSpans(list []md.BadBlock, start int64) []span {
	var spans []span
	for _, b := range list {
		if b.Sector > math.MaxInt64/md.SectorSize-math.MaxUint32 {
			continue // no device reaches there
		}
		from := int64(b.Sector)*md.SectorSize - start
		if to := from + int64(b.Length)*md.SectorSize; to > 0 {
			spans = append(spans, span{max(from, 0), to})
		}
	}
	return joinSpans(spans)
}

// joinSpans sorts spans and joins those that touch or overlap.
func joinSpans(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	joined := spans[:0]
	for _, s := range spans {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// run says whether the byte at off is outside of known bad blocks, and for how many
// bytes from there, at most length, this is the same.
func (l *leg) run(off, length int64) (n int64, good bool) {
	i := sort.Search(len(l.bad), func(i int) bool { return l.bad[i].to > off })
	switch {
	case i == len(l.bad) || l.bad[i].from >= off+length:
		return length, true
	case l.bad[i].from > off:
		return l.bad[i].from - off, true
	}
	return min(l.bad[i].to-off, length), false
}

// holds reports whether the leg can serve length bytes at off.
func (l *leg) holds(off, length int64) bool {
	if l.failed.Load() || off+length > l.insync {
		return false
	}
	n, good := l.run(off, length)
	return good && n == length
}

func (l *leg) read(p []byte, off int64) error { return block.ReadFull(l.dev, p, l.start+off) }

// write stores p where the leg has no known bad blocks. It reports whether the leg
// now holds all of p. After an error the leg is out.
func (l *leg) write(p []byte, off int64) (stored bool, err error) {
	if l.failed.Load() {
		return false, nil
	}
	stored = off+int64(len(p)) <= l.insync
	for len(p) > 0 {
		n, good := l.run(off, int64(len(p)))
		if good {
			if _, err := l.dev.WriteAt(p[:n], l.start+off); err != nil {
				l.failed.Store(true)
				return false, err
			}
		}
		stored = stored && good
		p, off = p[n:], off+n
	}
	return stored, nil
}

// slot is a slot of the array: the member that has it, and the replacement, if there
// is one. An empty slot is missing.
type slot []*leg

// holds reports whether one of the legs can serve length bytes at off.
func (s slot) holds(off, length int64) bool {
	return slices.ContainsFunc(s, func(l *leg) bool { return l.holds(off, length) })
}

// read fills p from the first leg that can serve it. It fails with the error of the
// last leg, or with errNoCopy if no leg could be read.
func (s slot) read(p []byte, off int64) error {
	err := errNoCopy
	for _, l := range s {
		if !l.holds(off, int64(len(p))) {
			continue
		}
		if err = l.read(p, off); err == nil {
			return nil
		}
	}
	return err
}

// write stores p on every leg and reports whether one of them holds all of it.
func (s slot) write(p []byte, off int64) (stored bool, err error) {
	for _, l := range s {
		ok, e := l.write(p, off)
		stored = stored || ok
		if e != nil {
			err = e
		}
	}
	return stored, err
}
