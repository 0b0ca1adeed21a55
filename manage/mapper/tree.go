package mapper

import (
	"slices"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// Asker returns the state of a mapped device and the devices that it uses.
type Asker func(n dm.Number) (*dm.Info, []dm.Number, error)

// Tree says which device uses which. Its order is the one in which libdevmapper links
// devices (libdm-deptree.c, _add_dev), since dmsetup shows them in that order.
type Tree struct {
	major uint32
	ask   Asker
	root  TreeNode // not a device: it uses the devices that no other uses, and is used by those that use no other
	nodes map[dm.Number]*TreeNode
}

// TreeNode is a device in a [Tree].
type TreeNode struct {
	Number dm.Number
	Info   *dm.Info // nil for a device that is not a mapped one

	uses, usedBy []*TreeNode
}

// NewTree returns an empty tree. ask is called for devices with that major number, which
// is the one of mapped devices; other devices use none.
func NewTree(major uint32, ask Asker) *Tree {
	return &Tree{major: major, ask: ask, nodes: map[dm.Number]*TreeNode{}}
}

// Name returns a mapped device's name, and "" for other devices.
func (n *TreeNode) Name() string {
	if n.Info == nil {
		return ""
	}
	return n.Info.Name
}

// UUID returns a mapped device's UUID, and "" for other devices.
func (n *TreeNode) UUID() string {
	if n.Info == nil {
		return ""
	}
	return n.Info.UUID
}

// Add adds a device and all devices below it to the tree. After an error, the tree has
// what was found before.
func (t *Tree) Add(n dm.Number) error { return t.addBelow(&t.root, n) }

func (t *Tree) addBelow(parent *TreeNode, num dm.Number) error {
	if n, ok := t.nodes[num]; ok {
		t.link(parent, n)
		return nil
	}
	n := &TreeNode{Number: num}
	var deps []dm.Number
	if num.Major == t.major {
		var err error
		if n.Info, deps, err = t.ask(num); err != nil {
			return err
		}
	}
	t.nodes[num] = n
	t.link(parent, n)
	if len(deps) == 0 {
		t.link(n, &t.root)
		return nil
	}
	for _, d := range deps {
		if err := t.addBelow(n, d); err != nil {
			return err
		}
	}
	return nil
}

// link puts child below parent. The root is a parent only of nodes without another
// parent, and a child only of nodes without another child.
func (t *Tree) link(parent, child *TreeNode) {
	switch {
	case parent != &t.root:
		unlink(&t.root, child)
	case len(t.Users(child)) > 0:
		return
	}
	switch {
	case child != &t.root:
		unlink(parent, &t.root)
	case len(t.Used(parent)) > 0:
		return
	}
	if !slices.Contains(parent.uses, child) {
		parent.uses = append(parent.uses, child)
		child.usedBy = append(child.usedBy, parent)
	}
}

func unlink(parent, child *TreeNode) {
	parent.uses = slices.DeleteFunc(parent.uses, func(n *TreeNode) bool { return n == child })
	child.usedBy = slices.DeleteFunc(child.usedBy, func(n *TreeNode) bool { return n == parent })
}

// Node returns the device with that number, nil if it is not in the tree.
func (t *Tree) Node(n dm.Number) *TreeNode { return t.nodes[n] }

// Used returns the devices that a device uses.
func (t *Tree) Used(n *TreeNode) []*TreeNode { return t.withoutRoot(n.uses) }

// Users returns the devices that use a device.
func (t *Tree) Users(n *TreeNode) []*TreeNode { return t.withoutRoot(n.usedBy) }

// withoutRoot removes the root from the neighbours of a node; it is among them only if
// there are no others.
func (t *Tree) withoutRoot(nodes []*TreeNode) []*TreeNode {
	if slices.Contains(nodes, &t.root) {
		return nil
	}
	return nodes
}

// Top returns the devices that no other uses, from which Used leads to all devices.
func (t *Tree) Top() []*TreeNode { return t.root.uses }

// Bottom returns the devices that use no other, from which Users leads to all devices.
func (t *Tree) Bottom() []*TreeNode { return t.root.usedBy }
