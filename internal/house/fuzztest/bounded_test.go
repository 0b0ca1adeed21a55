package fuzztest

import "testing"

// record is a test that only records whether it failed.
type record struct {
	testing.TB
	failed bool
}

func (r *record) Helper()               {}
func (r *record) Errorf(string, ...any) { r.failed = true }

var sink []byte

func TestBounded(t *testing.T) {
	for size, want := range map[int]bool{100: false, 64 << 10: false, 8 << 20: true} {
		r := &record{TB: t}
		Bounded(r, 100, func() { sink = make([]byte, size) })
		if r.failed != want {
			t.Errorf("%d bytes: failed %v", size, r.failed)
		}
	}
}
