package stats

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bounds are the boundaries of a histogram's bins, in nanoseconds: the first
// bin counts what took less than the first bound, the last what took longer
// than the last.
type Bounds []uint64

// ErrBounds is matched by all errors about bounds.
var ErrBounds = errors.New("wrong histogram bounds")

// BoundsError is a list of bounds that cannot be read.
type BoundsError struct {
	Text  string
	Char  byte // the character that does not belong; 0 at the end
	Empty bool // a bound is missing between two commas
	Order bool // a bound is smaller than the one before
}

// Error says what is wrong.
func (e *BoundsError) Error() string {
	switch {
	case e.Empty:
		return fmt.Sprintf("%v: %q: a bound is missing", ErrBounds, e.Text)
	case e.Order:
		return fmt.Sprintf("%v: they must rise", ErrBounds)
	}
	return fmt.Sprintf("%v: %q: unexpected %q", ErrBounds, e.Text, e.Char)
}

// Is matches ErrBounds.
func (e *BoundsError) Is(target error) bool { return target == ErrBounds }

// ParseBounds reads bounds as users write them: numbers separated by commas,
// each optionally followed by a unit of ns, us, ms or s. A bound without a unit
// has the unit of the one before it, the first one ns (libdm-stats.c
// dm_histogram_bounds_from_string). There is one bound more than there are
// commas; a missing one is 0.
func ParseBounds(text string) (Bounds, error) {
	var list Bounds
	unit := uint64(1)
	s := text
	for first := true; first || s != ""; first = false {
		at := func(i int) byte {
			if i < len(s) {
				return s[i]
			}
			return 0
		}
		if at(0) == ',' {
			return nil, &BoundsError{Text: text, Empty: true}
		}
		if at(0) == 0 || !strings.ContainsRune("0123456789muns", rune(at(0))) {
			return nil, &BoundsError{Text: text, Char: at(0)}
		}
		n := 0
		for at(n) >= '0' && at(n) <= '9' {
			n++
		}
		value, err := strconv.ParseUint("0"+s[:n], 10, 64)
		if err != nil {
			value = math.MaxUint64
		}
		s = s[n:]
		units := map[byte]uint64{'m': Millisecond, 'u': 1000, 'n': 1}
		switch {
		case at(0) == 's':
			unit, s = 1000*Millisecond, s[1:]
		case at(1) == 's' && at(0) != 0:
			u, ok := units[at(0)]
			if !ok {
				return nil, &BoundsError{Text: text, Char: at(0)}
			}
			unit, s = u, s[2:]
		case at(0) == ',':
			s = s[1:] // so that a second comma is accepted too
		case at(0) != 0:
			return nil, &BoundsError{Text: text, Char: at(0)}
		}
		s = strings.TrimPrefix(s, ",")
		if len(list) > strings.Count(text, ",") {
			return nil, &BoundsError{Text: text, Char: at(0)} // the original writes beyond its memory here
		}
		list = append(list, value*unit)
	}
	for len(list) <= strings.Count(text, ",") {
		list = append(list, 0) // which is then refused as out of order
	}
	return list, nil
}

// Precise reports whether the bounds need a region that counts nanoseconds.
func (b Bounds) Precise() bool {
	for _, v := range b {
		if v%Millisecond != 0 {
			return true
		}
	}
	return false
}

// check refuses bounds that are not in ascending order.
func (b Bounds) check() error {
	for i := 1; i < len(b); i++ {
		if b[i] < b[i-1] {
			return &BoundsError{Order: true}
		}
	}
	return nil
}

// argument is the bounds as the kernel takes them, in the region's unit of
// time.
func (b Bounds) argument(scale uint64) string {
	var s strings.Builder
	for i, v := range b {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strconv.FormatUint(v/scale, 10))
	}
	return s.String()
}
