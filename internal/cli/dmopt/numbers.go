package dmopt

import (
	"strconv"
	"strings"
)

// CookieValue parses a cookie as strtoul(3) with base 0 does; 0 means none.
func CookieValue(s string) (uint32, error) {
	digits := strings.TrimLeft(s, Blank)
	digits = strings.TrimPrefix(digits, "+")
	n, err := strconv.ParseUint(digits, 0, 32)
	goOnly := strings.Contains(digits, "_") ||
		strings.ContainsAny(digits, "bBoO") && !strings.HasPrefix(strings.ToLower(digits), "0x")
	if err != nil || n == 0 || goOnly {
		return 0, Wrong("Incorrect cookie value.")
	}
	return uint32(n), nil
}

// Blank is what isspace(3) counts as white space in the C locale.
const Blank = " \t\n\v\f\r"

// Strtol parses the number at the start of s as strtol(3) does. rest is what follows it,
// or all of s if there is no number.
func Strtol(s string, base int) (n int64, rest string, overflow bool) {
	i := len(s) - len(strings.TrimLeft(s, Blank))
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	first := i
	for i < len(s) && s[i] >= '0' && int(s[i]-'0') < base {
		i++
	}
	if i == first {
		return 0, s, false
	}
	n, err := strconv.ParseInt(s[start:i], base, 64) // the nearest limit if it is out of range
	return n, s[i:], err != nil
}

// Atoi is atoi(3): the number at the start of s, 0 if there is none, and the low 32 bits
// of one that is too large.
func Atoi(s string) int {
	n, _, _ := Strtol(s, 10)
	return int(int32(n))
}

// Strtoull parses the number at the start of s as strtoull(3) does: a minus sign gives
// the two's complement. rest is what follows, or all of s if there is no number.
func Strtoull(s string) (n uint64, rest string, overflow bool) {
	t := strings.TrimLeft(s, Blank)
	negative := strings.HasPrefix(t, "-")
	if negative || strings.HasPrefix(t, "+") {
		t = t[1:]
	}
	end := 0
	for end < len(t) && t[end] >= '0' && t[end] <= '9' {
		end++
	}
	if end == 0 {
		return 0, s + " ", false
	}
	n, err := strconv.ParseUint(t[:end], 10, 64)
	if negative {
		n = -n
	}
	return n, t[end:], err != nil
}
