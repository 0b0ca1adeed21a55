package node

import (
	"slices"
	"testing"
)

// TestNodesChoose: the shortest name wins, except for names in /dev/md and preferred
// ones; among equally long names, the last.
func TestNodesChoose(t *testing.T) {
	var n Nodes
	for _, tc := range []struct {
		names  []string
		prefer string
		want   string
	}{
		{[]string{"/dev/disk/by-id/wwn-1", "/dev/sda"}, "", "/dev/sda"},
		{[]string{"/dev/disk/by-id/wwn-1", "/dev/sda"}, "/by-id/", "/dev/disk/by-id/wwn-1"},
		{[]string{"/dev/md0", "/dev/md/home", "/dev/md/h"}, "", "/dev/md/h"},
		{[]string{"/dev/xa", "/dev/xb"}, "", "/dev/xb"},
		{nil, "", ""},
	} {
		if got := n.choose(tc.names, tc.prefer); got != tc.want {
			t.Errorf("of %v preferring %q: %q, want %q", tc.names, tc.prefer, got, tc.want)
		}
	}
}

func TestParsePartitions(t *testing.T) {
	text := "major minor  #blocks  name\n\n   8        0  488386584 sda\n 259        1      524288 nvme0n1p1\n   x        1 2 y\n"
	if got, want := parsePartitions(text), [][2]uint32{{259, 1}, {8, 0}}; !slices.Equal(got, want) {
		t.Errorf("parsed %v, want %v", got, want)
	}
}
