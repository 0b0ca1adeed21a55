//go:build !race

package lab

// Race says whether the tests run under the race detector, which makes them
// several times slower: a test without concurrency need not run under it, and a
// long one takes a smaller sample.
const Race = false
