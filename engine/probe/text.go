package probe

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf16"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// dashed prints 16 bytes as a uuid in big-endian order, and nothing for zeroes.
func dashed(b []byte) string {
	if allZero(b) {
		return ""
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// guid prints 16 bytes in EFI's mixed order.
func guid(b []byte) string {
	return dashed([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]})
}

// hyphenate puts hyphens after the given lengths of text, the way LVM and
// Stratis group their 32 characters.
func hyphenate(s string, groups ...int) string {
	var parts []string
	for _, n := range groups {
		n = min(n, len(s))
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return strings.Join(parts, "-")
}

// label returns text up to the first NUL, without trailing blanks and without
// anything a terminal might interpret.
func label(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	s = strings.TrimRight(strings.ToValidUTF8(s, "?"), " ")
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// label16 is label for little-endian UTF-16.
func label16(b []byte) string {
	var u []uint16
	for ; len(b) >= 2 && (b[0] != 0 || b[1] != 0); b = b[2:] {
		u = append(u, le.Uint16(b))
	}
	return label([]byte(string(utf16.Decode(u))))
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func powerOfTwo(v uint64) bool { return v != 0 && v&(v-1) == 0 }
