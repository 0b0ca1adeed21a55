package array

import (
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/raid"
)

func (a *parityArray) extent() int64 { return a.geometry.Rows() * a.geometry.Chunk() }

func (a *parityArray) awaiting() []span { return a.pending }

func (a *parityArray) readers() int { return len(a.slots) }

func (a *parityArray) prepare(length int64) scrubWorker {
	return &parityWorker{a: a, buffers: raid.Blocks(len(a.slots), length)}
}

// parityWorker checks rows of raid4, raid5 and raid6. Positions are bytes from
// the start of the members' data.
type parityWorker struct {
	a       *parityArray
	buffers [][]byte // of each slot
	repair  bool
	found   []Mismatch
}

// check reads [from, to) of each member and checks the rows in it, or parts of rows
// if the window is shorter than a chunk.
func (w *parityWorker) check(from, to int64, repair bool) ([]Mismatch, error) {
	chunk := w.a.geometry.Chunk()
	defer w.a.locks.lock(from/chunk, (to-1)/chunk+1, !repair)()
	w.found, w.repair = nil, repair
	gaps, whole := w.load(from, to)
	if len(gaps) >= w.a.parities && whole {
		return nil, nil // missing members leave no redundancy to check
	}
	for at := from; at < to; {
		n := min(chunk-at%chunk, to-at)
		var err error
		if whole {
			err = w.row(at, n, w.cut(at-from, n, w.stripe(at)), gaps)
		} else {
			err = w.eachPage(at, n)
		}
		if err != nil {
			return w.found, err
		}
		at += n
	}
	return w.found, nil
}

func (w *parityWorker) stripe(at int64) *raid.Stripe {
	return w.a.geometry.Stripe(at / w.a.geometry.Chunk())
}

// load reads a range of every slot. The gaps are the slots without any member for
// it; the range is not whole if a slot has a member that holds only a part of it, or
// cannot read it.
func (w *parityWorker) load(from, to int64) (gaps []int, whole bool) {
	whole = true
	for slot, s := range w.a.slots {
		switch err := s.read(w.buffers[slot][:to-from], from); {
		case err == nil:
		case err == errNoCopy && !s.touches(from):
			gaps = append(gaps, slot)
		default:
			whole = false
		}
	}
	return gaps, whole
}

// touches reports whether one of the slot's legs holds anything from off on.
func (s slot) touches(off int64) bool {
	return slices.ContainsFunc(s, func(l *leg) bool { return !l.failed.Load() && l.insync > off })
}

// cut returns n bytes of every slot's buffer, starting at byte at, in the order of
// the stripe's blocks.
func (w *parityWorker) cut(at, n int64, stripe *raid.Stripe) [][]byte {
	blocks := make([][]byte, len(stripe.Blocks))
	for i, slot := range stripe.Blocks {
		if slot >= 0 {
			blocks[i] = w.buffers[slot][at : at+n]
		}
	}
	return blocks
}

// row checks n bytes of a row from at on. All its blocks have been read except those
// of the gaps.
func (w *parityWorker) row(at, n int64, blocks [][]byte, gaps []int) error {
	stripe := w.stripe(at)
	if len(gaps) >= w.a.parities {
		return nil
	}
	for _, slot := range gaps { // at most one, of raid6: P is left for the check, or Q
		i := stripe.Index[slot]
		raid.RecoverPQ(blocks, i, i)
	}
	if w.agree(blocks) {
		return nil
	}
	for off := int64(0); off < n; {
		part := min(pageSize-(at+off)%pageSize, n-off)
		page := make([][]byte, len(blocks))
		for i, b := range blocks {
			if b != nil {
				page[i] = b[off : off+part]
			}
		}
		if err := w.judge(at+off, stripe, page, gaps); err != nil {
			return err
		}
		off += part
	}
	return nil
}

// agree reports whether parity matches the data.
func (w *parityWorker) agree(blocks [][]byte) bool {
	n := len(blocks) - w.a.parities
	if w.a.parities == 1 {
		return raid.CheckP(blocks[n], blocks[:n]) < 0
	}
	p, q := raid.CheckPQ(blocks[n], blocks[n+1], blocks[:n])
	return p < 0 && q < 0
}

// eachPage reads a part of a row again page by page, because a member fails somewhere
// in it.
func (w *parityWorker) eachPage(at, n int64) error {
	for end := at + n; at < end; {
		part := min(pageSize-at%pageSize, end-at)
		if err := w.page(at, part); err != nil {
			return err
		}
		at += part
	}
	return nil
}

