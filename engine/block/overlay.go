package block

import (
	"fmt"
	"iter"
	"sync"
)

// maxExtent is the largest number of bytes one Extent carries, so that walking
// a large difference needs little memory.
const maxExtent = 1 << 20

// Extent is a run of bytes at an offset.
type Extent struct {
	Off  int64  // bytes from the start of the device
	Data []byte // at least one byte
}

// Overlay is a device that takes writes without passing them on: reads see
// them, the base underneath does not. Exactly the bytes that were written are
// its difference, which can be walked, applied to a device, or dropped. Offline
// changes are made on overlays first, and the difference is the plan.
type Overlay struct {
	base Device

	mu    sync.RWMutex
	pages dirtyMap
}

// NewOverlay makes an overlay on base with an empty difference. The base should
// not change while the overlay is in use.
func NewOverlay(base Device) *Overlay {
	return &Overlay{base: base, pages: make(dirtyMap)}
}

// Name returns the name of the base.
func (o *Overlay) Name() string { return Name(o.base) }

// Size returns the size of the base in bytes.
func (o *Overlay) Size() int64 { return o.base.Size() }

// Sync does nothing: an overlay lives in RAM.
func (o *Overlay) Sync() error { return nil }

// ReadAt implements io.ReaderAt; see Device. The base is read only where the
// overlay has nothing.
func (o *Overlay) ReadAt(p []byte, off int64) (int, error) {
	n, eof := ReadSpan(o.Name(), o.Size(), off, len(p))
	o.mu.RLock()
	defer o.mu.RUnlock()
	for run, page := range o.pages.pieces(off, int64(n)) {
		part := p[run.off-off:][:run.len]
		if page != nil {
			copy(part, page.data[run.off%dirtyPage:])
		} else if err := ReadFull(o.base, part, run.off); err != nil {
			return int(run.off - off), err
		}
	}
	return n, eof
}

// WriteAt implements io.WriterAt; see Device. The base is not written.
func (o *Overlay) WriteAt(p []byte, off int64) (int, error) {
	if err := CheckRange("write", o.Name(), o.Size(), off, int64(len(p))); err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pages.write(p, off)
	return len(p), nil
}

// Discard makes a range read as zeroes, as if zeroes had been written.
func (o *Overlay) Discard(off, length int64) error {
	if err := CheckRange("discard", o.Name(), o.Size(), off, length); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pages.zero(off, length)
	return nil
}

// Extents yields the difference in ascending order of offset: every byte that
// was written, whether or not it differs from what the base holds, and no
// other. Runs are as long as possible; those longer than 1 MiB are cut. The
// overlay must not be written during the walk; Data belongs to the caller.
func (o *Overlay) Extents() iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		o.mu.RLock()
		defer o.mu.RUnlock()
		var pending Extent
		for _, number := range o.pages.sorted() {
			page := o.pages[number]
			for from, to := range page.runs(0, dirtyPage) {
				off := number*dirtyPage + int64(from)
				joins := off == pending.Off+int64(len(pending.Data)) && len(pending.Data)+to-from <= maxExtent
				if !joins {
					if len(pending.Data) > 0 && !yield(pending) {
						return
					}
					pending = Extent{Off: off}
				}
				pending.Data = append(pending.Data, page.data[from:to]...)
			}
		}
		if len(pending.Data) > 0 {
			yield(pending)
		}
	}
}

// Apply writes the difference to dst, in ascending order of offset, and syncs
// it. It stops at the first error, which says how far it got. The difference
// stays in the overlay until Reset.
func (o *Overlay) Apply(dst Device) error {
	for e := range o.Extents() {
		if _, err := dst.WriteAt(e.Data, e.Off); err != nil {
			return fmt.Errorf("apply changes to %s: stopped at offset %d: %w", Name(dst), e.Off, err)
		}
	}
	if err := dst.Sync(); err != nil {
		return fmt.Errorf("apply changes to %s: %w", Name(dst), err)
	}
	return nil
}

// Reset drops the difference, so that the overlay reads as its base again.
func (o *Overlay) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pages = make(dirtyMap)
}
