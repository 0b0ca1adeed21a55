package stats

import (
	"fmt"
	"strconv"
	"strings"
)

// Create describes a region to be created.
type Create struct {
	Start  uint64 // 512-byte sectors
	Length uint64 // 512-byte sectors; 0 with Start 0 means the whole device

	Areas uint64 // number of areas; 0 if Step says how large they are
	Step  uint64 // size of an area, 512-byte sectors, if Areas is 0

	Precise bool   // count nanoseconds; bounds below a millisecond imply it
	Bounds  Bounds // nil for no histogram
	Program string // empty for none
	User    string // empty for none
}

// Message is the message that creates the region.
func (c Create) Message() (string, error) {
	if err := c.Bounds.check(); err != nil {
		return "", err
	}
	where := "-"
	if c.Start != 0 || c.Length != 0 {
		where = fmt.Sprintf("%d+%d", c.Start, c.Length)
	}
	step := strconv.FormatUint(c.Step, 10)
	if c.Areas != 0 {
		step = "/" + strconv.FormatUint(c.Areas, 10)
	}
	var options []string
	precise := c.Precise || c.Bounds.Precise()
	if precise {
		options = append(options, "precise_timestamps")
	}
	if c.Bounds != nil {
		scale := uint64(Millisecond)
		if precise {
			scale = 1
		}
		options = append(options, "histogram:"+c.Bounds.argument(scale))
	}
	words := []string{"@stats_create", where, step}
	if len(options) > 0 {
		words = append(words, strconv.Itoa(len(options)))
		words = append(words, options...)
	}
	// Without a program id the word that follows would be taken for it.
	if c.Program != "" || c.User != "" {
		words = append(words, c.Program, c.User)
	}
	return strings.TrimRight(strings.Join(words, " "), " "), nil
}

// NumAreas is how many areas the region will have; length is that of the
// region, 512-byte sectors.
func (c Create) NumAreas(length uint64) uint64 {
	switch {
	case length == 0:
		return 1
	case c.Areas != 0:
		return c.Areas
	}
	return numAreas(length, c.Step)
}

// ParseCreated reads the reply to @stats_create, the id of the new region.
func ParseCreated(reply string) (uint64, error) {
	id, err := strconv.ParseUint(strings.TrimSpace(reply), 10, 64)
	if err != nil {
		return 0, &Error{Message: "@stats_create", Reason: fmt.Sprintf("%q is not a region", reply)}
	}
	return id, nil
}

// ListMessage asks for the regions that a program has created, or for all if
// program is empty.
func ListMessage(program string) string {
	if program == "" {
		return "@stats_list"
	}
	return "@stats_list " + program
}

// PrintMessage asks for a region's counters, and resets them to zero if wanted.
func PrintMessage(id uint64, clear bool) string {
	if clear {
		return fmt.Sprintf("@stats_print_clear %d", id)
	}
	return fmt.Sprintf("@stats_print %d", id)
}

// ClearMessage resets a region's counters to zero.
func ClearMessage(id uint64) string { return fmt.Sprintf("@stats_clear %d", id) }

// DeleteMessage removes a region.
func DeleteMessage(id uint64) string { return fmt.Sprintf("@stats_delete %d", id) }

// AuxMessage writes a region's user data, which must not be empty or contain
// blanks.
func AuxMessage(id uint64, user string) string { return fmt.Sprintf("@stats_set_aux %d %s", id, user) }
