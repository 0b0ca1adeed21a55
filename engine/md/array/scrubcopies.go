package array

import (
	"bytes"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

func (m *mirrored) extent() int64 { return m.size }

func (m *mirrored) awaiting() []span { return m.pending }

func (m *mirrored) readers() int { return max(m.copies, 2) }

func (m *mirrored) prepare(length int64) scrubWorker {
	return &copiesWorker{m: m, length: length}
}

// copiesWorker compares copies, for raid1 and raid10.
type copiesWorker struct {
	m       *mirrored
	length  int64
	buffers [][]byte
	places  []raid.Place
	copies  []copyRead
	logged  bool // the bad block log of a member that should hold the piece has it
}

// copyRead is one copy of a piece of the array.
type copyRead struct {
	leg  *leg
	slot int
	off  int64 // from the start of the member's data
	b    []byte
	err  error // why it could not be read
}

// check compares the copies of [from, to) of the array in pieces, each of which is
// in one run on each member.
func (w *copiesWorker) check(from, to int64, repair bool) (found []Mismatch, err error) {
	defer w.m.locks.lock(from, to, !repair)()
	for off := from; off < to; {
		w.places = w.m.at(off, w.places[:0])
		n := min(w.places[0].Len, to-off)
		if !w.load(off, n) {
			if found, err = w.piece(found, off, n, repair); err != nil {
				return found, err
			}
		}
		off += n
	}
	return found, nil
}

// load reads the copies of n bytes that can be read in one piece. It reports whether
// those were all copies that there should be, and whether they are the same.
func (w *copiesWorker) load(off, n int64) (same bool) {
	w.copies, w.logged = w.copies[:0], false
	whole := true
	for _, at := range w.places {
		for _, l := range w.m.slots[at.Slot] {
			c := copyRead{leg: l, slot: at.Slot, off: at.Off}
			if !l.holds(at.Off, n) {
				if l.insync > at.Off && !l.failed.Load() {
					whole = false // it is only partly in sync, or known to be bad
					w.logged = w.logged || at.Off+n <= l.insync
				}
				continue
			}
			c.b = w.buffer(len(w.copies))[:n]
			if c.err = l.read(c.b, at.Off); c.err != nil {
				whole = false
			}
			w.copies = append(w.copies, c)
		}
	}
	if !whole {
		return false
	}
	for _, c := range w.copies[min(1, len(w.copies)):] {
		if !bytes.Equal(w.copies[0].b, c.b) {
			return false
		}
	}
	return true
}

func (w *copiesWorker) buffer(i int) []byte {
	for len(w.buffers) <= i {
		w.buffers = append(w.buffers, make([]byte, w.length))
	}
	return w.buffers[i]
}

// piece goes over n bytes at off page by page, because something is wrong there.
func (w *copiesWorker) piece(found []Mismatch, off, n int64, repair bool) ([]Mismatch, error) {
	for at := off; at < off+n; {
		w.places = w.m.at(at, w.places[:0])
		part := min(pageSize-at%pageSize, off+n-at)
		switch {
		case w.load(at, part):
		case len(w.copies) == 0 && w.logged:
			found = w.lost(found, at, part)
		default:
			m, err := w.judge(at, repair)
			if err != nil {
				return found, err
			}
			found = joinMismatch(found, m)
		}
		at += part
	}
	return found, nil
}

// lost finds the sectors that are lost among n bytes at off, which no member holds in
// one piece: those that are in the bad block logs of all members.
func (w *copiesWorker) lost(found []Mismatch, off, n int64) []Mismatch {
	for at := off; at < off+n; at += md.SectorSize {
		w.places = w.m.at(at, w.places[:0])
		m := &Mismatch{Kind: MismatchLost, Position: at, Len: md.SectorSize, Array: []ArrayRange{{at, md.SectorSize}}}
		held := false
		for _, place := range w.places {
			for _, l := range w.m.slots[place.Slot] {
				held = held || l.holds(place.Off, md.SectorSize)
				if !l.failed.Load() && place.Off+md.SectorSize <= l.insync {
					m.Members = append(m.Members, MismatchMember{
						Name: block.Name(l.dev), Slot: place.Slot, Off: l.start + place.Off, Role: "copy",
						Unreadable: "it is in the bad block log",
					})
				}
			}
		}
		if !held && len(m.Members) > 0 {
			found = joinMismatch(found, m)
		}
	}
	return found
}

// judge says what is wrong with the copies that were loaded.
func (w *copiesWorker) judge(off int64, repair bool) (*Mismatch, error) {
	groups, sizes := w.group()
	if len(groups) == 0 {
		return nil, nil // there is no copy to read: the members are missing
	}
	m := &Mismatch{Kind: MismatchCopies, Position: off}
	right := w.right(m, groups, sizes, off)
	first, last := w.differing(right)
	m.Len = int64(last - first)
	m.Position += int64(first)
	m.Array = []ArrayRange{{m.Position, m.Len}}
	bad := false
	for i, c := range w.copies {
		x := MismatchMember{
			Name: block.Name(c.leg.dev), Slot: c.slot, Off: c.leg.start + c.off + int64(first), Role: "copy", Group: groups[i],
		}
		if c.err != nil {
			x.Unreadable = c.err.Error()
		}
		x.Wrong = m.Proof != ProofNone && groups[i] != groups[max(right, 0)]
		bad = bad || x.Wrong || groups[i] != groups[0]
		m.Members = append(m.Members, x)
	}
	if !bad && m.Kind == MismatchCopies {
		return nil, nil // the rest of the window was at fault, not this page
	}
	if repair && m.Proof != ProofNone {
		return m, w.mend(m, w.copies[right].b[first:last])
	}
	return m, nil
}

// group numbers the copies by content, from 1 on; copies that cannot be read have 0.
// sizes counts the copies with each number.
func (w *copiesWorker) group() (of []int, sizes []int) {
	sizes = []int{0}
	var models [][]byte
	for _, c := range w.copies {
		if c.err != nil {
			of = append(of, 0)
			sizes[0]++
			continue
		}
		g := 0
		for g < len(models) && !bytes.Equal(models[g], c.b) {
			g++
		}
		if g == len(models) {
			models = append(models, c.b)
			sizes = append(sizes, 0)
		}
		sizes[g+1]++
		of = append(of, g+1)
	}
	return of, sizes
}

// right returns the index of a copy that is right, and notes in m how that is known;
// it returns -1 if it is not known.
func (w *copiesWorker) right(m *Mismatch, groups, sizes []int, off int64) int {
	unread := sizes[0]
	switch {
	case unread == len(w.copies):
		m.Kind = MismatchLost
		return -1
	case len(sizes) == 2: // the copies that can be read agree
		if unread > 0 {
			m.Kind, m.Proof = MismatchUnreadable, ProofRedundancy
		}
		return firstOf(groups, 1)
	case pendingAt(w.m.pending, off):
		m.Proof = ProofResync
		for i, g := range groups { // the first that can be read
			if g > 0 {
				return i
			}
		}
	}
	for g := 1; g < len(sizes); g++ {
		if 2*sizes[g] > len(w.copies) {
			m.Proof = ProofMajority
			return firstOf(groups, g)
		}
	}
	return -1
}

func firstOf(groups []int, g int) int {
	for i, x := range groups {
		if x == g {
			return i
		}
	}
	return -1
}

// differing returns the range of bytes in which the copies differ; all bytes if some
// copies cannot be read.
func (w *copiesWorker) differing(right int) (first, last int) {
	model := w.copies[max(right, 0)].b
	first, last = len(model), 0
	for _, c := range w.copies {
		if c.err != nil {
			return 0, len(model)
		}
		for i := range model {
			if c.b[i] != model[i] {
				first, last = min(first, i), max(last, i+1)
			}
		}
	}
	if last == 0 {
		return 0, len(model)
	}
	return first, last
}

// mend writes the right bytes to the members that are wrong.
func (w *copiesWorker) mend(m *Mismatch, right []byte) error {
	for i, x := range m.Members {
		if !x.Wrong {
			continue
		}
		if _, err := w.copies[i].leg.dev.WriteAt(right, x.Off); err != nil {
			return err
		}
	}
	m.Repaired = true
	return nil
}

// joinMismatch adds m to the list. If m continues the last mismatch of the list, it
// extends that one instead.
func joinMismatch(list []Mismatch, m *Mismatch) []Mismatch {
	if m == nil {
		return list
	}
	if n := len(list); n > 0 && list[n-1].goesOn(m) {
		last := &list[n-1]
		grown := m.Position + m.Len - last.Position
		for i := range last.Array {
			last.Array[i].Len += grown - last.Len
		}
		last.Len = grown
		return list
	}
	return append(list, *m)
}

// goesOn reports whether next is about the same members and begins in the page
// after the one in which m ends, or right behind m.
func (m *Mismatch) goesOn(next *Mismatch) bool {
	if m.Kind != next.Kind || m.Proof != next.Proof || m.Repaired != next.Repaired || len(m.Members) != len(next.Members) ||
		m.Position+m.Len != next.Position && (m.Position+m.Len-1)/pageSize+1 != next.Position/pageSize {
		return false
	}
	for i, x := range m.Members {
		y := next.Members[i]
		if x.Slot != y.Slot || x.Name != y.Name || x.Role != y.Role || x.Wrong != y.Wrong || x.Group != y.Group ||
			(x.Unreadable == "") != (y.Unreadable == "") || y.Off-x.Off != next.Position-m.Position {
			return false
		}
	}
	for i, r := range m.Array {
		if i >= len(next.Array) || next.Array[i].Off-r.Off != next.Position-m.Position {
			return false
		}
	}
	return true
}
