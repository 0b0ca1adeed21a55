package mdadm

import (
	"math"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
)

// Levels that the grammar knows by name.
const (
	levelFaulty    = int(md.LevelFaulty)
	levelMultipath = int(md.LevelMultipath)
	levelLinear    = int(md.LevelLinear)
	levelContainer = int(md.LevelContainer)
)

// levelText names a level in messages; mdadm prints "(null)" for one that it does
// not know, and also for a level that was not given.
func levelText(level int) string {
	if l := md.Level(level); l.Known() {
		return l.String()
	}
	return "(null)"
}

// parsePolicy reads a consistency policy. It returns false for what mdadm refuses:
// words that it does not know, and policies that one cannot ask for.
func parsePolicy(s string) (Policy, bool) {
	for p := PolicyResync; p <= PolicyPPL; p++ {
		if p.String() == s {
			return p, true
		}
	}
	return PolicyUnknown, false
}

// leadingInt is strtoll(3) in base 10: blanks, a sign, digits; values out of range
// become the limits. rest is all of s if there is no number.
func leadingInt(s string) (n int64, rest string) {
	i := 0
	for i < len(s) && strings.IndexByte(" \t\n\v\f\r", s[i]) >= 0 {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if i == digits {
		return 0, s
	}
	n, _ = strconv.ParseInt(s[start:i], 10, 64) // at the limit when out of range
	return n, s[i:]
}

// parseSize reads a number of KiB, or of the unit that its suffix names (K, M, G, T,
// or s for sectors), and returns 512-byte sectors.
func parseSize(s string) (sectors int64, ok bool) {
	n, rest := leadingInt(s)
	if n <= 0 {
		return 0, false
	}
	var unit int64 = 2
	switch {
	case strings.HasPrefix(rest, "K"):
		rest = rest[1:]
	case strings.HasPrefix(rest, "M"):
		unit, rest = 2<<10, rest[1:]
	case strings.HasPrefix(rest, "G"):
		unit, rest = 2<<20, rest[1:]
	case strings.HasPrefix(rest, "T"):
		unit, rest = 2<<30, rest[1:]
	case strings.HasPrefix(rest, "s"):
		unit, rest = 1, rest[1:]
	}
	if rest != "" || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

// parseNum reads a number from 0 to the largest C int, with nothing after it.
func parseNum(s string) (int, bool) {
	n, rest := leadingInt(s)
	if rest != "" || s == "" || n < 0 || n > math.MaxInt32 {
		return 0, false
	}
	return int(n), true
}

// knownMetadata reports whether mdadm has a format of that name.
func knownMetadata(s string) bool {
	zero := s
	for strings.HasPrefix(zero, "00") {
		zero = zero[1:]
	}
	switch zero {
	case "", "0", "0.90", "0.91", "0.9", "0.swap":
		return true
	}
	switch strings.TrimLeft(s, "0") {
	case "1", "default", "1.0", "1.00", "1.1", "1.01", "1.2", "1.02":
		return true
	}
	switch s {
	case "ddf", "imsm", "mbr", "gpt":
		return true
	}
	return false
}

// parseAuto reads the argument of --auto into mdadm's encoding: the style in
// the low three bits, the number of partitions above them.
func parseAuto(s string) (int, bool) {
	switch strings.ToLower(s) {
	case "", "yes":
		return 2, true
	case "no":
		return 1, true
	case "md":
		return 3, true
	}
	base := strings.TrimRight(s, "0123456789")
	parts := 4
	if base != s {
		n, _ := leadingInt(s[len(base):])
		parts = int(max(1, n))
	}
	base = strings.ToLower(strings.TrimSuffix(base, "-"))
	style := 0
	switch {
	case base == "md":
		style = 3
	case base == "yes":
		style = 2
	case base == "mdp":
		style = 4
	case base == "p", strings.HasPrefix(base, "part"):
		style = 6
	default:
		return 0, false
	}
	return style | parts<<3, true
}