// page reads one page of each slot. Places in bad block logs are known, and count as
// gaps. A read that fails is a mismatch.
func (w *parityWorker) page(at, n int64) error {
	stripe := w.stripe(at)
	var gaps []int
	failed := make(map[int]error)
	for slot, s := range w.a.slots {
		err := s.read(w.buffers[slot][:n], at)
		if err == nil {
			continue
		}
		gaps = append(gaps, slot)
		if err != errNoCopy {
			failed[slot] = err
		}
	}
	blocks := w.cut(0, n, stripe)
	if len(failed) == 0 && len(gaps) <= w.a.parities {
		return w.row(at, n, blocks, gaps)
	}
	m := w.mismatch(MismatchUnreadable, at, 0, n, stripe)
	for i := range m.Members {
		if err := failed[m.Members[i].Slot]; err != nil {
			m.Members[i].Unreadable = err.Error()
			m.Members[i].Wrong = true
		}
	}
	if len(gaps) > w.a.parities {
		m.Kind = MismatchLost
		for i := range m.Members {
			m.Members[i].Wrong = false
		}
		w.found = joinMismatch(w.found, m)
		return nil
	}
	m.Proof = ProofRedundancy
	if w.a.parities == 1 {
		raid.RecoverP(blocks, stripe.Index[gaps[0]])
	} else {
		raid.RecoverPQ(blocks, stripe.Index[gaps[0]], stripe.Index[gaps[len(gaps)-1]])
		if len(gaps) == 1 && !w.agree(blocks) { // what would be written is not certain
			m.Proof = ProofNone
			for i := range m.Members {
				m.Members[i].Wrong = false
			}
		}
	}
	return w.settle(m, at, n, blocks, stripe)
}

// judge finds out what is wrong with a page of each block.
func (w *parityWorker) judge(at int64, stripe *raid.Stripe, blocks [][]byte, gaps []int) error {
	if w.agree(blocks) {
		return nil
	}
	n := len(blocks) - w.a.parities
	var c raid.Culprit
	if w.a.parities == 2 {
		c = raid.FindCulprit(blocks)
	} else {
		c = parityDiffers(blocks)
	}
	m := w.mismatch(MismatchParity, at, int64(c.From), int64(c.To), stripe)
	switch {
	case pendingAt(w.a.pending, at):
		m.Proof = ProofResync
		for _, slot := range []int{stripe.P, stripe.Q} {
			if slot >= 0 && !slices.Contains(gaps, slot) {
				m.accuse(slot)
			}
		}
		if len(gaps) > 0 { // the missing data was computed from the parity that is in doubt
			m.Proof = ProofNone
			break
		}
		if w.a.parities == 1 {
			raid.GenP(blocks[n], blocks[:n])
		} else {
			raid.GenPQ(blocks[n], blocks[n+1], blocks[:n])
		}
	case w.a.parities == 2 && len(gaps) == 0 && c.Block != raid.Unknown:
		m.Proof = ProofSyndrome
		m.accuse(stripe.Blocks[c.Block])
		raid.RecoverPQ(blocks, c.Block, c.Block)
	}
	if m.Proof == ProofNone {
		for i := range m.Members {
			m.Members[i].Wrong = false
		}
	}
	return w.settle(m, at, int64(len(blocks[n])), blocks, stripe)
}

// parityDiffers returns the range in which P does not match the data.
func parityDiffers(blocks [][]byte) raid.Culprit {
	n := len(blocks) - 1
	good := make([]byte, len(blocks[n]))
	raid.GenP(good, blocks[:n])
	c := raid.Culprit{Block: raid.Unknown}
	for i, b := range blocks[n] {
		if b == good[i] {
			continue
		}
		if c.Bytes++; c.Bytes == 1 {
			c.From = i
		}
		c.To = i + 1
	}
	return c
}

// mismatch makes a mismatch for the bytes [first, last) of the page at position at.
func (w *parityWorker) mismatch(kind MismatchKind, at, first, last int64, stripe *raid.Stripe) *Mismatch {
	chunk := w.a.geometry.Chunk()
	m := &Mismatch{Kind: kind, Position: at + first, Len: last - first}
	row := at / chunk
	base := row*chunk*int64(len(stripe.Data)) + m.Position%chunk
	role := make(map[int]string)
	for i, slot := range stripe.Data {
		m.Array = append(m.Array, ArrayRange{base + int64(i)*chunk, m.Len})
		role[slot] = fmt.Sprintf("data %d", i)
	}
	role[stripe.P] = "P"
	if stripe.Q >= 0 {
		role[stripe.Q] = "Q"
	}
	for slot, s := range w.a.slots {
		for _, l := range s {
			m.Members = append(m.Members, MismatchMember{
				Name: block.Name(l.dev), Slot: slot, Off: l.start + m.Position, Role: role[slot],
			})
		}
	}
	return m
}

// accuse marks the members of a slot as wrong.
func (m *Mismatch) accuse(slot int) {
	for i := range m.Members {
		if m.Members[i].Slot == slot {
			m.Members[i].Wrong = true
		}
	}
}

// settle writes the blocks of the wrong members, if the scrub is to repair, and adds m
// to the mismatches found. blocks has the corrected n bytes at position at.
func (w *parityWorker) settle(m *Mismatch, at, n int64, blocks [][]byte, stripe *raid.Stripe) error {
	if w.repair && m.Proof != ProofNone {
		for slot, s := range w.a.slots {
			if !slices.ContainsFunc(m.Members, func(x MismatchMember) bool { return x.Slot == slot && x.Wrong }) {
				continue
			}
			stored, err := s.write(blocks[stripe.Index[slot]][:n], at)
			if err != nil {
				return err
			}
			m.Repaired = stored
		}
	}
	w.found = joinMismatch(w.found, m)
	return nil
}
