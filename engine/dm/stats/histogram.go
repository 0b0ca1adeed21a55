package stats

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Show says which parts of a histogram are written.
type Show struct {
	Values  bool // how many requests each bin counts
	Percent bool // or its share of the total
	Lower   bool // the lower bound of each bin
	Ranges  bool // or both bounds; the last bin has ">bound"
	Plain   bool // bounds in nanoseconds without units
	Tight   bool // no columns: ':' between bins
}

// Widths in libdm-stats.c: of a bound, with and without unit, and of a value.
const (
	boundWidth      = 6
	plainBoundWidth = 10
	valueWidth      = 6
)

// Histogram is a set of counts with the bounds of their bins.
type Histogram struct {
	Bounds Bounds
	Counts []uint64 // one more than Bounds; nil for a region not read yet: all zero
}

// Format writes a histogram on one line, as libdm's dm_histogram_to_string.
func (h Histogram) Format(s Show) string {
	var b strings.Builder
	least := valueWidth
	if s.Tight || !s.Values {
		least = 0
	}
	separator := ""
	if s.Values && least == 0 {
		separator = ":"
	}
	var sum uint64
	for _, n := range h.Counts {
		sum += n
	}
	bins := len(h.Bounds) + 1
	for bin := range bins {
		width := least
		if s.Lower || s.Ranges {
			column := plainBoundWidth
			if !s.Plain {
				column = boundWidth
			}
			if width == 0 {
				column = 0
			}
			bound := h.bound(bin, s, column)
			b.WriteString(bound)
			if separator = ","; width == 0 && s.Values {
				separator = ":"
			}
			if width > 0 {
				width = max(width-(len(bound)-(column+1)), 0)
			}
		}
		var count uint64
		if bin < len(h.Counts) {
			count = h.Counts[bin]
		}
		switch {
		case s.Percent:
			fmt.Fprintf(&b, "%*.2f%%", width, float64(float32(h.part(bin, count, sum))/percentOne))
		case s.Values:
			fmt.Fprintf(&b, "%*d", width, count)
		}
		if bin < bins-1 && (s.Values || s.Percent || s.Lower || s.Ranges) {
			b.WriteString(separator)
		}
	}
	return b.String()
}

// part is a bin's share of the total, in millionths of a percent.
func (h Histogram) part(bin int, count, sum uint64) int32 {
	if sum == 0 || count == 0 || h.upper(bin) == h.lower(bin) {
		return 0
	}
	return millionths(count, sum)
}

func (h Histogram) lower(bin int) uint64 {
	if bin == 0 {
		return 0
	}
	return h.Bounds[bin-1]
}

func (h Histogram) upper(bin int) uint64 {
	if bin == len(h.Bounds) {
		return math.MaxUint64
	}
	return h.Bounds[bin]
}

// bound writes a bin's bounds, in a column of at least width.
func (h Histogram) bound(bin int, s Show, width int) string {
	end := ""
	if s.Values {
		end = ":"
	}
	lower := duration(h.lower(bin), s.Plain)
	switch {
	case !s.Ranges:
		return fmt.Sprintf("%*s%s", width, lower, end)
	case bin == len(h.Bounds):
		return fmt.Sprintf("%*s%s", width, ">"+lower, end)
	}
	return lower + "-" + duration(h.upper(bin), s.Plain) + end
}

// duration writes a time in the largest unit that divides it.
func duration(ns uint64, plain bool) string {
	text := func(n uint64) string { return strconv.FormatUint(n, 10) }
	switch {
	case plain:
		return text(ns)
	case ns%second == 0:
		return text(ns/second) + "s"
	case ns%Millisecond == 0:
		return text(ns/Millisecond) + "ms"
	case ns%1000 == 0:
		return text(ns/1000) + "us"
	}
	return text(ns) + "ns"
}

// SameBins reports whether two histograms can be added.
func (b Bounds) SameBins(o Bounds) bool { return slices.Equal(b, o) }
