package block

import (
	"iter"
	"maps"
	"math/bits"
	"slices"
)

// dirtyPage is the unit in which an Overlay keeps changed bytes.
const dirtyPage = 4 << 10

// dirty is one page of changed bytes, with a bit for each byte that says
// whether it was changed. Tracking single bytes keeps a difference exact:
// writing a 256-byte superblock changes 256 bytes, not a page.
type dirty struct {
	data   [dirtyPage]byte
	set    [dirtyPage / 64]uint64
	shared bool // all zero and used in many places: copy before writing
}

// write stores p at byte offset at of the page.
func (d *dirty) write(p []byte, at int) {
	n := copy(d.data[at:], p)
	d.mark(at, at+n)
}

// mark sets the bits of bytes [from, to).
func (d *dirty) mark(from, to int) {
	for from < to {
		word, bit := from/64, from%64
		n := min(64-bit, to-from)
		d.set[word] |= (^uint64(0) >> (64 - n)) << bit
		from += n
	}
}

// next returns the first byte in [from, to) whose bit equals want, or to if
// there is none.
func (d *dirty) next(from, to int, want bool) int {
	for from < to {
		w := d.set[from/64]
		if !want {
			w = ^w
		}
		if w >>= from % 64; w != 0 {
			return min(from+bits.TrailingZeros64(w), to)
		}
		from = (from/64 + 1) * 64
	}
	return to
}

// runs yields the maximal ranges [from, to) of changed bytes inside [lo, hi).
func (d *dirty) runs(lo, hi int) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for from := d.next(lo, hi, true); from < hi; {
			to := d.next(from, hi, false)
			if !yield(from, to) {
				return
			}
			from = d.next(to, hi, true)
		}
	}
}

// dirtyMap holds changed pages by offset / dirtyPage.
type dirtyMap map[int64]*dirty

// write stores p at off.
func (m dirtyMap) write(p []byte, off int64) {
	for len(p) > 0 {
		at := int(off % dirtyPage)
		n := min(len(p), dirtyPage-at)
		m.page(off).write(p[:n], at)
		p, off = p[n:], off+int64(n)
	}
}

// zero stores length zero bytes at off. Pages that become entirely zero share
// one, so discarding a large range costs little.
func (m dirtyMap) zero(off, length int64) {
	whole := &dirty{shared: true}
	whole.mark(0, dirtyPage)
	for length > 0 {
		at := off % dirtyPage
		n := min(length, dirtyPage-at)
		if n == dirtyPage {
			m[off/dirtyPage] = whole
		} else {
			page := m.page(off)
			clear(page.data[at : at+n])
			page.mark(int(at), int(at+n))
		}
		off, length = off+n, length-n
	}
}

// page returns the page of off, ready to be written.
func (m dirtyMap) page(off int64) *dirty {
	page := m[off/dirtyPage]
	switch {
	case page == nil:
		page = new(dirty)
	case page.shared:
		page = &dirty{set: page.set}
	default:
		return page
	}
	m[off/dirtyPage] = page
	return page
}

// pieces cuts [off, off+length) into maximal pieces that are entirely changed
// (the page, and the byte in it to start from) or entirely unchanged (a nil
// page; these may span many pages), and yields them in order.
func (m dirtyMap) pieces(off, length int64) iter.Seq2[piece, *dirty] {
	return func(yield func(piece, *dirty) bool) {
		clean := piece{off: off}
		for end := off + length; off < end; {
			at := int(off % dirtyPage)
			hi := int(min(end-off+int64(at), dirtyPage))
			page := m[off/dirtyPage]
			base := off - int64(at)
			off = base + int64(hi)
			if page == nil {
				clean.len = off - clean.off
				continue
			}
			for from, to := range page.runs(at, hi) {
				clean.len = base + int64(from) - clean.off
				if clean.len > 0 && !yield(clean, nil) {
					return
				}
				if !yield(piece{base + int64(from), int64(to - from)}, page) {
					return
				}
				clean = piece{off: base + int64(to)}
			}
			clean.len = off - clean.off
		}
		if clean.len > 0 {
			yield(clean, nil)
		}
	}
}

// piece is a range of bytes.
type piece struct{ off, len int64 }

// sorted returns the page numbers in ascending order.
func (m dirtyMap) sorted() []int64 { return slices.Sorted(maps.Keys(m)) }
