package message

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// toCore judges what never reaches a target (dm-ioctl.c message_for_md, dm-stats.c
// dm_stats_message).
func (m *mail) toCore() error {
	m.Line.Type = "" // the reason has nothing to do with it
	least, most := 0, 0
	judge := (*mail).region
	switch strings.ToLower(m.words[0]) {
	case "@cancel_deferred_remove":
		if m.rest() > 0 {
			return m.fail("", "Invalid arguments for @cancel_deferred_remove")
		}
		return nil
	case "@stats_create":
		least, most, judge = 2, math.MaxInt, (*mail).newRegion
	case "@stats_delete", "@stats_clear":
		least, most = 1, 1
	case "@stats_list":
		return m.statistics(m.rest() > 1, "it takes the id of a program, and no more")
	case "@stats_print", "@stats_print_clear":
		least, most = 1, 3
	case "@stats_set_aux":
		least, most = 2, 2
	default:
		return m.fail("", "Unsupported message sent to DM core: "+m.words[0])
	}
	if n := m.rest(); n < least || n > most || most == 3 && n == 2 {
		return m.statistics(true, fmt.Sprintf("%d words do not go with it", n))
	}
	return judge(m)
}

// statistics refuses a message for the statistics in the words that dm_stats_message logs
// whatever is wrong, and says what is.
func (m *mail) statistics(wrong bool, why string) error {
	if !wrong {
		return nil
	}
	return m.because("Invalid parameters for message "+m.words[0], why)
}

// region judges the id of a region.
func (m *mail) region() error {
	id, ok := lex.ScanU32(m.words[1])
	return m.statistics(!ok || int32(id) < 0, m.words[1]+" is not the id of a region") //nolint:gosec // as "%d" reads it
}

// newRegion is message_stats_create and the first lines of dm_stats_create.
func (m *mail) newRegion() error {
	area, step := m.words[1], m.words[2]
	if start, length, ok := strings.Cut(area, "+"); area != "-" {
		from, ok1 := lex.ScanU64(start)
		n, ok2 := lex.ScanU64(length)
		switch {
		case !ok || !ok1 || !ok2:
			return m.statistics(true, area+" is not START+LENGTH in sectors, nor - for the whole device")
		case from+n <= from:
			return m.statistics(true, "a region of "+length+" sectors at "+start+" is empty, or ends beyond the last sector there can be")
		}
	}
	if divisor, ok := strings.CutPrefix(step, "/"); ok {
		n, ok := lex.ScanU32(divisor)
		if !ok || n == 0 {
			return m.statistics(true, step+" is not a slash and a number of areas")
		}
	} else if n, ok := lex.ScanU64(step); !ok || n == 0 {
		return m.statistics(true, step+" is not the size of an area in sectors, nor a slash and a number of areas")
	}
	return m.features(m.words[3:])
}

// features judges what follows the step: a number of features and these, then a program
// and its data, each of which may be left out.
func (m *mail) features(words []string) error {
	if len(words) > 0 {
		if n, ok := lex.ScanU32(words[0]); ok {
			words = words[1:]
			if int64(n) > int64(len(words)) {
				return m.statistics(true, fmt.Sprintf("%d features are announced, and %d words follow", n, len(words)))
			}
			if err := m.known(words[:n]); err != nil {
				return err
			}
			words = words[n:]
		}
	}
	return m.statistics(len(words) > 2, strconv.Itoa(len(words))+" words follow where a program and its data may")
}

// known judges the names of features.
func (m *mail) known(features []string) error {
	histograms := 0
	for _, f := range features {
		bounds, ok := cutPrefixFold(f, "histogram:")
		switch {
		case strings.EqualFold(f, "precise_timestamps"):
		case !ok:
			return m.statistics(true, "there is no feature "+f)
		case !rising(bounds):
			return m.statistics(true, bounds+" are not bounds in nanoseconds, each above the one before")
		default:
			histograms++
		}
	}
	return m.statistics(histograms > 1, "it takes one histogram")
}

// rising reports whether parse_histogram takes the bounds.
func rising(bounds string) bool {
	last := uint64(0)
	for word := range strings.SplitSeq(bounds, ",") {
		n, ok := lex.ScanU64(word)
		if !ok || n <= last {
			return false
		}
		last = n
	}
	return true
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
