// Package mdtext writes values as mdadm does: sizes, times, names, layouts.
package mdtext

import (
	"fmt"
	"strings"
	"time"
)

// The sizes, in bytes, at which mdadm changes the unit of sizes (util.c,
// human_size): none is printed below the first, MiB below the second, GiB below the
// third and TiB from there on.
const (
	humanFrom = 5000 * 1024
	humanGiB  = 2 << 30
	humanTiB  = 2 << 40
)

// HumanSize is the readable size that mdadm puts after a number of sectors or KiB:
// " (254.00 MiB 266.34 MB)" with its leading blank, or nothing for sizes that are
// easily read as they are. bytes may be negative if a superblock holds nonsense;
// then it is empty, too.
func HumanSize(bytes int64) string {
	if bytes < humanFrom {
		return ""
	}
	unit, binary, decimal := humanUnit(bytes)
	return fmt.Sprintf(" (%s %siB %s %sB)", hundredths(binary), unit, hundredths(decimal), unit)
}

// HumanSizeIEC is the readable size that --query prints: "762.00MiB".
func HumanSizeIEC(bytes int64) string {
	if bytes < humanFrom {
		return ""
	}
	unit, binary, _ := humanUnit(bytes)
	return hundredths(binary) + unit + "iB"
}

// HumanSizeJEDEC is the readable size that --examine --export prints: "799.01MB".
func HumanSizeJEDEC(bytes int64) string {
	if bytes < humanFrom {
		return ""
	}
	unit, _, decimal := humanUnit(bytes)
	return hundredths(decimal) + unit + "B"
}

// humanUnit scales bytes to hundredths of a suitable unit, once in powers of 1024
// and once in powers of 1000, rounded as mdadm rounds: half up, by way of
// two-hundredths.
func humanUnit(bytes int64) (unit string, binary, decimal int64) {
	switch {
	case bytes < humanGiB:
		return "M", (bytes*200>>20 + 1) / 2, (bytes/(1e6/200) + 1) / 2
	case bytes < humanTiB:
		return "G", (bytes*200>>30 + 1) / 2, (bytes/(1e9/200) + 1) / 2
	}
	// mdadm multiplies before it divides, and overflows above 40 PiB; dividing
	// first keeps the hundredths without overflowing.
	tebi := bytes >> 40
	rest := bytes & (1<<40 - 1)
	return "T", (tebi*200 + rest*200>>40 + 1) / 2, (bytes/(1e12/200) + 1) / 2
}

func hundredths(n int64) string {
	return fmt.Sprintf("%d.%02d", n/100, n%100)
}

// Ctime writes seconds since the epoch as ctime(3) does in the local time
// zone, without its newline and cut to 24 characters, as mdadm prints every
// time it finds in a superblock.
func Ctime(sec int64) string {
	s := time.Unix(sec, 0).Format(time.ANSIC)
	return s[:min(len(s), 24)]
}

// Raid10Layout describes a raid10 layout as mdadm does after "Layout :" (util.c,
// print_r10_layout): " near=2", " far=2", " near=2, offset=2".
func Raid10Layout(layout int32) string {
	near, far := layout&0xff, layout>>8&0xff
	var b strings.Builder
	sep := ""
	if near != 1 {
		fmt.Fprintf(&b, " near=%d", near)
		sep = ","
	}
	if far != 1 {
		fmt.Fprintf(&b, "%s %s=%d", sep, farWord(layout), far)
	}
	if near*far == 1 {
		b.WriteString("NO REDUNDANCY")
	}
	return b.String()
}

// Raid10NewLayout describes the layout a raid10 is reshaped to, in the longer
// form that --detail and 0.90 superblocks use.
func Raid10NewLayout(layout int32) string {
	return fmt.Sprintf("near=%d, %s=%d", layout&0xff, farWord(layout), layout>>8&0xff)
}

// farWord names the far copies of a raid10 layout: bit 16 makes them "offset".
func farWord(layout int32) string {
	if layout&0x10000 != 0 {
		return "offset"
	}
	return "far"
}

// QuoteWord puts quotes around a word for mdadm.conf where it needs them
// (lib.c, print_quoted): the quote that is not in the word, changing from one
// to the other in the middle where both are.
func QuoteWord(s string) string {
	first := byte(0)
scan:
	for i := range len(s) {
		switch s[i] {
		case '\'', '"':
			first = s[i]
			break scan
		case ' ', '\t':
			first = s[i]
		}
	}
	if first == 0 {
		return s
	}
	q := byte('"')
	if first == '"' {
		q = '\''
	}
	var b strings.Builder
	b.WriteByte(q)
	for i := range len(s) {
		if s[i] == q {
			b.WriteByte(q)
			q ^= '"' ^ '\''
			b.WriteByte(q)
		}
		b.WriteByte(s[i])
	}
	b.WriteByte(q)
	return b.String()
}

// EscapeName makes an array's name fit for a file name below /dev/md
// (lib.c, print_escape).
func EscapeName(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch c {
		case ' ', '\t':
			b[i] = '_'
		case '/':
			b[i] = '-'
		}
	}
	return string(b)
}

// HumanChunk writes a chunk size as --examine-bitmap does: "64 MB". It uses the
// largest unit of which at least one fits, and drops the remainder.
func HumanChunk(bytes uint32) string {
	units := [...]string{"B", "KB", "MB", "GB"}
	i := 0
	for bytes>>10 != 0 {
		bytes >>= 10
		i++
	}
	return fmt.Sprintf("%d %s", bytes, units[i])
}
