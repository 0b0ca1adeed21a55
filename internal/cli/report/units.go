package report

import (
	"math"
	"strconv"
	"strings"
)

// Units is a unit that sizes are shown in.
type Units struct {
	Letter byte   // as the user wrote it; 'U' for a multiple such as 4k
	Factor uint64 // bytes; 1 for the human-readable ones
}

// ParseUnits reads a unit at the beginning of s, as dm_units_to_factor of
// libdm/libdm-string.c: a letter of hHrRbBsSkKmMgGtTpPeE, small ones powers of
// 1024 and capitals of 1000, with a number before it if wanted. rest is what
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

// Format shows a size of 512-byte sectors, as dm_size_to_string with one-letter
// suffixes does. Only the human-readable units show theirs.
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

// precision is the number of digits behind the point in a fixed unit; false in
// the human-readable ones.
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

// closeTo compares as the original does, where differences below DBL_EPSILON
// do not count.
func closeTo(a, b float64) bool { return math.Abs(a-b) < 0x1p-52 }

// leadingUint reads the digits s begins with, as strtoull: too large a number
// is the largest.
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

// realPrefix is the length of the real number s begins with, as strtod reads
// it: digits, a point, and an exponent if it has digits.
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

// realToUint cuts a real number to an unsigned one; those out of range become
// the nearest.
func realToUint(f float64) uint64 {
	switch {
	case !(f > 0):
		return 0
	case f >= 1<<64:
		return math.MaxUint64
	}
	return uint64(f)
}
