package node

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// FuzzParseMap parses any text as a map of arrays: what it understands, written again,
// parses to the same entries.
func FuzzParseMap(f *testing.F) {
	f.Add("md127 1.2 818ca0a2:00000001:00000002:ffffffff /dev/md/home\nmd0 0.90 1:2:3:4 /dev/md0\n")
	f.Add("md0 1.2 1:2:3 /dev/md0\n\nmd1 external:/md127/0 0:0:0:0:0 x\nmd2\t1.0 +1:2:3:4 a b c")
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, 4*len(text), func() {
			entries := parseMap(text)
			if len(entries) > strings.Count(text, "\n")+1 {
				t.Fatalf("%d entries in %q", len(entries), text)
			}
			var b strings.Builder
			for _, e := range slices.Backward(entries) {
				fmt.Fprintf(&b, "%s %s %v %s\n", e.Name, e.Metadata, e.UUID, e.Path)
			}
			if again := parseMap(b.String()); !reflect.DeepEqual(again, entries) {
				t.Fatalf("%q reads as %v, then %v", text, entries, again)
			}
		})
	})
}

// FuzzParsePartitions parses any text as /proc/partitions.
func FuzzParsePartitions(f *testing.F) {
	f.Add("major minor  #blocks  name\n\n   8        0  976762584 sda\n   8        1     524288 sda1\n 259        0  500107608 nvme0n1\n   9      127    1046528 md127\n")
	f.Add(" 4294967295 4294967295 0 x\n 4294967296 0 0 y\n 8\n -1 2\n8 0 1 sda")
	f.Add(strings.Repeat(" 8 0\n", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, 4*len(text), func() {
			devs := parsePartitions(text)
			if len(devs) > strings.Count(text, "\n")+1 {
				t.Fatalf("%d devices in %q", len(devs), text)
			}
			var b strings.Builder
			for _, d := range slices.Backward(devs) {
				fmt.Fprintf(&b, "%4d  %7d %10d x\n", d[0], d[1], 1)
			}
			if again := parsePartitions(" " + strings.ReplaceAll(b.String(), "\n", "\n ")); !slices.Equal(again, devs) {
				t.Fatalf("%q reads as %v, then %v", text, devs, again)
			}
		})
	})
}
