package dm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Status is what a target reports about itself for `dmsetup status`.
type Status interface {
	// Type is the target type, such as "thin-pool".
	Type() string
	// String is the text exactly as the kernel prints it, without the leading
	// sectors and type.
	String() string
}

// NoStatus is the status of targets that print nothing.
type NoStatus struct {
	Target string
}

// Type is the target type.
func (s NoStatus) Type() string { return s.Target }

// String is empty.
func (s NoStatus) String() string { return "" }

// ParseStatus reads the status text of a target of the given type. The error is
// an *Error, or matches ErrUnknownTarget.
func ParseStatus(typ, params string) (Status, error) {
	t, ok := findTarget(typ)
	if !ok {
		return nil, &Error{Op: "status", Target: typ, Reason: "unknown target type", Err: ErrUnknownTarget}
	}
	s := &scan{target: typ, words: lex.Fields(params)}
	st, err := t.status(s)
	if err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	if len(s.words) > 0 {
		return nil, s.fail("end of text", s.words[0])
	}
	return st, nil
}

// scan splits a status text word by word. After the first mistake it yields
// zeros, and err says what was wrong.
type scan struct {
	target string
	words  []string
	err    error
}

func (s *scan) fail(field, got string) error {
	if s.err == nil {
		reason := fmt.Sprintf("found %q", got)
		if got == "" {
			reason = "missing"
		}
		s.err = &Error{Op: "status", Target: s.target, Field: field, Reason: reason, Err: ErrSyntax}
	}
	return s.err
}

// word takes the next word.
func (s *scan) word(field string) string {
	if s.err != nil || len(s.words) == 0 {
		_ = s.fail(field, "")
		return ""
	}
	w := s.words[0]
	s.words = s.words[1:]
	return w
}

// u64 takes a number.
func (s *scan) u64(field string) uint64 {
	w := s.word(field)
	n, ok := lex.Kstrtou(w, 64)
	if !ok {
		_ = s.fail(field, w)
	}
	return n
}

// u32 takes a number of at most 32 bits.
func (s *scan) u32(field string) uint32 {
	w := s.word(field)
	n, ok := lex.Kstrtou(w, 32)
	if !ok {
		_ = s.fail(field, w)
	}
	return uint32(n)
}

// hex takes a hexadecimal number without a prefix.
func (s *scan) hex(field string) uint64 {
	w := s.word(field)
	n, err := strconv.ParseUint(w, 16, 64)
	if err != nil {
		_ = s.fail(field, w)
	}
	return n
}

// hex prints what scan.hex reads.
func hex(n uint64) string { return strconv.FormatUint(n, 16) }

// count takes the number of things that follow, of at least per words each.
func (s *scan) count(field string, per int) int {
	n := s.u64(field)
	if s.err == nil && n > uint64(len(s.words)/max(per, 1)) {
		_ = s.fail(field, utoa(n))
		return 0
	}
	return int(n)
}

// pair takes two numbers joined by a slash.
func (s *scan) pair(field string) (a, b uint64) {
	w := s.word(field)
	left, right, _ := strings.Cut(w, "/")
	a, okA := lex.Kstrtou(left, 64)
	b, okB := lex.Kstrtou(right, 64)
	if !okA || !okB {
		_ = s.fail(field, w)
	}
	return a, b
}

// pair32 is pair for numbers of at most 32 bits.
func (s *scan) pair32(field string) (a, b uint32) {
	w := s.word(field)
	left, right, _ := strings.Cut(w, "/")
	x, okX := lex.Kstrtou(left, 32)
	y, okY := lex.Kstrtou(right, 32)
	if !okX || !okY {
		_ = s.fail(field, w)
	}
	return uint32(x), uint32(y)
}

// either takes one of two words, and reports whether it was the first.
func (s *scan) either(field, yes, no string) bool {
	w := s.word(field)
	if w != yes && w != no {
		_ = s.fail(field, w)
	}
	return w == yes
}

// oneOf takes one of these words.
func (s *scan) oneOf(field string, words ...string) string {
	w := s.word(field)
	if !slices.Contains(words, w) {
		_ = s.fail(field, w)
	}
	return w
}

// expect takes a word that must be there.
func (s *scan) expect(word string) { s.either(word, word, word) }

// state takes the whole text if it consists of just one of these words.
func (s *scan) state(words ...string) string {
	if len(s.words) != 1 || !slices.Contains(words, s.words[0]) {
		return ""
	}
	return s.word("state")
}

// optional takes a number, or a dash for none.
func (s *scan) optional(field string) *uint64 {
	if len(s.words) > 0 && s.words[0] == "-" {
		s.word(field)
		return nil
	}
	n := s.u64(field)
	return &n
}

// dashed prints what optional reads.
func dashed(n *uint64) string {
	if n == nil {
		return "-"
	}
	return utoa(*n)
}

// ratio prints what pair reads.
func ratio[T uint32 | uint64](a, b T) string { return utoa(a) + "/" + utoa(b) }

// noStatus reads the status of a target that prints nothing.
func noStatus(s *scan) (Status, error) { return NoStatus{Target: s.target}, nil }
