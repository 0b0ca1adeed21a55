package array

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// journalRestart is how far sequence numbers jump when a new journal begins behind
// the end of the old one, so that no old block there counts as the next one
// (raid5-cache.c, r5l_recovery_log).
const journalRestart = 10000

// journalWriter keeps a write journal in write-through mode (raid5-cache.c):
// data and parity of a write are durable in the journal before they reach the
// members. After a power failure, a write is there either in full or not at all.
type journalWriter struct {
	*journalDevice
	a     *parityArray
	super *superWriter
	found *journalRecovery

	mu      sync.Mutex
	idle    sync.Cond // active is 0; L is &mu, set by newJournalWriter
	head    uint64    // where the next block goes
	seq     uint64    // number of the next block
	last    uint64    // where the block before it is
	used    uint64    // sectors from the tail to the head
	active  int       // writes that are in the journal and not done yet
	touched map[*leg]bool
}

// errJournalBroken is why writes are refused if the journal cannot be written: the
// kernel makes the array read-only then.
var errJournalBroken = errors.New("the journal device refused a write")

func newJournalWriter(a *parityArray, j *journalDevice, found *journalRecovery) *journalWriter {
	w := &journalWriter{journalDevice: j, a: a, found: found, touched: make(map[*leg]bool)}
	w.idle.L = &w.mu
	a.unit = patchSize
	// In the smallest journal too, a write of one window must leave room for the
	// next. Each page of a window takes a page for every member in the journal.
	perPage := uint64(len(a.slots)+1) * md.JournalBlockSectors
	a.window = min(logWindow, max(1, int64(j.size/4/perPage))*patchSize)
	return w
}

// start puts the recovered data in place and begins a new log behind the old one.
func (w *journalWriter) start() error {
	if err := w.putInPlace(); err != nil {
		return err
	}
	pos, seq := uint64(0), uint64(rand.Uint32())
	if w.found.valid {
		pos, seq = w.found.pos, w.found.seq+journalRestart
	}
	empty := &md.JournalBlock{Magic: md.JournalMagic, Version: md.JournalVersion, MetaSize: md.JournalHeaderSize, Seq: seq, Position: pos}
	if err := w.store(pos, empty.AppendTo(nil, w.uuid)); err != nil {
		return err
	}
	w.last, w.head, w.seq, w.used = pos, w.add(pos, md.JournalBlockSectors), seq+1, md.JournalBlockSectors
	w.super.tail(w.leg, pos)
	return nil
}

// putInPlace writes the content of the journal to the members, durably.
func (w *journalWriter) putInPlace() error {
	for l := range w.super.legs {
		d, ok := l.dev.(*patched)
		if !ok || l.failed.Load() {
			continue
		}
		if err := errors.Join(d.commit(), d.Sync()); err != nil {
			return err
		}
	}
	return nil
}

// store writes to the ring at pos, durably.
func (w *journalWriter) store(pos uint64, p []byte) error {
	if w.leg.failed.Load() {
		return errJournalBroken
	}
	first := min(int64(len(p)), int64(w.size-pos)*md.SectorSize)
	_, err := w.leg.dev.WriteAt(p[:first], w.offset(pos))
	if err == nil && first < int64(len(p)) {
		_, err = w.leg.dev.WriteAt(p[first:], w.offset(0))
	}
	if err == nil {
		err = w.leg.dev.Sync()
	}
	if err != nil {
		w.leg.failed.Store(true)
		return fmt.Errorf("%w: %w", errJournalBroken, err)
	}
	return nil
}

