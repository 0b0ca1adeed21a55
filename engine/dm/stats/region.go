// Package stats speaks the statistics interface of device-mapper: the @stats
// messages that every mapped device answers, whatever its targets
// (drivers/md/dm-stats.c), their replies, and what dmstats builds on them:
// groups of regions (kept in the regions' own user data), histograms and
// metrics (libdm/libdm-stats.c).
//
// A device has regions; a region is cut into areas of equal size, each with
// counters. All functions are pure: manage/mapper/stats sends the messages.
package stats

import (
	"fmt"
	"strconv"
	"strings"
)

// Millisecond is the unit in which the kernel counts time in regions without
// precise timestamps, in nanoseconds.
const Millisecond = 1_000_000

// Region is a region as @stats_list shows it.
type Region struct {
	ID      uint64
	Start   uint64 // 512-byte sectors
	Length  uint64 // 512-byte sectors
	Step    uint64 // size of an area, 512-byte sectors; the last may be smaller
	Program string // who created it; empty if not given
	User    string // user data, without the description of the group
	Precise bool   // times are counted in nanoseconds

	// Bounds are the upper ends of the histogram's bins except the last, in
	// nanoseconds; nil if there is no histogram.
	Bounds Bounds

	// Group is the group that the region leads: the description is kept in the
	// user data of the first member. nil for others.
	Group *Group

	// Areas are the counters, after ParsePrint.
	Areas []Area
}

// End is the first sector after the region.
func (r *Region) End() uint64 { return r.Start + r.Length }

// NumAreas is how many areas a region has; the last may be smaller.
func (r *Region) NumAreas() uint64 { return numAreas(r.Length, r.Step) }

func numAreas(length, step uint64) uint64 {
	if length == 0 || step == 0 {
		return 1
	}
	return (length-1)/step + 1
}

// Error marks a reply that makes no sense.
type Error struct {
	Message string // the message that was answered, such as "@stats_list"
	Line    int    // of the reply, from 1; 0 if there is none
	Reason  string
}

// Error names the message, the line and what is wrong with it.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("reply to %s: %s", e.Message, e.Reason)
	}
	return fmt.Sprintf("reply to %s, line %d: %s", e.Message, e.Line, e.Reason)
}

// ParseList reads the reply to @stats_list, of dm-stats.c dm_stats_list:
//
//	<id>: <start>+<length> <step> <program> <user data>[ precise_timestamps][ histogram:<ms or ns>,...]
//
// The regions come in the order of their ids, which is the kernel's. Descriptions
// of groups that make no sense are left out; they are returned as warnings.
func ParseList(reply string) (regions []*Region, warnings []error, err error) {
	number := 0
	for line := range strings.Lines(reply) {
		number++
		r, reason := parseRegion(strings.TrimSuffix(line, "\n"))
		if reason == "" && len(regions) > 0 && r.ID <= regions[len(regions)-1].ID {
			reason = fmt.Sprintf("region %d comes after region %d", r.ID, regions[len(regions)-1].ID)
		}
		if reason != "" {
			return nil, nil, &Error{"@stats_list", number, reason}
		}
		if err := r.takeGroup(); err != nil {
			warnings = append(warnings, err)
		}
		regions = append(regions, r)
	}
	return regions, warnings, nil
}

// parseRegion reads a line; reason says what is wrong with it.
func parseRegion(line string) (r *Region, reason string) {
	f := strings.Split(line, " ")
	if len(f) < 5 {
		return nil, fmt.Sprintf("%d words, not five or more", len(f))
	}
	start, length, ok := strings.Cut(f[1], "+")
	if !ok {
		return nil, fmt.Sprintf("%q is not a range", f[1])
	}
	r = &Region{Program: f[3], User: f[4]}
	for _, n := range []struct {
		to   *uint64
		text string
	}{{&r.ID, strings.TrimSuffix(f[0], ":")}, {&r.Start, start}, {&r.Length, length}, {&r.Step, f[2]}} {
		v, err := strconv.ParseUint(n.text, 10, 64)
		if err != nil {
			return nil, fmt.Sprintf("%q is not a number", n.text)
		}
		*n.to = v
	}
	if r.Start+r.Length < r.Start {
		return nil, fmt.Sprintf("the range %s ends after the last possible sector", f[1])
	}
	// A text that begins with '-' means none.
	if strings.HasPrefix(r.Program, "-") {
		r.Program = ""
	}
	if strings.HasPrefix(r.User, "-") {
		r.User = ""
	}
	for _, option := range f[5:] {
		bounds, histogram := strings.CutPrefix(option, "histogram:")
		switch {
		case option == "precise_timestamps":
			r.Precise = true
		case histogram:
			var err error
			if r.Bounds, err = parseBounds(bounds, ',', r.scale()); err != nil {
				return nil, err.Error()
			}
		default:
			return nil, fmt.Sprintf("option %q is not known", option)
		}
	}
	return r, ""
}

// scale is how many nanoseconds the kernel's unit of time has in the region.
func (r *Region) scale() uint64 {
	if r.Precise {
		return 1
	}
	return Millisecond
}

// parseBounds reads numbers of the kernel and scales them.
func parseBounds(text string, separator byte, scale uint64) ([]uint64, error) {
	var list []uint64
	for word := range strings.SplitSeq(text, string(separator)) {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a bound of a histogram", word)
		}
		list = append(list, n*scale)
	}
	return list, nil
}
