package array

import (
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/mdkit/mdkit/engine/block"
)

// patchSize is the unit in which logs replace data, in bytes: the kernel's stripe
// unit.
const patchSize = 4096

// patched is a member's device as it will be when the content of a log is in place.
// The device itself stays as it is until a write or commit.
type patched struct {
	block.Device
	start int64 // where page 0 begins, in bytes

	mu    sync.RWMutex
	pages map[int64]patch // by number of the page
}

// patch is where the content of a page is.
type patch struct {
	data []byte       // patchSize bytes; nil if they are still in the log
	log  block.Device // holds the bytes
	off  int64        // where they are in the log
}

func (p patch) read(b []byte, within int64) error {
	if p.data != nil {
		copy(b, p.data[within:])
		return nil
	}
	return block.ReadFull(p.log, b, p.off+within)
}

// patchedLeg makes the device of a leg a patched one, and returns it.
func patchedLeg(l *leg) *patched {
	if d, ok := l.dev.(*patched); ok {
		return d
	}
	d := &patched{Device: l.dev, start: l.start, pages: make(map[int64]patch)}
	l.dev = d
	return d
}

// Name returns the name of the member's device.
func (d *patched) Name() string { return block.Name(d.Device) }

// ReadAt implements io.ReaderAt; see block.Device.
func (d *patched) ReadAt(p []byte, off int64) (int, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, err := d.Device.ReadAt(p, off)
	for number, part := range d.touched(p[:n], off) {
		if e := d.pages[number].read(part.bytes, part.within); e != nil {
			return 0, e
		}
	}
	return n, err
}

// pagePart is the part of a request that is in one page, and its place there.
type pagePart struct {
	bytes  []byte
	within int64
}

// touched yields the patched pages that p at off touches.
func (d *patched) touched(p []byte, off int64) iter.Seq2[int64, pagePart] {
	return func(yield func(int64, pagePart) bool) {
		if len(d.pages) == 0 {
			return
		}
		at := max(off, d.start)
		for end := off + int64(len(p)); at < end; {
			number, within := (at-d.start)/patchSize, (at-d.start)%patchSize
			n := min(patchSize-within, end-at)
			if _, ok := d.pages[number]; ok && !yield(number, pagePart{p[at-off:][:n], within}) {
				return
			}
			at += n
		}
	}
}

// WriteAt implements io.WriterAt; see block.Device. It first puts the patched pages
// that it touches in place.
func (d *patched) WriteAt(p []byte, off int64) (int, error) {
	d.mu.RLock()
	var numbers []int64
	for number := range d.touched(p, off) {
		numbers = append(numbers, number)
	}
	d.mu.RUnlock()
	if len(numbers) > 0 {
		if err := d.place(numbers); err != nil {
			return 0, err
		}
	}
	return d.Device.WriteAt(p, off)
}

// put patches the bytes at an offset of the data, which must be in one page, with
// content that is in memory.
func (d *patched) put(p []byte, at int64) error {
	number, within := at/patchSize, at%patchSize
	page := make([]byte, patchSize)
	if len(p) < patchSize {
		if _, err := d.ReadAt(page, d.start+number*patchSize); err != nil {
			return err
		}
	}
	copy(page[within:], p)
	d.set(number, patch{data: page})
	return nil
}

// set patches a page.
func (d *patched) set(number int64, p patch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages[number] = p
}

// commit writes all patches to the device. It may be called again.
func (d *patched) commit() error {
	d.mu.RLock()
	numbers := slices.Sorted(maps.Keys(d.pages))
	d.mu.RUnlock()
	return d.place(numbers)
}

// place writes the patches of some pages to the device.
func (d *patched) place(numbers []int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	buf := make([]byte, patchSize)
	for _, number := range numbers {
		p, ok := d.pages[number]
		if !ok {
			continue
		}
		if err := p.read(buf, 0); err != nil {
			return err
		}
		if _, err := d.Device.WriteAt(buf, d.start+number*patchSize); err != nil {
			return err
		}
		delete(d.pages, number)
	}
	return nil
}
