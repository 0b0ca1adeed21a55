package dm

import (
	"math/bits"
	"strconv"
	"strings"
)

// powerOfTwo is is_power_of_2: zero does not count as one.
func powerOfTwo[T uint32 | uint64](n T) bool { return bits.OnesCount64(uint64(n)) == 1 }

// join joins the words that are not empty with blanks.
func join(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		if w == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

func utoa[T uint8 | uint16 | uint32 | uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
