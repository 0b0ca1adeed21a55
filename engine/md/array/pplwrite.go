package array

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// logWindow is how many bytes of each chunk a logged write covers at most; larger
// writes are done in several steps (raid5-ppl.c, PPL_SPACE_SIZE).
const logWindow = 128 << 10

// pplWriter keeps the partial parity logs of a raid5 (raid5-ppl.c): before a
// write touches a row, the log of the row's parity member gets the xor of the data
// that the write leaves alone. Whatever mix of old and new data a power failure
// leaves, parity can then be corrected without reading the rest.
//
// A log holds one write at a time: the next one waits until data and parity of
// the one before are durable, because only the newest header counts.
type pplWriter struct {
	a          *parityArray
	super      *superWriter
	complete   bool // recovery left nothing to resync
	unsound    bool // a resync is due for a reason that is in no log
	signature  uint32
	generation atomic.Uint64
	logs       []pplLog // by slot
}

// pplLog is the log of one slot.
type pplLog struct {
	pplHome
	mu       sync.Mutex
	next     int64 // where the next header goes; bytes from home.off
	unsynced []*leg
}

// newPPLWriter makes the writer. start puts the recovered parity in place.
func newPPLWriter(a *parityArray, homes []pplHome, uuid md.UUID, complete bool) *pplWriter {
	w := &pplWriter{a: a, complete: complete, signature: md.PPLSignature(uuid), logs: make([]pplLog, len(homes))}
	a.window, a.unit = logWindow, md.SectorSize
	for i, h := range homes {
		w.logs[i].pplHome = h
		if h.leg != nil {
			a.window = min(a.window, h.size-md.PPLHeaderSize)
		}
	}
	return w
}

// start makes recovered parity durable and empties the logs, as the kernel does
// when it starts an array (raid5-ppl.c, ppl_write_empty_header).
func (w *pplWriter) start() error {
	var errs []error
	alive := 0
	for i := range w.logs {
		l := &w.logs[i]
		if l.leg == nil || l.leg.failed.Load() {
			continue
		}
		err := w.settleFound(l)
		if err == nil {
			err = w.empty(l)
		}
		if err != nil {
			l.leg.failed.Store(true) // to be recorded in the superblocks next
			errs = append(errs, err)
			continue
		}
		alive++
	}
	if alive == 0 && errs != nil {
		return errors.Join(errs...)
	}
	if w.complete {
		w.super.resync = md.MaxSector
	}
	w.unsound = w.super.resync != md.MaxSector
	return nil
}

// settleFound writes the parity that was recovered from a log, durably.
func (w *pplWriter) settleFound(l *pplLog) error {
	if d, ok := l.leg.dev.(*patched); ok {
		return errors.Join(d.commit(), d.Sync())
	}
	return nil
}

// empty clears a log. It first writes a header that is newer than all others: else a
// power failure could leave an old header that is the newest only because the others
// are already gone.
func (w *pplWriter) empty(l *pplLog) error {
	newest, _, err := l.newest(w.signature)
	if err != nil {
		return err
	}
	if newest != nil {
		w.generation.Store(max(w.generation.Load(), newest.Generation))
	}
	if err := w.restart(l); err != nil {
		return err
	}
	if err := block.WriteZeroes(l.leg.dev, l.off+md.PPLHeaderSize, l.size-md.PPLHeaderSize); err != nil {
		return err
	}
	return l.leg.dev.Sync()
}

// restart begins a log again with a header that has no entries.
func (w *pplWriter) restart(l *pplLog) error {
	_, err := l.leg.dev.WriteAt(w.header().AppendTo(nil), l.off)
	return errors.Join(err, l.leg.dev.Sync())
}

// header makes a header without entries that is newer than all others.
func (w *pplWriter) header() *md.PPLHeader {
	h := &md.PPLHeader{Signature: w.signature, Generation: w.generation.Add(1)}
	for i := range h.Reserved {
		h.Reserved[i] = 0xff
	}
	return h
}

// begin logs a write. A row whose parity member is missing has no write hole, so
// nothing is logged.
func (w *pplWriter) begin(x writing) (end func(error), err error) {
	l := &w.logs[x.row.stripe.P]
	if l.leg == nil || l.leg.failed.Load() || x.to > l.leg.insync {
		return func(error) {}, nil
	}
	l.mu.Lock()
	failed := errors.Join(l.settle(), w.append(l, x))
	l.unsynced = x.row.legs(x.pieces, l.unsynced[:0])
	if failed != nil { // record the members that just went out
		if err := w.super.wrote(); err != nil {
			l.mu.Unlock()
			return nil, errors.Join(failed, err)
		}
	}
	return func(error) { l.mu.Unlock() }, nil
}

