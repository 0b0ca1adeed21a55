package array

import "iter"

// writeLog is what an array keeps so that it can recover from a power failure during
// a write: a write-intent bitmap, a partial parity log or a write journal. An array
// without one relies on a full resync.
//
// An array that is only read needs none: what a log holds and the members lack is
// already visible as patches of the members (see patched).
type writeLog interface {
	// start is called once, before the superblocks say for the first time that
	// the array is written to.
	start() error
	// begin is called before a write reaches any member; everything that the write
	// may change is locked. Once it has returned, a power failure during the write
	// can be recovered from. It returns a function to call after the write, with
	// the error if the write failed.
	begin(w writing) (end func(err error), err error)
	// stop is called when the array is closed cleanly: nothing is being written,
	// and everything is durable. It may change the superblocks, which are marked as
	// clean next.
	stop() error
}

// writing is a write that is about to be done.
type writing struct {
	// from and to are the range [from, to) that a resync would have to go over, in
	// bytes of the array for raid1 and raid10, of each member for raid4, 5 and 6.
	from, to int64
	// row is the data and parity to be written, and pieces are the parts of it that
	// are new data; only for raid4, 5 and 6.
	row    *rowWork
	pieces []piece
}

// logged does a write and calls the log before and after it. log may be nil.
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

// steps yields the parts of a row's new data that are to be written one after the
// other: all at once, unless a log limits them. With a log, data whose member is
// missing is written alone: together with other new data it could not be
// reconstructed after a power failure.
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

// clip returns the parts of pieces within [from, to) of their chunks.
func clip(pieces []piece, from, to int64) (parts []piece) {
	for _, pc := range pieces {
		start, end := max(pc.from, from), min(pc.to, to)
		if start < end {
			parts = append(parts, piece{pc.index, start, end, pc.p[start-pc.from : end-pc.from]})
		}
	}
	return parts
}

// together groups the pieces that can be written at once.
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

// wholeUnits returns pieces extended to whole units, without content.
func wholeUnits(pieces []piece, unit int64) []piece {
	whole := make([]piece, len(pieces))
	for i, pc := range pieces {
		whole[i] = piece{index: pc.index, from: pc.from / unit * unit, to: (pc.to + unit - 1) / unit * unit}
	}
	return whole
}

// row returns the number of the row.
func (r *rowWork) row() int64 { return r.base / r.a.geometry.Chunk() }

// arrayOffset returns where in the array a data chunk of the row starts.
func (r *rowWork) arrayOffset(index int) int64 {
	g := r.a.geometry
	return (r.row()*int64(g.DataSlots()) + int64(index)) * g.Chunk()
}
