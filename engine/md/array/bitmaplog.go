package array

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/md"
)

// maxBitmapBytes bounds the size of a bitmap, which is held in memory. The kernel's
// largest is far smaller.
const maxBitmapBytes = 64 << 20

// bitmapLog keeps the write-intent bitmap while the array is written to, on
// every member that has one (md-bitmap.c, md_bitmap_startwrite,
// md_bitmap_endwrite and bitmap_daemon_work):
//
//   - A chunk's bit is set on every member before data goes to any.
//   - It is cleared once all data written there is durable, that is at the next
//     Sync or on Close. If a member lacks the data, the bit stays set, to say
//     what the member lacks when it comes back.
//   - events_cleared follows the event count before a bit is cleared.
//   - Bits that were found set in an array that was not clean stay set until a
//     resync.
type bitmapLog struct {
	slots   []slot
	homes   map[*leg]*md.Bitmap // the bitmap of each member
	first   *md.Bitmap          // the superblock that the others must match
	chunk   int64               // bytes for each bit
	mu      sync.Mutex
	events  uint64
	bits    []byte            // as on the members
	old     []byte            // bits for which a resync is due
	writers map[uint64]int    // running writes, by chunk
	idle    map[uint64]uint64 // stamp of the last write, by chunk
	stamp   uint64            // how many writes have ended
}

// openBitmap reads the bitmaps of all members. It returns nil if there is none, or
// none that is up to date: everything is resynced after a power failure then.
func (a *Array) openBitmap(f *md.Member) (writeLog, error) {
	log := &bitmapLog{
		slots: a.slots, homes: make(map[*leg]*md.Bitmap), events: f.Events(),
		writers: make(map[uint64]int), idle: make(map[uint64]uint64),
	}
	var all []*leg
	for _, s := range a.slots {
		for _, l := range s {
			b, err := l.member.ReadBitmap(l.dev)
			if err != nil {
				return nil, err
			}
			if b == nil || b.Version >= md.BitmapClustered {
				continue
			}
			if err := cover(l, b); err != nil {
				return nil, err
			}
			log.homes[l], all = b, append(all, l)
			if log.first == nil && b.Events >= f.Events() && b.State&md.BitmapStale == 0 {
				log.first = b
			}
		}
	}
	if log.first == nil || log.first.Chunks() == 0 {
		return nil, nil
	}
	if n := log.first.Len(); n > maxBitmapBytes {
		return nil, fmt.Errorf("%w: a bitmap of %d bytes", ErrUnsupported, n)
	}
	log.chunk = int64(log.first.ChunkSectors()) * md.SectorSize
	for _, l := range all {
		if err := log.merge(l); err != nil {
			return nil, err
		}
	}
	log.old = make([]byte, len(log.bits))
	if f.Clean() {
		log.rest(log.bits) // these mean nothing, unless a member is missing
	} else {
		copy(log.old, log.bits)
	}
	return log, nil
}

// cover makes a bitmap cover everything that is to be synced, whatever the size in
// its header: the kernel uses the array's (md-bitmap.c, md_bitmap_read_sb). It
// fails if there is no space for that many bits.
func cover(l *leg, b *md.Bitmap) error {
	want := l.member.SyncSize()
	if b.SyncSize == want {
		return nil
	}
	wrong := md.BitmapLayout().Errorf(binfmt.ErrCorrupt, b, "sync_size", "%d sectors", want)
	b.SyncSize = want
	if md.BadReservation(l.member, b) != "" {
		return binfmt.At(wrong, l.member.Name, b.Offset)
	}
	return nil
}

// rest lets bits that are set be cleared like those of writes that have ended.
func (b *bitmapLog) rest(bits []byte) {
	for c := range b.first.Chunks() {
		if at, bit := b.where(c); bits[at]&bit != 0 && b.writers[c] == 0 {
			b.idle[c] = b.stamp
		}
	}
}

// merge adds the bits of a member if its bitmap has the same geometry as the first
// and is up to date. A bitmap of another geometry is not kept.
func (b *bitmapLog) merge(l *leg) error {
	home := b.homes[l]
	if home.Chunks() != b.first.Chunks() || home.ChunkSize != b.first.ChunkSize {
		delete(b.homes, l)
		return nil
	}
	if err := home.Within(l.dev, home.Offset, home.Len()); err != nil {
		return err
	}
	p := make([]byte, b.size())
	if err := home.ReadBits(l.dev, p, home.Offset+home.DataOffset()); err != nil {
		return err
	}
	if b.bits == nil {
		b.bits = make([]byte, len(p))
	}
	if home.Events < b.events || home.State&md.BitmapStale != 0 {
		return nil
	}
	for i := range p {
		b.bits[i] |= p[i]
	}
	return nil
}

// size is how many bytes the bits take, in whole words if they are in words.
func (b *bitmapLog) size() int64 {
	n := int64(b.first.Len()) - b.first.DataOffset()
	if b.first.BigEndianWords() {
		n = (n + 7) &^ 7
	}
	return n
}

// where returns which byte has a chunk's bit, and the bit in it.
func (b *bitmapLog) where(chunk uint64) (at int64, bit byte) {
	at = int64(chunk / 8)
	if b.first.BigEndianWords() {
		at ^= 7
	}
	return at, 1 << (chunk % 8)
}

