package array

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// journalDevice is the ring of a journal. Positions are in sectors.
type journalDevice struct {
	leg  *leg
	uuid md.UUID
	size uint64
}

// newJournalDevice makes the ring of journal member l.
func newJournalDevice(l *leg, uuid md.UUID) (*journalDevice, error) {
	j := &journalDevice{leg: l, uuid: uuid, size: l.member.DataSize() &^ (md.JournalBlockSectors - 1)}
	if j.size < 4*md.JournalBlockSectors {
		return nil, fmt.Errorf("%s: a journal of %d sectors is too small", l.member.Name, j.size)
	}
	return j, nil
}

// add moves a position forward (raid5-cache.c, r5l_ring_add).
func (j *journalDevice) add(pos, n uint64) uint64 { return (pos + n) % j.size }

// offset is where a position is on the device, in bytes.
func (j *journalDevice) offset(pos uint64) int64 { return j.leg.start + int64(pos)*md.SectorSize }

// meta reads the block at pos.
func (j *journalDevice) meta(pos uint64) (*md.JournalBlock, error) {
	buf := make([]byte, md.JournalBlockSize)
	if err := block.ReadFull(j.leg.dev, buf, j.offset(pos)); err != nil {
		return nil, err
	}
	b, err := md.ParseJournalBlock(buf, j.uuid)
	if err == nil && b.Position != pos {
		err = errNotHere
	}
	return b, binfmt.At(err, j.leg.member.Name, j.offset(pos))
}

// errNotHere marks a block that belongs elsewhere.
var errNotHere = errors.New("the block belongs elsewhere")

// journalRecovery is the content of a journal that the members may lack, and where
// the journal ends (raid5-cache.c, r5c_recovery_flush_log).
//
// A stripe is a page of each member. If the journal has a stripe's parity too, data
// and parity are put in place; otherwise the data was acknowledged early
// (write-back), and parity is computed.
type journalRecovery struct {
	*journalDevice
	a       *parityArray
	valid   bool // there is a block at the tail
	pos     uint64
	seq     uint64
	stripes map[int64]*journalStripe // by number of the page on the members
	order   []int64                  // stripes in the order of the journal; may repeat
	full    int                      // stripes with parity
	partial int                      // stripes with data only
}

// journalStripe is what the journal has of a stripe.
type journalStripe struct {
	pages map[int]uint64 // where each page is in the journal, by slot
	data  int            // how many of them are data
	// caching says that the data came after the parity, or that there is no parity.
	caching bool
	parity  bool
}

// recoverJournal follows the journal from its tail and patches the members
// with what it holds.
func recoverJournal(a *parityArray, j *journalDevice) (*journalRecovery, error) {
	r := &journalRecovery{journalDevice: j, a: a, stripes: make(map[int64]*journalStripe)}
	tail := j.leg.member.Super1.JournalTail()
	if tail >= j.size || tail%md.JournalBlockSectors != 0 {
		tail = 0
	}
	first, err := j.meta(tail)
	switch {
	case errors.Is(err, errNotHere), errors.Is(err, binfmt.ErrMagic),
		errors.Is(err, binfmt.ErrUnsupported), errors.Is(err, binfmt.ErrChecksum):
		return r, nil // a journal that was never used
	case first == nil:
		return nil, err
	}
	r.valid, r.pos, r.seq = true, tail, first.Seq
	if err := r.follow(); err != nil {
		return nil, fmt.Errorf("%s: %w", j.leg.member.Name, err)
	}
	return r, r.finish()
}

// follow reads block after block up to the first that is not the next in sequence.
func (r *journalRecovery) follow() error {
	for {
		b, err := r.meta(r.pos)
		if errors.As(err, new(*block.Error)) {
			return err
		}
		if err != nil || b.Seq != r.seq {
			return nil
		}
		n := uint64(md.JournalBlockSectors)
		if payloads, ok := r.sound(b); ok {
			length, err := r.take(payloads)
			if err != nil {
				return err
			}
			n += length
		}
		// The payload of an incomplete block is not skipped: like the kernel, this
		// looks for the next block right behind it, and so mostly ends here.
		r.seq++
		r.pos = r.add(r.pos, n)
	}
}

// placed is a payload and the place of its first page in the journal.
type placed struct {
	md.JournalPayload
	pos uint64
}

// sound reads the payloads of a block. Unless all of them match their checksums,
// none counts (r5l_recovery_verify_data_checksum_for_mb).
func (r *journalRecovery) sound(b *md.JournalBlock) (list []placed, ok bool) {
	pos := r.add(b.Position, md.JournalBlockSectors)
	for p, err := range b.Payloads() {
		if err != nil {
			return nil, false
		}
		if p.Type != md.PayloadFlush {
			pages := 1
			if p.Type == md.PayloadParity {
				pages = r.a.parities
			}
			if !r.matches(p.Checksums, pages, pos) {
				return nil, false
			}
		}
		list = append(list, placed{p, pos})
		pos = r.add(pos, uint64(p.Size))
	}
	return list, true
}

