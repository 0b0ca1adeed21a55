package dmsetup

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// node is a device in the tree of dependencies. The root, which stands for no
// device, is used by those that use nothing and uses those that nobody uses.
type node struct {
	num    dm.Number
	info   *dm.Info // nil for a device that is not a mapped one, or is gone
	name   string   // empty if info is nil
	uuid   string
	uses   []*node
	usedBy []*node
}

// children are the nodes below: those that this one uses or, upside down,
// those that use it. The root is not among them.
func (n *node) children(t *tree, inverted bool) []*node {
	below := n.uses
	if inverted {
		below = n.usedBy
	}
	if n != &t.root && slices.Contains(below, &t.root) {
		return nil
	}
	return below
}

// tree is who stands on whom.
type tree struct {
	root  node
	nodes map[dm.Number]*node
}

// dependencies asks for a device's state and what it uses. A device that is
// not a mapped one has no state.
type dependencies func(n dm.Number) (*dm.Info, []dm.Number, error)

func newTree() *tree { return &tree{nodes: map[dm.Number]*node{}} }

// add puts a device and all that is below it into the tree. The order in which
// nodes are linked is libdevmapper's (libdm-deptree.c, _add_dev), since it is
// the order in which they are shown.
func (t *tree) add(num dm.Number, ask dependencies) error { return t.addBelow(&t.root, num, ask) }

func (t *tree) addBelow(parent *node, num dm.Number, ask dependencies) error {
	if n, ok := t.nodes[num]; ok {
		t.link(parent, n)
		return nil
	}
	info, deps, err := ask(num)
	if err != nil {
		return err
	}
	n := &node{num: num, info: info}
	if info != nil {
		n.name, n.uuid = info.Name, info.UUID
	}
	t.nodes[num] = n
	t.link(parent, n)
	if info == nil || len(deps) == 0 {
		t.link(n, &t.root)
		return nil
	}
	for _, d := range deps {
		if err := t.addBelow(n, d, ask); err != nil {
			return err
		}
	}
	return nil
}

// link puts child below parent. The root is a parent only of those that have
// no other, and a child only of those that have no other.
func (t *tree) link(parent, child *node) {
	if parent == &t.root {
		if len(child.children(t, true)) > 0 {
			return
		}
	} else {
		unlink(&t.root, child)
	}
	if child == &t.root {
		if len(parent.children(t, false)) > 0 {
			return
		}
	} else {
		unlink(parent, &t.root)
	}
	if !slices.Contains(parent.uses, child) {
		parent.uses = append(parent.uses, child)
		child.usedBy = append(child.usedBy, parent)
	}
}

func unlink(parent, child *node) {
	without := func(list []*node, n *node) []*node {
		return slices.DeleteFunc(list, func(m *node) bool { return m == n })
	}
	if slices.Contains(parent.uses, child) {
		parent.uses = without(parent.uses, child)
		child.usedBy = without(child.usedBy, parent)
	}
}

// trees knows which device stands on which.
type trees struct {
	*dmtask.Devices
	devices *tree     // nil until it has been asked
	style   treeStyle // how ls --tree draws
}

// drawTree is ls --tree.
func (s *trees) drawTree() error {
	failed := s.wholeTree()
	if s.devices == nil {
		return failed
	}
	if s.Line.Has(dmopt.JSON) {
		s.Show(s.treeJSON()...)
		return failed
	}
	return errors.Join(failed, s.devices.draw(s.Out, s.style, func(n *node) (string, bool) { return mapper.KernelName(sysfs.Host, n.num) }))
}

// wholeTree reads who stands on whom, once. What it found before a failure is
// there all the same.
func (s *trees) wholeTree() error {
	if s.devices != nil {
		return nil
	}
	list, err := s.AskList()
	if err != nil {
		return err
	}
	s.devices = newTree()
	if len(list) == 0 && !s.Line.Has(dmopt.JSON) {
		fmt.Fprintln(s.Out, "No devices found")
	}
	major := mapper.Major(sysfs.Host)
	var failed error
	for _, e := range list {
		err := s.devices.add(e.Number, func(n dm.Number) (*dm.Info, []dm.Number, error) {
			if n.Major != major {
				return nil, nil, nil
			}
			i, deps, err := s.AskDeps(dmtask.Device{Num: n, ByNum: true}, false)
			if err != nil {
				_ = s.Complain(err)
				return nil, nil, s.Refuse("_deps: task run failed for (%v)", n)
			}
			return i, deps, nil
		})
		failed = errors.Join(failed, err)
	}
	return failed
}

func (s *trees) treeJSON() []any {
	t := s.devices
	top := t.root.uses
	if s.style.upward {
		top = t.root.usedBy
	}
	var rows []any
	for _, n := range top {
		rows = append(rows, t.json(n, s.style.upward))
	}
	return rows
}
