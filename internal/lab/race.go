//go:build race

package lab

// Race says whether the tests run under the race detector, which makes them
// several times slower: a test that does nothing at once with anything else has
// no business there, and a long one takes a smaller sample.
const Race = true
