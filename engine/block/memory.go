package block

import "sync"

// memoryPage is the unit in which a Memory allocates, in bytes. It is large
// enough that streaming is mere copying, and small enough that the metadata of
// a terabyte device costs little.
const memoryPage = 16 << 10

// Memory is a device in RAM. Only pages that were written take space, so it can
// be as large as any real disk.
type Memory struct {
	name string
	size int64

	mu    sync.RWMutex
	pages map[int64]*[memoryPage]byte // by offset / memoryPage; absent pages are zero
}

// NewMemory makes a device of size bytes (0 or more) that reads as zeroes.
func NewMemory(name string, size int64) *Memory {
	return &Memory{name: name, size: max(size, 0), pages: make(map[int64]*[memoryPage]byte)}
}

// NewMemoryFrom makes a device with a copy of data as its contents.
func NewMemoryFrom(name string, data []byte) *Memory {
	m := NewMemory(name, int64(len(data)))
	m.write(data, 0)
	return m
}

// Name returns the name given to NewMemory.
func (m *Memory) Name() string { return m.name }

// Size returns the size in bytes.
func (m *Memory) Size() int64 { return m.size }

// Sync does nothing: what was written is as durable as it will ever be.
func (m *Memory) Sync() error { return nil }

// Allocated returns how many bytes of RAM hold contents.
func (m *Memory) Allocated() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(len(m.pages)) * memoryPage
}

// ReadAt implements io.ReaderAt; see Device.
func (m *Memory) ReadAt(p []byte, off int64) (int, error) {
	n, err := ReadSpan(m.name, m.size, off, len(p))
	p = p[:n]
	m.mu.RLock()
	defer m.mu.RUnlock()
	for len(p) > 0 {
		at := int(off % memoryPage)
		part := p[:min(len(p), memoryPage-at)]
		if page := m.pages[off/memoryPage]; page != nil {
			copy(part, page[at:])
		} else {
			clear(part)
		}
		p, off = p[len(part):], off+int64(len(part))
	}
	return n, err
}

// WriteAt implements io.WriterAt; see Device. A write that does not fit
// changes nothing.
func (m *Memory) WriteAt(p []byte, off int64) (int, error) {
	if err := CheckRange("write", m.name, m.size, off, int64(len(p))); err != nil {
		return 0, err
	}
	m.write(p, off)
	return len(p), nil
}

func (m *Memory) write(p []byte, off int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(p) > 0 {
		at := int(off % memoryPage)
		page := m.pages[off/memoryPage]
		if page == nil {
			page = new([memoryPage]byte)
			m.pages[off/memoryPage] = page
		}
		n := copy(page[at:], p)
		p, off = p[n:], off+int64(n)
	}
}

// Discard frees whole pages and zeroes parts of pages; the range then reads as
// zeroes.
func (m *Memory) Discard(off, length int64) error {
	if err := CheckRange("discard", m.name, m.size, off, length); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	end := off + length
	for number, page := range m.pagesIn(off, end) {
		from := max(off-number*memoryPage, 0)
		to := min(end-number*memoryPage, memoryPage)
		if from == 0 && to == memoryPage {
			delete(m.pages, number)
		} else {
			clear(page[from:to])
		}
	}
	return nil
}

// pagesIn yields the allocated pages that [off, end) touches. It walks the page
// numbers of the range or all allocated pages, whichever are fewer.
func (m *Memory) pagesIn(off, end int64) func(func(int64, *[memoryPage]byte) bool) {
	first, last := off/memoryPage, (end-1)/memoryPage
	return func(yield func(int64, *[memoryPage]byte) bool) {
		if off >= end {
			return
		}
		if last-first < int64(len(m.pages)) {
			for n := first; n <= last; n++ {
				if page := m.pages[n]; page != nil && !yield(n, page) {
					return
				}
			}
			return
		}
		for n, page := range m.pages {
			if n >= first && n <= last && !yield(n, page) {
				return
			}
		}
	}
}
