package array

import "sync"

// rangeLock locks ranges of numbers. Ranges that overlap exclude each other unless
// both are shared; others do not wait for each other.
type rangeLock struct {
	mu   sync.Mutex
	free sync.Cond // L is &mu, set at first use
	held []heldRange
}

type heldRange struct {
	from, to int64 // [from, to)
	shared   bool
}

// lock waits until [from, to) is free and takes it; the result releases it.
func (l *rangeLock) lock(from, to int64, shared bool) (unlock func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free.L = &l.mu
	for l.taken(from, to, shared) {
		l.free.Wait()
	}
	mine := heldRange{from, to, shared}
	l.held = append(l.held, mine)
	return func() { l.release(mine) }
}

func (l *rangeLock) taken(from, to int64, shared bool) bool {
	for _, h := range l.held {
		if h.from < to && from < h.to && !(shared && h.shared) {
			return true
		}
	}
	return false
}

func (l *rangeLock) release(mine heldRange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, h := range l.held {
		if h == mine {
			last := len(l.held) - 1
			l.held[i] = l.held[last]
			l.held = l.held[:last]
			break
		}
	}
	l.free.Broadcast()
}
