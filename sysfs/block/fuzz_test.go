package block

import (
	"strings"
	"testing"
)

// FuzzUses hands any text to the readers of mountinfo and swaps: neither panics
// or makes anything up, and a line after the text is still read.
func FuzzUses(f *testing.F) {
	f.Add("21 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n")
	f.Add("22 21 0:40 / /mnt/a\\040b rw - btrfs /dev/sda rw")
	f.Add("/dev/sda10 partition 1024 0 -2")
	f.Add(`/\400\04 \\ - -`)
	f.Fuzz(func(t *testing.T, text string) {
		mounts := parseMountinfo(text + "\n21 1 8:1 / /last rw - ext4 /dev/sda1 rw\n")
		if m := mounts[len(mounts)-1]; m.by != "/last" || m.name != "sda1" || m.num != (Num{8, 1}) {
			t.Errorf("%+v", m)
		}
		swaps := parseSwaps(text + "\n/dev/sda2 partition 1 0 -2\n")
		if s := swaps[len(swaps)-1]; s.name != "sda2" || s.kind != HeldBySwap {
			t.Errorf("%+v", s)
		}
		if lines := strings.Count(text, "\n") + 2; len(mounts) > lines || len(swaps) > lines {
			t.Errorf("%d mounts and %d swaps in %d lines", len(mounts), len(swaps), lines)
		}
		if n, err := ParseNum(text); err == nil {
			if again, err := ParseNum(n.String()); err != nil || again != n {
				t.Errorf("%q is %v, read back as %v, %v", text, n, again, err)
			}
		}
	})
}
