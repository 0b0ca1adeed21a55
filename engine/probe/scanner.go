package probe

import "github.com/mdkit/mdkit/engine/block"

const (
	// windowSize is the unit in which the device is read, in bytes.
	windowSize = 64 << 10
	// maxRead bounds what one probe reads, in bytes. The fixed places need less
	// than 2 MiB; the rest is for checksums over LUKS2 headers (two of at most 4 MiB).
	maxRead = 16 << 20
)

// scanner reads a device in cached windows and keeps the first failure, so that
// one bad sector does not hide what can be found elsewhere.
type scanner struct {
	dev     block.Device
	size    int64
	windows map[int64][]byte
	spent   int64
	err     error
}

// bytes returns n bytes at off, or nil if the device does not have them all,
// they cannot be read, or the budget is spent. The caller must not change them.
func (s *scanner) bytes(off, n int64) []byte {
	if off < 0 || n <= 0 || n > s.size || off > s.size-n {
		return nil
	}
	first := off / windowSize
	if last := (off + n - 1) / windowSize; last == first {
		w := s.window(first)
		if w == nil {
			return nil
		}
		return w[off-first*windowSize:][:n]
	}
	if n > maxRead {
		return nil
	}
	out := make([]byte, 0, n)
	for int64(len(out)) < n {
		at := off + int64(len(out))
		w := s.window(at / windowSize)
		if w == nil {
			return nil
		}
		w = w[at%windowSize:]
		out = append(out, w[:min(int64(len(w)), n-int64(len(out)))]...)
	}
	return out
}

func (s *scanner) window(i int64) []byte {
	if w, ok := s.windows[i]; ok {
		return w
	}
	n := min(windowSize, s.size-i*windowSize)
	if s.spent+n > maxRead {
		return nil
	}
	s.spent += n
	w := make([]byte, n)
	if err := block.ReadFull(s.dev, w, i*windowSize); err != nil {
		if s.err == nil {
			s.err = err
		}
		w = nil
	}
	s.windows[i] = w
	return w
}
