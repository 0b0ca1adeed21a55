package dm

import (
	"math/bits"
	"strconv"
	"strings"
)

// isSpace is the kernel's idea of white space in ASCII (lib/ctype.c).
func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// fields splits parameters into words as dm_split_args splits the text that
// EscapeParams makes of them.
func fields(params string) []string { return strings.FieldsFunc(params, isSpace) }

// scanU64 reads a word as the kernel's sscanf does with "%llu%c" when it must
// match one item: only digits, wrapped at 64 bits (lib/vsprintf.c).
func scanU64(s string) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

// scanU32 is scanU64 for "%u%c": the kernel stores the low 32 bits.
func scanU32(s string) (uint32, bool) {
	n, ok := scanU64(s)
	return uint32(n), ok //nolint:gosec // wraps as the kernel does
}

// kstrtou reads a word as kstrtouint and kstrtoull do in base 10: an optional
// plus sign, digits, no overflow of the given number of bits.
func kstrtou(s string, bitSize int) (uint64, bool) {
	s = strings.TrimPrefix(s, "+")
	if s == "" || !isDigit(s[0]) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bitSize)
	return n, err == nil
}

// kstrtoi is kstrtou with an optional minus sign, like kstrtoint.
func kstrtoi(s string, bitSize int) (int64, bool) {
	if s == "" || len(s) > 1 && !isDigit(s[1]) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, bitSize)
	return n, err == nil
}

// powerOfTwo is is_power_of_2: zero does not count as one.
func powerOfTwo[T uint32 | uint64](n T) bool { return bits.OnesCount64(uint64(n)) == 1 }

// join joins the words that are not empty with blanks.
func join(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		if w == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

func utoa[T uint8 | uint16 | uint32 | uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
