package mapper

import (
	"slices"
	"testing"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// TestInOrder shows that a device comes after what it uses, and moves for no other
// reason.
func TestInOrder(t *testing.T) {
	for _, c := range []struct {
		name       string
		list, want []uint32
		uses       map[uint32][]uint32
	}{
		{name: "nothing"},
		{name: "none uses another", list: []uint32{3, 1, 2}, want: []uint32{3, 1, 2}, uses: map[uint32][]uint32{3: {100}}},
		{name: "right already", list: []uint32{1, 2}, want: []uint32{1, 2}, uses: map[uint32][]uint32{2: {1}}},
		{name: "a chain upside down", list: []uint32{3, 2, 1, 4}, want: []uint32{1, 2, 3, 4}, uses: map[uint32][]uint32{3: {2}, 2: {1}}},
		{name: "two below", list: []uint32{3, 1, 2}, want: []uint32{2, 1, 3}, uses: map[uint32][]uint32{3: {2, 1}}},
		{name: "one that is not listed", list: []uint32{3, 1}, want: []uint32{3, 1}, uses: map[uint32][]uint32{3: {2}, 2: {1}}},
		{name: "a circle", list: []uint32{1, 2}, want: []uint32{2, 1}, uses: map[uint32][]uint32{1: {2}, 2: {1}}},
	} {
		s := &stack{uses: c.uses}
		uses := make(map[dm.Number][]dm.Number)
		for minor := range c.uses {
			uses[s.number(minor)] = s.below(minor)
		}
		var list []dm.Entry
		for _, minor := range c.list {
			list = append(list, dm.Entry{Number: s.number(minor)})
		}
		var got []uint32
		for _, e := range inOrder(list, uses) {
			got = append(got, e.Number.Minor)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
