package mdadm

import (
	"math"
	"strconv"
	"strings"
)

// Levels as the kernel numbers them (include/uapi/linux/raid/md_p.h).
const (
	levelFaulty    = -5
	levelMultipath = -4
	levelLinear    = -1
	levelContainer = -100
)

// word is one entry of a table that maps command-line words to numbers. The
// first entry of a number is the word used in messages.
type word struct {
	text string
	num  int
}

func number(words []word, text string) int {
	for _, w := range words {
		if w.text == text {
			return w.num
		}
	}
	return Unset
}

func text(words []word, num int) (string, bool) {
	for _, w := range words {
		if w.num == num {
			return w.text, true
		}
	}
	return "", false
}

func levelWords() []word {
	return []word{
		{"linear", levelLinear},
		{"raid0", 0},
		{"0", 0},
		{"stripe", 0},
		{"raid1", 1},
		{"1", 1},
		{"mirror", 1},
		{"raid4", 4},
		{"4", 4},
		{"raid5", 5},
		{"5", 5},
		{"multipath", levelMultipath},
		{"mp", levelMultipath},
		{"raid6", 6},
		{"6", 6},
		{"raid10", 10},
		{"10", 10},
		{"faulty", levelFaulty},
		{"container", levelContainer},
	}
}

// levelText names a level in messages; mdadm prints "(null)" for one it does
// not know, which is also what it prints for a level that was not given.
func levelText(level int) string {
	if s, ok := text(levelWords(), level); ok {
		return s
	}
	return "(null)"
}

func policyWords() []word {
	return []word{
		{"unknown", int(PolicyUnknown)},
		{"none", int(PolicyNone)},
		{"resync", int(PolicyResync)},
		{"bitmap", int(PolicyBitmap)},
		{"journal", int(PolicyJournal)},
		{"ppl", int(PolicyPPL)},
	}
}

func layoutWords(level int) []word {
	parity := []word{
		{"left-asymmetric", 0},
		{"right-asymmetric", 1},
		{"left-symmetric", 2},
		{"right-symmetric", 3},
		{"default", 2},
		{"la", 0},
		{"ra", 1},
		{"ls", 2},
		{"rs", 3},
		{"parity-first", 4},
		{"parity-last", 5},
	}
	switch level {
	case 0:
		return []word{{"original", 1}, {"alternate", 2}, {"1", 1}, {"2", 2}, {"dangerous", 0}}
	case 5:
		return append(parity, word{"ddf-zero-restart", 1}, word{"ddf-N-restart", 0}, word{"ddf-N-continue", 2})
	case 6:
		return append(parity,
			word{"ddf-zero-restart", 8}, word{"ddf-N-restart", 9}, word{"ddf-N-continue", 10},
			word{"left-asymmetric-6", 16}, word{"right-asymmetric-6", 17},
			word{"left-symmetric-6", 18}, word{"right-symmetric-6", 19}, word{"parity-first-6", 20})
	case levelFaulty:
		return []word{
			{"write-transient", 0},
			{"wt", 0},
			{"read-transient", 1},
			{"rt", 1},
			{"write-persistent", 2},
			{"wp", 2},
			{"read-persistent", 3},
			{"rp", 3},
			{"write-all", 4},
			{"wa", 4},
			{"read-fixable", 5},
			{"rf", 5},
			{"clear", 31},
			{"flush", 30},
			{"none", 31},
			{"default", 31},
		}
	}
	return nil
}

// parseLayout10 reads nN, oN or fN into the kernel's number (raid10.c,
// setup_geo): near copies in the low byte, far copies in the next, bit 16 for
// offset.
func parseLayout10(s string) (int, bool) {
	if s == "" || !strings.ContainsRune("nof", rune(s[0])) {
		return 0, false
	}
	copies, rest := leadingInt(s[1:])
	if rest != "" || len(s) == 1 || copies < 1 || copies > 200 {
		return 0, false
	}
	n := int(copies)
	switch s[0] {
	case 'n':
		return 0x100 + n, true
	case 'o':
		return 0x10000 + n<<8 + 1, true
	}
	return n<<8 + 1, true
}

// parseLayoutFaulty reads MODE or MODEn: every n-th request (faulty.c).
func parseLayoutFaulty(s string) (int, bool) {
	at := strings.IndexAny(s, "0123456789")
	if at < 0 {
		at = len(s)
	}
	mode := number(layoutWords(levelFaulty), s[:at])
	if mode == Unset {
		return 0, false
	}
	period, _ := leadingInt(s[at:])
	const modeShift = 5
	return mode | int(int32(period<<modeShift)), true
}

// leadingInt is strtoll(3) in base 10: blanks, a sign, digits; out of range
// values stick at the limits. rest is all of s if there is no number.
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

// parseSize reads a number of KiB, or of what its suffix says (K, M, G, T, s
// for sectors), and returns 512-byte sectors.
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

// parseNum reads a number from 0 to the largest C int, with nothing behind it.
func parseNum(s string) (int, bool) {
	n, rest := leadingInt(s)
	if rest != "" || s == "" || n < 0 || n > math.MaxInt32 {
		return 0, false
	}
	return int(n), true
}

// uuidDigits is how many hexadecimal digits a uuid has.
const uuidDigits = 32

// validUUID reports whether s has 32 hexadecimal digits, with any of ":. -"
// between them.
func validUUID(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			digits++
		case strings.IndexByte(":. -", c) < 0:
			return false
		}
	}
	return digits == uuidDigits
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
