package dmsetup

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// trees knows which device stands on which.
type trees struct {
	*dmtask.Devices
	devices *mapper.Tree // nil until it has been asked
	style   treeStyle    // how ls --tree draws
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
	return errors.Join(failed, draw(s.devices, s.Out, s.style))
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
	s.devices = mapper.NewTree(mapper.Major(sysfs.Host), s.asker(func(n dm.Number) error {
		return s.Refuse("_deps: task run failed for (%v)", n)
	}))
	if len(list) == 0 && !s.Line.Has(dmopt.JSON) {
		fmt.Fprintln(s.Out, "No devices found")
	}
	var failed error
	for _, e := range list {
		failed = errors.Join(failed, s.devices.Add(e.Number))
	}
	return failed
}

// asker asks for devices by number. refuse says what the refusal of a question,
// which has been said, means; nil if that says it all.
func (s *trees) asker(refuse func(n dm.Number) error) mapper.Asker {
	return func(n dm.Number) (*dm.Info, []dm.Number, error) {
		i, deps, err := s.AskDeps(dmtask.Device{Num: n, ByNum: true}, false)
		if err != nil && refuse != nil {
			_ = s.Complain(err)
			return nil, nil, refuse(n)
		}
		return i, deps, err
	}
}

func (s *trees) treeJSON() []any {
	top, below := ways(s.devices, s.style.upward)
	var rows []any
	for _, n := range top {
		rows = append(rows, nodeJSON(n, below))
	}
	return rows
}

// ways are where a tree is shown from, and how it goes on from there.
func ways(t *mapper.Tree, upward bool) (top []*mapper.TreeNode, below func(*mapper.TreeNode) []*mapper.TreeNode) {
	if upward {
		return t.Bottom(), t.Users
	}
	return t.Top(), t.Used
}