// settle makes the previous write durable. A member that fails to is out.
func (l *pplLog) settle() error {
	var wg sync.WaitGroup
	errs := make([]error, len(l.unsynced))
	for i, leg := range l.unsynced {
		wg.Go(func() {
			if leg.failed.Load() {
				return
			}
			if errs[i] = leg.dev.Sync(); errs[i] != nil {
				leg.failed.Store(true)
			}
		})
	}
	wg.Wait()
	l.unsynced = l.unsynced[:0]
	return errors.Join(errs...)
}

// legs lists the legs that a write of pieces touches.
func (r *rowWork) legs(pieces []piece, list []*leg) []*leg {
	for _, slot := range []int{r.stripe.P, r.stripe.Q} {
		if slot >= 0 {
			list = append(list, r.a.slots[slot]...)
		}
	}
	for _, pc := range pieces {
		list = append(list, r.a.slots[r.stripe.Data[pc.index]]...)
	}
	return list
}

// append writes a header and its partial parity, durably. If the member refuses them,
// it is out, and there is no parity left to protect.
func (w *pplWriter) append(l *pplLog, x writing) error {
	several := l.size >= 2*(md.PPLHeaderSize+logWindow)
	if !several {
		l.next = 0
	}
	h, partial := w.entries(x)
	length := md.PPLHeaderSize + int64(len(partial))
	var err error
	if l.next+length > l.size || l.next > l.size-2*md.PPLHeaderSize {
		// The kernel does not look for a header at the very end of the log. As in
		// empty, a newer header comes first: the next write overwrites what follows.
		err, l.next = w.restart(l), 0
		h.Generation = w.generation.Add(1)
	}
	if err == nil {
		_, err = l.leg.dev.WriteAt(append(h.AppendTo(nil), partial...), l.off+l.next)
	}
	if err = errors.Join(err, l.leg.dev.Sync()); err != nil {
		l.leg.failed.Store(true)
	}
	l.next += length
	return err
}

// entries makes the header for a write, and its partial parity. It has one entry for
// each band of the row in which the same data chunks are written.
func (w *pplWriter) entries(x writing) (*md.PPLHeader, []byte) {
	h := w.header()
	if w.unsound {
		// The kernel takes an array for resynced if it finds no damage in the logs.
		// This entry without partial parity has a wrong checksum to prevent that.
		h.Entries[0] = md.PPLEntry{DataSize: md.SectorSize, ParityDisk: uint32(x.row.stripe.P), Checksum: math.MaxUint32}
		h.EntriesCount = 1
	}
	var partial []byte
	for _, b := range x.row.bands(x.pieces) {
		e := &h.Entries[h.EntriesCount]
		h.EntriesCount++
		size := b.to - b.from
		at := x.row.arrayOffset(b.pieces[0].index) + b.from
		e.DataSector, e.DataSize = uint64(at/md.SectorSize), uint32(size*int64(len(b.pieces)))
		e.ParityDisk = uint32(x.row.stripe.P)
		if len(b.pieces) < w.a.geometry.DataSlots() {
			pp := x.row.partial(b)
			e.PPSize, e.Checksum = uint32(size), md.CRC32C(pp)
			partial = append(partial, pp...)
		}
	}
	return h, partial
}

// band is a range of bytes of a row's chunks in which exactly the chunks of pieces
// are written.
type band struct {
	from, to int64
	pieces   []piece
}

// bands splits the pieces of a row, which must have no gaps between them, into at
// most three bands.
func (r *rowWork) bands(pieces []piece) (list []band) {
	first, last := pieces[0], pieces[len(pieces)-1]
	low, high := min(first.from, last.to), max(first.from, last.to)
	for _, s := range []span{{r.from, low}, {low, high}, {high, r.to}} {
		b := band{from: max(s.from, r.from), to: min(s.to, r.to)}
		if b.from >= b.to {
			continue
		}
		for _, pc := range pieces {
			if pc.from <= b.from && b.to <= pc.to {
				b.pieces = append(b.pieces, pc)
			}
		}
		if len(b.pieces) > 0 {
			list = append(list, b)
		}
	}
	return list
}

// partial is the xor of the data that is not written in a band.
func (r *rowWork) partial(b band) []byte {
	blocks := [][]byte{r.blocks[r.stripe.Index[r.stripe.P]][b.from-r.from : b.to-r.from]}
	for _, pc := range b.pieces {
		blocks = append(blocks, r.data(pc.index)[b.from-r.from:b.to-r.from])
	}
	pp := make([]byte, b.to-b.from)
	raid.GenP(pp, blocks)
	return pp
}

// stop has nothing to do: the newest writes are durable, so recovering them changes
// nothing.
func (w *pplWriter) stop() error { return nil }