// start makes the bitmaps of all members the same.
func (b *bitmapLog) start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.each(func(l *leg, home *md.Bitmap) error {
		p := make([]byte, len(b.bits))
		at := home.Offset + home.DataOffset()
		if err := home.ReadBits(l.dev, p, at); err != nil {
			return err
		}
		if !bytes.Equal(p, b.bits) {
			if _, err := l.dev.WriteAt(b.bits, at); err != nil {
				return err
			}
			if err := l.dev.Sync(); err != nil {
				return err
			}
		}
		home.Events, home.EventsCleared, home.State = max(home.Events, b.events), b.first.EventsCleared, b.first.State
		return b.writeSuper(l, home)
	})
}

// each calls do for every member that has the bitmap and is not out. A member for
// which it fails is out; each succeeds if one member does.
func (b *bitmapLog) each(do func(l *leg, home *md.Bitmap) error) error {
	var errs []error
	alive := false
	for _, s := range b.slots {
		for _, l := range s {
			home := b.homes[l]
			if home == nil || l.failed.Load() {
				continue
			}
			if err := do(l, home); err != nil {
				l.failed.Store(true)
				errs = append(errs, err)
				continue
			}
			alive = true
		}
	}
	if !alive {
		return errors.Join(append(errs, errNoSuperblock)...)
	}
	return nil
}

func (b *bitmapLog) writeSuper(l *leg, home *md.Bitmap) error {
	if _, err := l.dev.WriteAt(home.AppendTo(nil), home.Offset); err != nil {
		return err
	}
	return l.dev.Sync()
}

// record writes a new event count, before the superblocks get it: the bitmaps must
// never be behind, or they count as out of date.
func (b *bitmapLog) record(events uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = events
	return b.each(func(l *leg, home *md.Bitmap) error {
		home.Events = events
		return b.writeSuper(l, home)
	})
}

// chunks returns the first and the last of the chunks that [from, to) touches.
func (b *bitmapLog) chunks(from, to int64) (first, last uint64) {
	most := b.first.Chunks() - 1
	return min(uint64(from/b.chunk), most), min(uint64((to-1)/b.chunk), most)
}

// begin sets the bits of the chunks that are about to be written.
func (b *bitmapLog) begin(w writing) (end func(err error), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first, last := b.chunks(w.from, w.to)
	from, to := int64(math.MaxInt64), int64(0)
	for c := first; c <= last; c++ {
		at, bit := b.where(c)
		if b.bits[at]&bit == 0 {
			b.bits[at] |= bit
			from, to = min(from, at), max(to, at+1)
		}
	}
	if err := b.put(from, to, true); err != nil {
		return nil, err
	}
	for c := first; c <= last; c++ {
		b.writers[c]++
		delete(b.idle, c)
	}
	return func(err error) { b.end(first, last, err) }, nil
}

// end notes which chunks are no longer being written. Chunks of a write that failed
// keep their bits, because the members may differ there.
func (b *bitmapLog) end(first, last uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stamp++
	for c := first; c <= last; c++ {
		if err != nil {
			at, bit := b.where(c)
			b.old[at] |= bit
		}
		if b.writers[c]--; b.writers[c] == 0 {
			delete(b.writers, c)
			b.idle[c] = b.stamp
		}
	}
}

// whole reports whether every slot has a member that holds everything that was
// written. A member with any bad blocks does not count.
func (b *bitmapLog) whole() bool {
	for _, s := range b.slots {
		if !slices.ContainsFunc(s, func(l *leg) bool {
			return !l.failed.Load() && l.insync == math.MaxInt64 && len(l.bad) == 0
		}) {
			return false
		}
	}
	return true
}

// put writes the bytes [from, to) of the bits to every member.
func (b *bitmapLog) put(from, to int64, durable bool) error {
	if from >= to {
		return nil
	}
	return b.each(func(l *leg, home *md.Bitmap) error {
		if _, err := l.dev.WriteAt(b.bits[from:to], home.Offset+home.DataOffset()+from); err != nil || !durable {
			return err
		}
		return l.dev.Sync()
	})
}

// now returns the stamp of the last write that has ended.
func (b *bitmapLog) now() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stamp
}

// settle clears the bits of writes that had ended by a stamp; all data written until
// then is durable. It clears none while a member lacks data.
func (b *bitmapLog) settle(stamp uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.whole() {
		return nil
	}
	from, to := int64(math.MaxInt64), int64(0)
	for c, at := range b.idle {
		if at > stamp {
			continue
		}
		delete(b.idle, c)
		if at, bit := b.where(c); b.old[at]&bit == 0 {
			b.bits[at] &^= bit
			from, to = min(from, at), max(to, at+1)
		}
	}
	return b.take(from, to)
}

// take writes bytes in which bits were cleared, after events_cleared.
func (b *bitmapLog) take(from, to int64) error {
	if from >= to {
		return nil
	}
	err := b.each(func(l *leg, home *md.Bitmap) error {
		if home.EventsCleared == b.events {
			return nil
		}
		home.EventsCleared = b.events
		return b.writeSuper(l, home)
	})
	if err != nil {
		return err
	}
	return b.put(from, to, false)
}

func (b *bitmapLog) stop() error { return b.settle(b.now()) }

// synced forgets the bits that were found set: a resync has gone over their chunks
// and made the result durable.
func (b *bitmapLog) synced() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest(b.old)
	clear(b.old)
}
