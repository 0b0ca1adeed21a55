package report

import (
	"math"
	"strconv"
	"strings"
)

// Units is a unit in which sizes are shown.
type Units struct {
	Letter byte   // as the user gave it; 'U' for a multiple such as 4k
	Factor uint64 // in bytes; 1 for the human-readable units
}

// ParseUnits parses a unit at the beginning of s, like dm_units_to_factor of
// libdm/libdm-string.c: a letter of hHrRbBsSkKmMgGtTpPeE, where lower case means powers
// of 1024 and upper case of 1000, with an optional number before it. rest is what
// follows.
func ParseUnits(s string) (u Units, rest string, ok bool) {
	v, fraction := uint64(1), 0.0
	unit := s
	if s != "" && isDigit(s[0]) {
		n := realPrefix(s)
		custom, _ := strconv.ParseFloat(s[:n], 64)
		v = leadingUint(s)
		if !closeTo(float64(v), custom) {
			fraction = custom
		}
		unit = s[n:]
	}
	if unit == "" {
		return u, s, false
	}
	u.Letter = 'U'
	if v == 1 {
		u.Letter = unit[0]
	}
	var multiplier uint64
	switch c := unit[0]; c {
	case 'h', 'H', 'r', 'R':
		multiplier, v, u.Letter = 1, 1, c
	case 'b', 'B':
		multiplier = 1
	case 's', 'S':
		multiplier = 512
	default:
		base := uint64(1024)
		power := strings.IndexByte("kmgtpe", c)
		if power < 0 {
			base, power = 1000, strings.IndexByte("KMGTPE", c)
		}
		if power < 0 {
			return Units{}, s, false
		}
		multiplier = base
		for range power {
			multiplier *= base
		}
	}
	u.Factor = v * multiplier
	if !closeTo(fraction, 0) {
		u.Factor = realToUint(fraction * float64(multiplier))
	}
	if u.Factor == 0 {
		return Units{}, s, false
	}
	return u, unit[1:], true
}

// Format formats a size of 512-byte sectors, like dm_size_to_string with one-letter
// suffixes. Only human-readable units show a suffix.
func (u Units) Format(sectors uint64) string {
	if sectors == 0 {
		return "0"
	}
	size := sectors * 512
	if precision, ok := u.precision(); ok {
		return strconv.FormatFloat(float64(size)/float64(u.Factor), 'f', precision, 64)
	}
	base, letters := uint64(1024), "eptgmkb"
	if u.Letter == 'H' || u.Letter == 'R' {
		base, letters = 1000, "EPTGMKB"
	}
	unit := base * base * base * base * base * base
	i := 0
	for ; i < len(letters)-1 && size < unit; i++ {
		unit /= base
	}
	precision := 2
	if i == len(letters)-1 {
		precision = 0
	}
	prefix := ""
	if i < len(letters)-1 && (u.Letter == 'r' || u.Letter == 'R') {
		d := 100 * float64(size) / float64(unit)
		if !closeTo(math.Floor(d), math.RoundToEven(d)) {
			prefix = "<"
		}
	}
	return prefix + strconv.FormatFloat(float64(size)/float64(unit), 'f', precision, 64) + letters[i:i+1]
}

// precision returns the number of decimal places for a fixed unit; false for the
// human-readable units.
func (u Units) precision() (int, bool) {
	switch {
	case strings.IndexByte("bBsS", u.Letter) >= 0:
		return 0, true
	case u.Letter == 'U' || strings.IndexByte("kKmMgGtTpPeE", u.Letter) >= 0:
		return 2, true
	}
	return 0, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// closeTo compares like the original, where differences below DBL_EPSILON do not count.
func closeTo(a, b float64) bool { return math.Abs(a-b) < 0x1p-52 }

// leadingUint parses the digits at the beginning of s, like strtoull: a number that is
// too large becomes the largest.
func leadingUint(s string) uint64 {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	v, err := strconv.ParseUint(s[:n], 10, 64)
	if err != nil && n > 0 {
		return math.MaxUint64
	}
	return v
}

// realPrefix returns the length of the real number at the beginning of s, as strtod
// parses it: digits, a point, and an exponent if it has digits.
func realPrefix(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n < len(s) && s[n] == '.' {
		n++
		for n < len(s) && isDigit(s[n]) {
			n++
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if e < len(s) && isDigit(s[e]) {
			for e < len(s) && isDigit(s[e]) {
				e++
			}
			n = e
		}
	}
	return n
}

// realToUint truncates a real number to an unsigned integer; if it is out of range, the
// result is the nearest limit.
func realToUint(f float64) uint64 {
	switch {
	case !(f > 0):
		return 0
	case f >= 1<<64:
		return math.MaxUint64
	}
	return uint64(f)
}
