// Package lex reads words and numbers as the device mapper's own parsers do: what dm
// splits with dm_split_args and reads with sscanf and kstrtouint.
package lex

import (
	"strconv"
	"strings"
)

// IsSpace is the kernel's idea of white space in ASCII (lib/ctype.c).
func IsSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// IsDigit reports whether c is a decimal digit.
func IsDigit(c byte) bool { return c >= '0' && c <= '9' }

// Fields splits parameters into words as dm_split_args splits the text that
// EscapeParams makes of them.
func Fields(params string) []string { return strings.FieldsFunc(params, IsSpace) }

// ScanU64 reads a word as the kernel's sscanf does with "%llu%c" when it must
// match one item: only digits, wrapped at 64 bits (lib/vsprintf.c).
func ScanU64(s string) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if !IsDigit(s[i]) {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

// ScanU32 is ScanU64 for "%u%c": the kernel stores the low 32 bits.
func ScanU32(s string) (uint32, bool) {
	n, ok := ScanU64(s)
	return uint32(n), ok //nolint:gosec // wraps as the kernel does
}

// Kstrtou reads a word as kstrtouint and kstrtoull do in base 10: an optional
// plus sign, digits, no overflow of the given number of bits.
func Kstrtou(s string, bitSize int) (uint64, bool) {
	s = strings.TrimPrefix(s, "+")
	if s == "" || !IsDigit(s[0]) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bitSize)
	return n, err == nil
}

// Kstrtoi is Kstrtou with an optional minus sign, like kstrtoint.
func Kstrtoi(s string, bitSize int) (int64, bool) {
	if s == "" || len(s) > 1 && !IsDigit(s[1]) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, bitSize)
	return n, err == nil
}
