package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size prints a number of bytes for people: "512 bytes", "1.5 MiB", "4 GiB".
func Size(bytes int64) string {
	const units = "KMGTPE"
	if bytes < 1<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, unit := float64(bytes)/(1<<10), 0
	for value >= 1<<10 && unit < len(units)-1 {
		value /= 1 << 10
		unit++
	}
	text := fmt.Sprintf("%.1f", value)
	if value == float64(int64(value)) {
		text = fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%s %ciB", text, units[unit])
}

// ParseSize reads a number of bytes with an optional unit, a letter of
// K, M, G, T, P and E for powers of 1024: "512", "50M", "1g".
func ParseSize(text string) (int64, error) {
	digits, shift := text, 0
	if n := len(text); n > 0 {
		if i := strings.IndexByte("KMGTPE", text[n-1]&^0x20); i >= 0 {
			digits, shift = text[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size: want a number and perhaps one of K, M, G, T, P, E", text)
	}
	return n << shift, nil
}

// Choose returns one of two texts.
func Choose(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}
