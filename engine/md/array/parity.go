package array

import (
	"fmt"
	"slices"
	"sync"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// parityArray serves raid4, raid5 and raid6. It works row by row: a row is one
// chunk on each member.
type parityArray struct {
	slots    []slot
	geometry *raid.Parity
	parities int
	pending  []span    // of each member: the ranges that await a resync
	locks    rangeLock // of rows
	log      writeLog  // nil if there is none
	window   int64     // bytes of each chunk that a logged write may touch; 0 for any number
	unit     int64     // unit of the log in bytes; used only with a window
	buffers  sync.Pool // of *[]byte, one chunk long
}

// newParity makes an array of geometry geo over slots.
func (a *Array) newParity(f *md.Member, slots []slot, geo geometry) (*parityArray, error) {
	used, err := a.usedBytes(f)
	if err != nil {
		return nil, err
	}
	g, err := raid.NewParity(int(a.level), len(slots), used, geo.chunk, int(geo.layout))
	if err != nil {
		return nil, err
	}
	p := &parityArray{slots: slots, geometry: g, parities: len(slots) - g.DataSlots()}
	p.buffers.New = func() any {
		b := make([]byte, g.Chunk())
		return &b
	}
	p.pending = pendingSpans(f, slots)
	return p, nil
}

// piece is the part of a request that is in one data chunk.
type piece struct {
	index    int // which data chunk of the row
	from, to int64
	p        []byte
}

// rowOf splits the beginning of p at off, as far as it is in one row, into pieces.
func (a *parityArray) rowOf(p []byte, off int64) (row int64, pieces []piece, n int64) {
	row, index, within := a.geometry.Locate(off)
	chunk := a.geometry.Chunk()
	for ; index < a.geometry.DataSlots() && len(p) > 0; index++ {
		part := min(int64(len(p)), chunk-within)
		pieces = append(pieces, piece{index, within, within + part, p[:part]})
		p, n, within = p[part:], n+part, 0
	}
	return row, pieces, n
}

func (a *parityArray) read(p []byte, off int64) error {
	for len(p) > 0 {
		row, pieces, n := a.rowOf(p, off)
		if err := a.readRow(row, pieces); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// readRow reads straight from the members. If one of them cannot be read, it
// reconstructs the data under the row's lock.
func (a *parityArray) readRow(row int64, pieces []piece) error {
	stripe, base := a.geometry.Stripe(row), row*a.geometry.Chunk()
	for _, pc := range pieces {
		if !a.slots[stripe.Data[pc.index]].holds(base+pc.from, pc.to-pc.from) {
			return a.reconstruct(row, pieces) // now, so as not to read the others twice
		}
	}
	for _, pc := range pieces {
		if a.slots[stripe.Data[pc.index]].read(pc.p, base+pc.from) != nil {
			return a.reconstruct(row, pieces)
		}
	}
	return nil
}

// reconstruct reads a row's pieces with the help of parity.
func (a *parityArray) reconstruct(row int64, pieces []piece) error {
	defer a.locks.lock(row, row+1, true)()
	r := a.newRow(row, pieces)
	defer r.release()
	for _, pc := range pieces {
		r.adopt(pc)
	}
	if err := r.load(nil); err != nil {
		return err
	}
	for _, pc := range pieces {
		copy(pc.p, r.data(pc.index)[pc.from-r.from:]) // no effect if it was adopted
	}
	return nil
}

func (a *parityArray) write(p []byte, off int64) error {
	for len(p) > 0 {
		row, pieces, n := a.rowOf(p, off)
		if err := a.writeRow(row, pieces); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// writeRow puts new data into a row.
func (a *parityArray) writeRow(row int64, pieces []piece) error {
	defer a.locks.lock(row, row+1, false)()
	for step := range a.steps(row, pieces) {
		if err := a.writeStep(row, step); err != nil {
			return err
		}
	}
	return nil
}

// writeStep puts new data and its parity into a row.
func (a *parityArray) writeStep(row int64, pieces []piece) error {
	stored := pieces
	if a.window > 0 {
		stored = wholeUnits(pieces, a.unit)
	}
	r := a.newRow(row, stored)
	defer r.release()
	if a.window > 0 || r.parityWanted() {
		if err := r.renew(pieces); err != nil {
			return err
		}
	}
	for i := range stored {
		if pc := &stored[i]; pc.p == nil {
			pc.p = r.data(pc.index)[pc.from-r.from : pc.to-r.from]
		}
	}
	w := writing{from: r.base + r.from, to: r.base + r.to, row: r, pieces: stored}
	return logged(a.log, w, func() error { return r.store(stored) })
}

// renew reads the data of the row, puts new data into it, and computes parity from
// all data, so that parity that was wrong before is right afterwards. It reads only
// the blocks that the new data does not replace.
func (r *rowWork) renew(pieces []piece) error {
	covered := make([]bool, r.a.geometry.DataSlots())
	for _, pc := range pieces {
		if pc.from == r.from && pc.to == r.to {
			covered[pc.index] = true
		}
	}
	if err := r.load(covered); err != nil {
		return err
	}
	for _, pc := range pieces {
		copy(r.data(pc.index)[pc.from-r.from:], pc.p)
	}
	r.generate()
	return nil
}

// rowWork is a row that is being worked on: the bytes [from, to) of each chunk.
type rowWork struct {
	a        *parityArray
	stripe   *raid.Stripe
	base     int64 // where the row's chunks start on the members
	from, to int64
	blocks   [][]byte // in the order of stripe.Blocks; nil where that has no slot
	borrowed []*[]byte
}

// newRow returns the part of a row that all pieces span, with a buffer for each
// block.
func (a *parityArray) newRow(row int64, pieces []piece) *rowWork {
	r := &rowWork{a: a, stripe: a.geometry.Stripe(row), base: row * a.geometry.Chunk()}
	r.from, r.to = pieces[0].from, pieces[0].to
	for _, pc := range pieces[1:] {
		r.from, r.to = min(r.from, pc.from), max(r.to, pc.to)
	}
	r.blocks = make([][]byte, len(r.stripe.Blocks))
	for i, slot := range r.stripe.Blocks {
		if slot >= 0 {
			b := a.buffers.Get().(*[]byte)
			r.borrowed = append(r.borrowed, b)
			r.blocks[i] = (*b)[:r.to-r.from]
		}
	}
	return r
}

func (r *rowWork) release() {
	for _, b := range r.borrowed {
		r.a.buffers.Put(b)
	}
}

// adopt uses the caller's memory as the block of a piece that spans the whole part
// of the row, which saves copying.
func (r *rowWork) adopt(pc piece) {
	if pc.from == r.from && pc.to == r.to {
		r.blocks[r.stripe.Index[r.stripe.Data[pc.index]]] = pc.p
	}
}

// data returns the block of a data chunk, counted in the order of the array.
func (r *rowWork) data(index int) []byte {
	return r.blocks[r.stripe.Index[r.stripe.Data[index]]]
}

// load reads all data blocks except the covered ones, which new data will replace.
// If some cannot be read, it reads everything, including parity, and reconstructs
// them.
func (r *rowWork) load(covered []bool) error {
	wanted := func(index int) bool { return covered == nil || !covered[index] }
	for index, slot := range r.stripe.Data {
		if wanted(index) && !r.a.slots[slot].holds(r.base+r.from, r.to-r.from) {
			return r.recover() // now, so as not to read the others twice
		}
	}
	for index, slot := range r.stripe.Data {
		if wanted(index) && r.a.slots[slot].read(r.data(index), r.base+r.from) != nil {
			return r.recover()
		}
	}
	return nil
}

// recover reads every block and computes those that cannot be read.
func (r *rowWork) recover() error {
	var missing []int
	var failures []error
	for i, slot := range r.stripe.Blocks {
		if slot < 0 {
			continue
		}
		err := r.a.slots[slot].read(r.blocks[i], r.base+r.from)
		if err == nil {
			continue
		}
		if missing = append(missing, i); err != errNoCopy {
			failures = append(failures, err)
		}
	}
	switch {
	case len(missing) > r.a.parities:
		return fmt.Errorf("row %d: %w", r.base/r.a.geometry.Chunk(), lost(failures))
	case len(missing) == 0:
	case r.a.parities == 1:
		raid.RecoverP(r.blocks, missing[0])
	default:
		raid.RecoverPQ(r.blocks, missing[0], missing[len(missing)-1])
	}
	return nil
}

// parityWanted reports whether there is a member to write parity to.
func (r *rowWork) parityWanted() bool {
	return len(r.a.slots[r.stripe.P]) > 0 || r.stripe.Q >= 0 && len(r.a.slots[r.stripe.Q]) > 0
}

// generate computes parity from the data blocks.
func (r *rowWork) generate() {
	n := len(r.blocks) - r.a.parities
	if r.a.parities == 1 {
		raid.GenP(r.blocks[n], r.blocks[:n])
		return
	}
	raid.GenPQ(r.blocks[n], r.blocks[n+1], r.blocks[:n])
}

// store writes the new data and the parity. It succeeds if no more slots lack them
// afterwards than there are parities; the array is then degraded there.
func (r *rowWork) store(pieces []piece) error {
	lacking := make(map[int]bool)
	var failures []error
	write := func(slot int, p []byte, off int64) {
		stored, err := r.a.slots[slot].write(p, r.base+off)
		if !stored {
			lacking[slot] = true
		}
		if err != nil {
			failures = append(failures, err)
		}
	}
	for _, pc := range pieces {
		write(r.stripe.Data[pc.index], pc.p, pc.from)
	}
	for _, slot := range []int{r.stripe.P, r.stripe.Q} {
		if slot >= 0 {
			write(slot, r.blocks[r.stripe.Index[slot]], r.from)
		}
	}
	if len(lacking) > r.a.parities {
		return fmt.Errorf("row %d: %w", r.base/r.a.geometry.Chunk(), lost(slices.Clip(failures)))
	}
	return nil
}
