package controld

import (
	"fmt"
	"strconv"
	"strings"
)

// StateKind is what a record of the status is about (DLMC_STATE_*).
type StateKind uint32

// The kinds.
const (
	OfDaemon      StateKind = 1
	OfNode        StateKind = 2
	OfStartupNode StateKind = 3 // was there when the daemon started, and has to be fenced unless it joins
)

// State is a record of the status: words of the form key=value.
type State struct {
	Kind StateKind
	Node int32
	Text string
}

// stateHead begins a record.
type stateHead struct {
	kind      StateKind
	node      int32
	text, bin int // bytes that follow
}

// parseStateHead reads the structure that begins a record.
func parseStateHead(b []byte) (stateHead, error) {
	if len(b) < stateSize {
		return stateHead{}, fmt.Errorf("%w: a record of %d bytes, not %d", ErrMalformed, len(b), stateSize)
	}
	h := stateHead{kind: StateKind(order.Uint32(b)), node: int32(order.Uint32(b[8:]))}
	for at, n := range map[int]*int{20: &h.text, 24: &h.bin} {
		size := order.Uint32(b[at:])
		if size > maxState {
			return h, fmt.Errorf("%w: record, byte %d: %d bytes follow, more than %d", ErrMalformed, at, size, maxState)
		}
		*n = int(size)
	}
	return h, nil
}

// Word returns a key's value as the original looks for it (lib.c ks): behind the first place
// where the key's letters occur, be they the end of another key, up to a blank.
func (s State) Word(key string) (string, bool) {
	_, rest, found := strings.Cut(s.Text, key)
	if !found {
		return "", false
	}
	_, value, found := strings.Cut(rest, "=")
	if !found {
		return "", false
	}
	if i := strings.IndexAny(value, " \n\x00"); i >= 0 {
		value = value[:i]
	}
	return value, true
}

// Number returns a key's value as a number; 0 if it has none.
func (s State) Number(key string) uint32 {
	word, _ := s.Word(key)
	n, err := strconv.ParseInt(word, 0, 64)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// Words returns the record's words in their order.
func (s State) Words() []string {
	return strings.Fields(strings.Map(func(r rune) rune {
		if r == 0 {
			return ' '
		}
		return r
	}, s.Text))
}
