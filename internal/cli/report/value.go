package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Value is a cell: what it shows, and the value for sorting and selecting.
type Value struct {
	Text string
	raw  uint64   // of numbers, percentages and times; for a size, its bits
	list []string // of lists, in order
	json any
}

// Text makes a cell of text.
func Text(s string) Value { return Value{Text: s, json: s} }

// Int makes a cell of a signed number. A negative number sorts and selects as the large
// unsigned number with the same bits, as in the original.
func Int(n int64) Value {
	return Value{Text: strconv.FormatInt(n, 10), raw: uint64(n), json: n}
}

// Uint makes a cell of an unsigned number.
func Uint(n uint64) Value {
	return Value{Text: strconv.FormatUint(n, 10), raw: n, json: n}
}

// Named makes a cell of a number that is shown as a word, such as "-" for none; its JSON
// value is shown.
func Named(text string, n uint64, shown any) Value {
	return Value{Text: text, raw: n, json: shown}
}

// Sectors makes the cell of a size of n 512-byte sectors, shown as text. In JSON it is a
// number of bytes.
func Sectors(text string, n float64) Value {
	return Value{Text: text, raw: math.Float64bits(n), json: uint64(n * 512)}
}

// Real makes a cell of a real number, which a column of numbers sorts by its bits: that
// is correct for numbers that are not negative.
func Real(text string, n float64) Value {
	return Value{Text: text, raw: math.Float64bits(n), json: n}
}

// percentOne is one percent, DM_PERCENT_1 of libdm/libdevmapper.h.
const percentOne = 1_000_000

// Parts makes a cell of a percentage, in millionths of a percent like libdevmapper's
// dm_percent_t. It is shown with two decimal places, but only nothing is shown as 0.00
// and only all as 100.00.
func Parts(millionths int32) Value {
	const hundred, least = 100 * percentOne, percentOne / 100
	v := Value{raw: uint64(int64(millionths)), json: float64(millionths) / percentOne}
	f := float32(millionths) / percentOne
	switch {
	case millionths < least && millionths > 0:
		f = 0.01
	case millionths > hundred-least && millionths < hundred:
		f = float32(hundred-least) / percentOne
	}
	v.Text = strconv.FormatFloat(float64(f), 'f', 2, 64)
	return v
}

// Strings makes a cell of a set of strings, shown in order with the delimiter between
// them.
func Strings(list []string, delimiter string) Value {
	list = append([]string{}, list...)
	slices.Sort(list)
	return Value{Text: strings.Join(list, delimiter), list: list, json: list}
}

// Seconds makes a cell of a time, in seconds since 1970, shown as text.
func Seconds(text string, t int64) Value {
	return Value{Text: text, raw: uint64(t), json: t}
}