// matches compares pages of the journal with their checksums.
func (r *journalRecovery) matches(sums []uint32, pages int, pos uint64) bool {
	if len(sums) < pages {
		return false
	}
	buf := make([]byte, md.JournalBlockSize)
	for i := range pages {
		at := r.add(pos, uint64(i)*md.JournalBlockSectors)
		if block.ReadFull(r.leg.dev, buf, r.offset(at)) != nil || md.JournalSum(buf, r.uuid) != sums[i] {
			return false
		}
	}
	return true
}

// take adds the payloads of a block to the stripes, and returns how many sectors of
// the journal they take (r5c_recovery_analyze_meta_block).
func (r *journalRecovery) take(list []placed) (n uint64, err error) {
	for _, p := range list {
		switch p.Type {
		case md.PayloadFlush:
			for _, sector := range p.Stripes {
				delete(r.stripes, int64(sector/md.JournalBlockSectors))
			}
		case md.PayloadData:
			err = r.takeData(p)
			n += md.JournalBlockSectors
		case md.PayloadParity:
			err = r.takeParity(p)
			n += uint64(r.a.parities) * md.JournalBlockSectors
		}
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (r *journalRecovery) takeData(p placed) error {
	if p.Location%md.JournalBlockSectors != 0 || p.Location >= uint64(r.a.geometry.Size())/md.SectorSize {
		return r.foreign(p)
	}
	place := r.a.geometry.Map(int64(p.Location) * md.SectorSize)
	page := place.Off / patchSize
	s := r.stripe(page)
	if !s.caching && s.parity {
		// The data that was there before has its parity, so it is complete.
		r.replay(page, s)
		delete(r.stripes, page)
		s = r.stripe(page)
	}
	if _, again := s.pages[place.Slot]; !again {
		s.data++
	}
	s.pages[place.Slot] = p.pos
	s.caching = true
	return nil
}

func (r *journalRecovery) takeParity(p placed) error {
	rows := uint64(r.a.geometry.Rows() * r.a.geometry.Chunk())
	if p.Location%md.JournalBlockSectors != 0 || p.Location >= rows/md.SectorSize {
		return r.foreign(p)
	}
	page := int64(p.Location / md.JournalBlockSectors)
	s := r.stripe(page)
	stripe := r.a.geometry.Stripe(page * patchSize / r.a.geometry.Chunk())
	s.pages[stripe.P] = p.pos
	if stripe.Q >= 0 {
		s.pages[stripe.Q] = r.add(p.pos, md.JournalBlockSectors)
	}
	s.parity, s.caching = true, false
	return nil
}

func (r *journalRecovery) foreign(p placed) error {
	return fmt.Errorf("%w: the journal has %v of sector %d, which this array does not have", binfmt.ErrCorrupt, p.Type, p.Location)
}

// stripe returns the stripe at a page, and adds it if it is new.
func (r *journalRecovery) stripe(page int64) *journalStripe {
	s := r.stripes[page]
	if s == nil {
		s = &journalStripe{pages: make(map[int]uint64)}
		r.stripes[page] = s
		r.order = append(r.order, page)
	}
	return s
}

// replay patches the members with a stripe that has its parity. A stripe with
// nothing but parity was in place before, and is skipped.
func (r *journalRecovery) replay(page int64, s *journalStripe) {
	if s.data == 0 {
		return
	}
	r.full++
	for slot, pos := range s.pages {
		r.patch(slot, page, patch{log: r.leg.dev, off: r.offset(pos)})
	}
}

// patch puts a page on every leg of a slot.
func (r *journalRecovery) patch(slot int, page int64, p patch) {
	for _, l := range r.a.slots[slot] {
		patchedLeg(l).set(page, p)
	}
}

// finish replays the stripes that are complete, and then completes the others.
func (r *journalRecovery) finish() error {
	var rest []int64
	for _, page := range r.order {
		s := r.stripes[page]
		switch {
		case s == nil:
		case s.caching:
			rest = append(rest, page)
		default:
			r.replay(page, s)
			delete(r.stripes, page)
		}
	}
	for _, page := range rest {
		s := r.stripes[page]
		if s == nil {
			continue
		}
		if err := r.complete(page, s); err != nil {
			return err
		}
		r.partial++
		delete(r.stripes, page)
	}
	r.stripes, r.order = nil, nil
	return nil
}

// complete computes the parity of a stripe for which the journal has only data, and
// patches the members with both.
func (r *journalRecovery) complete(page int64, s *journalStripe) error {
	g := r.a.geometry
	row := page * patchSize / g.Chunk()
	from := page * patchSize % g.Chunk()
	stripe := g.Stripe(row)
	var pieces []piece
	for index, slot := range stripe.Data {
		pos, ok := s.pages[slot]
		if !ok {
			continue
		}
		p := make([]byte, patchSize)
		if err := block.ReadFull(r.leg.dev, p, r.offset(pos)); err != nil {
			return err
		}
		pieces = append(pieces, piece{index, from, from + patchSize, p})
	}
	w := r.a.newRow(row, pieces)
	defer w.release()
	if err := w.renew(pieces); err != nil {
		return err
	}
	for slot, pos := range s.pages { // now that the old content is no longer needed
		r.patch(slot, page, patch{log: r.leg.dev, off: r.offset(pos)})
	}
	for _, slot := range []int{stripe.P, stripe.Q} {
		if slot >= 0 {
			r.patch(slot, page, patch{data: slices.Clone(w.blocks[stripe.Index[slot]])})
		}
	}
	return nil
}
