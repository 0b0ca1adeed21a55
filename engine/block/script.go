package block

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// FaultOp is the kind of operation that a rule of a fault script applies to.
type FaultOp string

// Operations of a fault script.
const (
	FaultRead    FaultOp = "read"
	FaultWrite   FaultOp = "write"
	FaultSync    FaultOp = "sync"
	FaultDiscard FaultOp = "discard"
	FaultAny     FaultOp = "any"
)

// FaultAction is what happens to an operation.
type FaultAction string

// Actions of a fault script.
const (
	// FaultError fails the operation with ErrMedium; nothing is transferred.
	FaultError FaultAction = "error"
	// FaultShort transfers the first Arg bytes of the operation and then fails
	// with ErrMedium.
	FaultShort FaultAction = "short"
	// FaultTorn transfers the first Arg bytes of the operation and reports
	// success: the rest of a write is not there, the rest of a read is zeroes.
	FaultTorn FaultAction = "torn"
	// FaultFlip inverts bit Arg of the rule's range, counted from the least
	// significant bit of its first byte, in what is read or written.
	FaultFlip FaultAction = "flip"
)

// Rule is one rule of a fault script.
type Rule struct {
	Op     FaultOp
	Off    int64 // bytes
	Len    int64 // bytes; math.MaxInt64 with Off 0 for the whole device
	Action FaultAction
	Arg    int64 // bytes (short, torn) or a bit (flip); 0 for error
	After  int64 // matching operations to let pass first
	Times  int64 // matching operations to act on then; 0 for all
}

// ScriptError says which rule of a fault script cannot be understood.
type ScriptError struct {
	Line int    // counted from 1
	Text string // the word at fault, or the whole rule
	Why  string
}

// Error returns one line: line number, text, reason.
func (e *ScriptError) Error() string {
	return fmt.Sprintf("fault script line %d: %q: %s", e.Line, e.Text, e.Why)
}

// ParseScript reads a fault script. Rules stand on lines of their own or are
// separated by semicolons; a # begins a comment. A rule is
//
//	OP RANGE ACTION [after=N] [times=N]
//
// OP is read, write, discard, sync or any. RANGE is OFFSET+LENGTH, in bytes or
// with a suffix s (512-byte sectors), K, M, G or T (powers of 1024), or * for
// the whole device; a rule acts on every operation that touches its range. A
// sync touches every range. ACTION is one of
//
//	error    fail with ErrMedium, transfer nothing
//	short=N  transfer the first N bytes, then fail with ErrMedium
//	torn=N   transfer the first N bytes, report success
//	flip=N   invert bit N of the range (bit 0 is the lowest of its first byte)
//
// after=N lets N matching operations pass first; times=N acts on the next N
// only. Rules act in the order of the script. Examples:
//
//	read 4096+512 error
//	write 0+1M torn=512
//	read 16s+1s flip=3 after=2 times=1
//	any * error after=100   # the disk dies
func ParseScript(script string) ([]Rule, error) {
	var rules []Rule
	for number, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		for text := range strings.SplitSeq(line, ";") {
			words := strings.Fields(text)
			if len(words) == 0 {
				continue
			}
			r, word, why := parseRule(words)
			if why != "" {
				return nil, &ScriptError{Line: number + 1, Text: word, Why: why}
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// parseRule reads one rule; why says what is wrong with word, if anything.
func parseRule(words []string) (r Rule, word, why string) {
	if len(words) < 3 {
		return r, strings.Join(words, " "), "a rule is an operation, a range and an action"
	}
	switch r.Op = FaultOp(words[0]); r.Op {
	case FaultRead, FaultWrite, FaultSync, FaultDiscard, FaultAny:
	default:
		return r, words[0], "not an operation: read, write, discard, sync or any"
	}
	if why := r.parseRange(words[1]); why != "" {
		return r, words[1], why
	}
	if why := r.parseAction(words[2]); why != "" {
		return r, words[2], why
	}
	for _, word := range words[3:] {
		if why := r.parseOption(word); why != "" {
			return r, word, why
		}
	}
	return r, "", ""
}

func (r *Rule) parseRange(word string) (why string) {
	if word == "*" {
		r.Len = math.MaxInt64
		return ""
	}
	off, length, found := strings.Cut(word, "+")
	var ok1, ok2 bool
	r.Off, ok1 = parseBytes(off)
	r.Len, ok2 = parseBytes(length)
	if !found || !ok1 || !ok2 || r.Len == 0 || r.Off > math.MaxInt64-r.Len {
		return "not a range: OFFSET+LENGTH or *"
	}
	return ""
}

func (r *Rule) parseAction(word string) (why string) {
	name, arg, valued := strings.Cut(word, "=")
	r.Action = FaultAction(name)
	ok := true
	switch r.Action {
	case FaultError:
		ok = !valued
	case FaultShort, FaultTorn:
		r.Arg, ok = parseBytes(arg)
	case FaultFlip:
		r.Arg, ok = parseCount(arg)
		if ok && r.Arg/8 >= r.Len {
			return "the bit lies outside of the range"
		}
	default:
		return "not an action: error, short=N, torn=N or flip=N"
	}
	if !ok || (valued && arg == "") {
		return "the action needs a plain number after =, and error needs none"
	}
	return ""
}

func (r *Rule) parseOption(word string) (why string) {
	name, arg, _ := strings.Cut(word, "=")
	n, ok := parseCount(arg)
	switch {
	case name == "after" && ok:
		r.After = n
	case name == "times" && ok && n > 0:
		r.Times = n
	default:
		return "not an option: after=N or times=N (at least 1)"
	}
	return ""
}

// parseCount reads a decimal number.
func parseCount(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil
}

// parseBytes reads a decimal number with an optional unit.
func parseBytes(s string) (int64, bool) {
	unit := int64(1)
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 's':
			unit = SectorSize
		case 'K':
			unit = 1 << 10
		case 'M':
			unit = 1 << 20
		case 'G':
			unit = 1 << 30
		case 'T':
			unit = 1 << 40
		}
		if unit > 1 {
			s = s[:n-1]
		}
	}
	n, ok := parseCount(s)
	return n * unit, ok && n <= math.MaxInt64/unit
}

// String returns the rule in the language that ParseScript reads.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(string(r.Op))
	if r.Off == 0 && r.Len == math.MaxInt64 {
		b.WriteString(" *")
	} else {
		fmt.Fprintf(&b, " %d+%d", r.Off, r.Len)
	}
	fmt.Fprintf(&b, " %s", r.Action)
	if r.Action != FaultError {
		fmt.Fprintf(&b, "=%d", r.Arg)
	}
	if r.After > 0 {
		fmt.Fprintf(&b, " after=%d", r.After)
	}
	if r.Times > 0 {
		fmt.Fprintf(&b, " times=%d", r.Times)
	}
	return b.String()
}

// matches reports whether the rule applies to an operation.
func (r *Rule) matches(op FaultOp, off, length int64) bool {
	if r.Op != op && r.Op != FaultAny {
		return false
	}
	return op == FaultSync || off < r.Off+r.Len && r.Off < off+length
}

// flip inverts the rule's bit if p, whose offset is off, holds it.
func (r *Rule) flip(p []byte, off int64) {
	if at := r.Off + r.Arg/8 - off; at >= 0 && at < int64(len(p)) {
		p[at] ^= 1 << (r.Arg % 8)
	}
}
