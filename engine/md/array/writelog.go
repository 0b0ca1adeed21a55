package array

import "iter"

// writeLog is what an array keeps so that a power cut during a write can be made
// good: a write-intent bitmap, a partial parity log or a write journal. An
// array without one relies on a full resync.
//
// Reading only needs none; whatever a log holds that the members lack is seen
// through them before (see patches).
type writeLog interface {
	// start is called once, before the superblocks say for the first time that
	// the array is written to.
	start() error
	// begin is called before a write reaches any member, with whatever the
	// write may change locked. When it returns the write can be made good. It
	// gives what to call after the write; err is why it was not done in full,
	// if it was not.
	begin(w writing) (end func(err error), err error)
	// stop is called when the array is closed in order: nothing is being
	// written, and everything is durable. The superblocks, which are marked
	// as clean next, may be told something too.
	stop() error
}

// writing is a write that is about to be done.
type writing struct {
	// from and to are the bytes [from, to) that a resync would have to go over:
	// of the array for raid1 and raid10, of each member for raid4, 5 and 6.
	from, to int64
	// row is what is to be written, data and parity, and pieces are the parts
	// of it that are new data; for raid4, 5 and 6 only.
	row    *rowWork
	pieces []piece
}

// logged does a write with what the log wants before and after. There need be
// no log.
func logged(log writeLog, w writing, write func() error) error {
	if log == nil {
		return write()
	}
	end, err := log.begin(w)
	if err != nil {
		return err
	}
	err = write()
	end(err)
	return err
}

// steps yields the parts in which new data of a row is to be written one after
// the other: all at once, unless a log takes only so much. With a log, data
// whose member is missing goes alone: in a mix with other new data it could not
// be told apart after a cut.
func (a *parityArray) steps(row int64, pieces []piece) iter.Seq[[]piece] {
	return func(yield func([]piece) bool) {
		if a.window == 0 {
			yield(pieces)
			return
		}
		from, to := a.geometry.Chunk(), int64(0)
		for _, pc := range pieces {
			from, to = min(from, pc.from), max(to, pc.to)
		}
		for at := from / a.window * a.window; at < to; at += a.window {
			for _, group := range a.together(row, clip(pieces, at, at+a.window)) {
				if !yield(group) {
					return
				}
			}
		}
	}
}

// clip gives the parts of pieces within [from, to) of their chunks.
func clip(pieces []piece, from, to int64) (parts []piece) {
	for _, pc := range pieces {
		start, end := max(pc.from, from), min(pc.to, to)
		if start < end {
			parts = append(parts, piece{pc.index, start, end, pc.p[start-pc.from : end-pc.from]})
		}
	}
	return parts
}

// together puts those pieces into one group that can be written at once.
func (a *parityArray) together(row int64, pieces []piece) (groups [][]piece) {
	stripe, base := a.geometry.Stripe(row), row*a.geometry.Chunk()
	alone := true
	for _, pc := range pieces {
		missing := !a.slots[stripe.Data[pc.index]].holds(base+pc.from, pc.to-pc.from)
		if alone || missing {
			groups = append(groups, nil)
		}
		alone = missing
		groups[len(groups)-1] = append(groups[len(groups)-1], pc)
	}
	return groups
}

// wholeUnits are the pieces of whole units that hold pieces, without content.
func wholeUnits(pieces []piece, unit int64) []piece {
	whole := make([]piece, len(pieces))
	for i, pc := range pieces {
		whole[i] = piece{index: pc.index, from: pc.from / unit * unit, to: (pc.to + unit - 1) / unit * unit}
	}
	return whole
}

// row is the number of the row.
func (r *rowWork) row() int64 { return r.base / r.a.geometry.Chunk() }

// arrayOffset is where in the array a data chunk of the row starts.
func (r *rowWork) arrayOffset(index int) int64 {
	g := r.a.geometry
	return (r.row()*int64(g.DataSlots()) + int64(index)) * g.Chunk()
}