// begin logs a write.
func (w *journalWriter) begin(x writing) (end func(error), err error) {
	blocks, err := w.stripes(x)
	if err != nil {
		return nil, err
	}
	need := uint64(0)
	for _, b := range blocks {
		need += md.JournalBlockSectors + uint64(len(b.data)/md.SectorSize)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.makeRoom(need); err != nil {
		return nil, err
	}
	if err := w.append(blocks, need); err != nil {
		return nil, err
	}
	w.active++
	for _, l := range x.row.legs(x.pieces, nil) {
		w.touched[l] = true
	}
	return w.end, nil
}

func (w *journalWriter) end(error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active--; w.active == 0 {
		w.idle.Broadcast()
	}
}

// logBlock is a block to be written: its payloads, and the pages behind it.
type logBlock struct {
	payloads []md.JournalPayload
	size     int // bytes of the payloads' entries
	data     []byte
}

// stripes makes the blocks for a write. Data and parity of a stripe, which is a page
// of each chunk, are in the same block, so that they count together or not at all
// (r5l_log_stripe).
func (w *journalWriter) stripes(x writing) (blocks []logBlock, err error) {
	var b logBlock
	r := x.row
	for at := r.from; at < r.to; at += patchSize {
		payloads, data := w.stripe(x, at)
		size := 0
		for _, p := range payloads {
			size += 16 + 4*len(p.Checksums)
		}
		if size == 0 {
			continue
		}
		if size > md.JournalBlockSize-md.JournalHeaderSize {
			return nil, fmt.Errorf("%w: a journal of an array with %d members", ErrUnsupported, len(w.a.slots))
		}
		if b.size+size > md.JournalBlockSize-md.JournalHeaderSize {
			blocks, b = append(blocks, b), logBlock{}
		}
		b.payloads, b.data, b.size = append(b.payloads, payloads...), append(b.data, data...), b.size+size
	}
	return append(blocks, b), nil
}

// stripe returns the payloads and data to log for the pages at one offset of the
// chunks.
func (w *journalWriter) stripe(x writing, at int64) (payloads []md.JournalPayload, data []byte) {
	r := x.row
	add := func(p *md.JournalPayload, page []byte) {
		p.Size += md.JournalBlockSectors
		p.Checksums = append(p.Checksums, md.JournalSum(page, w.uuid))
		data = append(data, page...)
	}
	for _, pc := range x.pieces {
		if at < pc.from || at >= pc.to {
			continue
		}
		p := md.JournalPayload{Type: md.PayloadData, Location: uint64(r.arrayOffset(pc.index)+at) / md.SectorSize}
		add(&p, pc.p[at-pc.from:][:patchSize])
		payloads = append(payloads, p)
	}
	if payloads == nil {
		return nil, nil
	}
	p := md.JournalPayload{Type: md.PayloadParity, Location: uint64(r.base+at) / md.SectorSize}
	for _, slot := range []int{r.stripe.P, r.stripe.Q} {
		if slot >= 0 {
			add(&p, r.blocks[r.stripe.Index[slot]][at-r.from:][:patchSize])
		}
	}
	return append(payloads, p), data
}

// append writes blocks at the head; they take need sectors in all.
func (w *journalWriter) append(blocks []logBlock, need uint64) error {
	var out []byte
	pos, seq, last := w.head, w.seq, w.last
	for _, b := range blocks {
		meta := &md.JournalBlock{Magic: md.JournalMagic, Version: md.JournalVersion, Seq: seq, Position: pos}
		if err := meta.SetPayloads(b.payloads); err != nil {
			return err
		}
		out = append(meta.AppendTo(out, w.uuid), b.data...)
		last, seq = pos, seq+1
		pos = w.add(pos, md.JournalBlockSectors+uint64(len(b.data)/md.SectorSize))
	}
	if err := w.store(w.head, out); err != nil {
		return err
	}
	w.head, w.seq, w.last, w.used = pos, seq, last, w.used+need
	return nil
}

// makeRoom moves the tail to the last block if the log gets long, after making
// everything before it durable on the members.
func (w *journalWriter) makeRoom(need uint64) error {
	if need > w.size/2 {
		return fmt.Errorf("%w: a journal of %d sectors cannot take a write of %d", ErrUnsupported, w.size, need)
	}
	if w.used+need <= w.size/2 {
		return nil
	}
	for w.active > 0 {
		w.idle.Wait()
	}
	if w.used+need <= w.size/2 {
		return nil // another write did it
	}
	w.checkpoint()
	if err := w.super.writeTail(w.leg, w.last); err != nil {
		return fmt.Errorf("%w: %w", errJournalBroken, err)
	}
	return nil
}

// checkpoint makes all writes durable on the members. From then on the log begins at
// its last block, because the kernel has to find a block at the tail.
func (w *journalWriter) checkpoint() {
	for l := range w.touched {
		if l.failed.Load() {
			continue
		}
		if err := l.dev.Sync(); err != nil {
			l.failed.Store(true)
		}
	}
	clear(w.touched)
	w.used = (w.head + w.size - w.last) % w.size
}

// stop moves the tail to the last block; all writes are durable.
func (w *journalWriter) stop() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checkpoint()
	w.super.tail(w.leg, w.last)
	return nil
}

var (
	_ writeLog     = (*journalWriter)(nil)
	_ writeLog     = (*pplWriter)(nil)
	_ block.Device = (*patched)(nil)
)
