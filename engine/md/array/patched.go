package array

import (
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/mdkit/mdkit/engine/block"
)

// patchSize is what logs replace at a time: the kernel's stripe unit, bytes.
const patchSize = 4096

// patched is a member's device seen with what a log is going to put there. The
// member itself stays as it is until commit.
type patched struct {
	block.Device
	start int64 // where pages are counted from

	mu    sync.RWMutex
	pages map[int64]patch // by number of the page
}

// patch is where the content of a page is.
type patch struct {
	data []byte       // patchSize bytes; nil if they are still in the log
	log  block.Device // that holds them
	off  int64        // there
}

func (p patch) read(b []byte, within int64) error {
	if p.data != nil {
		copy(b, p.data[within:])
		return nil
	}
	return block.ReadFull(p.log, b, p.off+within)
}

// patchedLeg gives the device of a leg the ability to be patched.
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

// pagePart is the part of a request that falls into a page, and where in it.
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

// WriteAt implements io.WriterAt; see block.Device. Patched pages that it
// touches are put in place first.
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

// put patches bytes of the data, which lie in one page, with content that is
// in memory.
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

// commit writes all patches to the device. It can be done again.
func (d *patched) commit() error {
	d.mu.RLock()
	numbers := slices.Sorted(maps.Keys(d.pages))
	d.mu.RUnlock()
	return d.place(numbers)
}

// place writes some patches to the device.
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
