package lab

import (
	"bytes"
	"strings"
	"sync"
)

// tailSize is how much of a console is kept, in bytes: enough for a whole kernel
// oops with its stack, and the messages before it.
const tailSize = 64 << 10

// tail keeps the last part of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write appends p and drops the oldest bytes.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailSize {
		t.buf = bytes.Clone(t.buf[len(t.buf)-tailSize:])
	}
	return len(p), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.ReplaceAll(string(t.buf), "\r", "")
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}
