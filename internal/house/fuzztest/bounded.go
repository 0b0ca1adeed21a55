// Package fuzztest has what the fuzz tests of all packages share.
package fuzztest

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// Bounded runs f and fails if it allocates more than a small multiple of input, a
// number of bytes, plus a constant: a size that is read from a disk or a peer must
// not be used before it has been compared with what is there.
//
// It may run f a second time, to count exactly. The multiple leaves room for what
// the race detector and the fuzzer itself allocate: what it is to find is a count
// from outside, which is worth gigabytes.
func Bounded(t testing.TB, input int, f func()) {
	t.Helper()
	limit := uint64(32*input + 1<<20)
	before := roughly()
	f()
	if roughly()-before <= limit/2 {
		return
	}
	var from, to runtime.MemStats
	runtime.ReadMemStats(&from)
	f()
	runtime.ReadMemStats(&to)
	if got := to.TotalAlloc - from.TotalAlloc; got > limit {
		t.Errorf("%d bytes of input made %d bytes of garbage, want at most %d", input, got, limit)
	}
}

// roughly is about how much has been allocated. Small objects are counted in
// batches, but the world is not stopped, which would take most of a fuzzer's time.
func roughly() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}
