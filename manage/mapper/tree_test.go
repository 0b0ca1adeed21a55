package mapper

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// mappedMajor is the major number of mapped devices in a stack.
const mappedMajor = 253

// stack describes the devices of a test: what each mapped device uses. Minor numbers
// from 100 on are those of disks.
type stack struct {
	uses      map[uint32][]uint32
	suspended []uint32
	gone      uint32 // fails when asked about; 0 for none
	asked     []uint32
}

func (s *stack) number(minor uint32) dm.Number {
	if minor >= 100 {
		return dm.Number{Major: 8, Minor: minor - 100}
	}
	return dm.Number{Major: mappedMajor, Minor: minor}
}

func (s *stack) below(minor uint32) (list []dm.Number) {
	for _, m := range s.uses[minor] {
		list = append(list, s.number(m))
	}
	return list
}

var errGone = errors.New("gone")

func (s *stack) ask(n dm.Number) (*dm.Info, []dm.Number, error) {
	s.asked = append(s.asked, n.Minor)
	if n.Minor == s.gone && s.gone != 0 {
		return nil, nil, errGone
	}
	info := &dm.Info{Name: fmt.Sprint("d", n.Minor), UUID: fmt.Sprint("u", n.Minor), Number: n}
	if slices.Contains(s.suspended, n.Minor) {
		info.Flags |= dm.FlagSuspend
	}
	return info, s.below(n.Minor), nil
}

// drawn shows nodes and all that is below them: "d1(d0(8:0)) d2".
func drawn(nodes []*TreeNode, below func(*TreeNode) []*TreeNode) string {
	var words []string
	for _, n := range nodes {
		word := n.Name()
		if word == "" {
			word = n.Number.String()
		}
		if list := below(n); len(list) > 0 {
			word += "(" + drawn(list, below) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// TestTree shows which device uses which, from above and from below, in the order in
// which devices were linked.
func TestTree(t *testing.T) {
	for _, c := range []struct {
		name             string
		uses             map[uint32][]uint32
		gone             uint32
		add              []uint32
		failed           bool
		downward, upward string
	}{
		{name: "nothing"},
		{
			name: "one on a disk", uses: map[uint32][]uint32{0: {100}}, add: []uint32{0},
			downward: "d0(8:0)", upward: "8:0(d0)",
		},
		{
			name: "one on nothing", add: []uint32{0},
			downward: "d0", upward: "d0",
		},
		{
			name: "below first", uses: map[uint32][]uint32{0: {100}, 1: {0}}, add: []uint32{0, 1},
			downward: "d1(d0(8:0))", upward: "8:0(d0(d1))",
		},
		{
			name: "above first", uses: map[uint32][]uint32{0: {100}, 1: {0}}, add: []uint32{1, 0},
			downward: "d1(d0(8:0))", upward: "8:0(d0(d1))",
		},
		{
			name: "two on one", uses: map[uint32][]uint32{0: {101, 100}, 1: {0}, 2: {0, 0}}, add: []uint32{2, 1, 0},
			downward: "d2(d0(8:1 8:0)) d1(d0(8:1 8:0))", upward: "8:1(d0(d2 d1)) 8:0(d0(d2 d1))",
		},
		{
			name: "one that is gone", uses: map[uint32][]uint32{1: {100, 5}, 2: {100}}, gone: 5, add: []uint32{1, 2},
			failed: true, downward: "d1(8:0) d2(8:0)", upward: "8:0(d1 d2)",
		},
	} {
		s := &stack{uses: c.uses, gone: c.gone}
		tree := NewTree(mappedMajor, s.ask)
		var failed error
		for _, minor := range c.add {
			failed = errors.Join(failed, tree.Add(s.number(minor)))
		}
		gone := errors.Is(failed, errGone)
		if gone != c.failed || !gone && failed != nil {
			t.Errorf("%s: %v", c.name, failed)
		}
		if got := drawn(tree.Top(), tree.Used); got != c.downward {
			t.Errorf("%s: from above %s, want %s", c.name, got, c.downward)
		}
		if got := drawn(tree.Bottom(), tree.Users); got != c.upward {
			t.Errorf("%s: from below %s, want %s", c.name, got, c.upward)
		}
	}
}

// TestTreeNode shows what is known about a device in a tree.
func TestTreeNode(t *testing.T) {
	s := &stack{uses: map[uint32][]uint32{0: {100}}}
	tree := NewTree(mappedMajor, s.ask)
	must(t, tree.Add(s.number(0)))
	if n := tree.Node(s.number(0)); n == nil || n.Name() != "d0" || n.UUID() != "u0" || n.Info == nil {
		t.Errorf("mapped device %+v", n)
	}
	if n := tree.Node(s.number(100)); n == nil || n.Name() != "" || n.UUID() != "" || n.Info != nil {
		t.Errorf("disk %+v", n)
	}
	if n := tree.Node(s.number(1)); n != nil {
		t.Errorf("unknown device %+v", n)
	}
	if !slices.Equal(s.asked, []uint32{0}) {
		t.Errorf("asked about %v", s.asked)
	}
}
