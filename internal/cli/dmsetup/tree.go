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

// trees knows which device uses which.
type trees struct {
	*dmtask.Devices
	devices *mapper.Tree // nil until it has been read
	style   treeStyle    // how ls --tree draws
}

// drawTree is ls --tree.
func (t *trees) drawTree() error {
	failed := t.wholeTree()
	if t.devices == nil {
		return failed
	}
	if t.Line.Has(dmopt.JSON) {
		t.Show(t.treeJSON()...)
		return failed
	}
	return errors.Join(failed, draw(t.devices, t.Out, t.style))
}

// wholeTree reads which device uses which, once. If it fails, what it found before is
// available nevertheless.
func (t *trees) wholeTree() error {
	if t.devices != nil {
		return nil
	}
	list, err := t.AskList()
	if err != nil {
		return err
	}
	t.devices = mapper.NewTree(mapper.Major(sysfs.Host), t.asker(func(n dm.Number) error {
		return t.Refuse("_deps: task run failed for (%v)", n)
	}))
	if len(list) == 0 && !t.Line.Has(dmopt.JSON) {
		fmt.Fprintln(t.Out, "No devices found")
	}
	var failed error
	for _, e := range list {
		failed = errors.Join(failed, t.devices.Add(e.Number))
	}
	return failed
}

// asker returns a function that looks devices up by number. refuse returns the error for
// a failed look-up, which has been reported; refuse is nil if the original error is
// enough.
func (t *trees) asker(refuse func(n dm.Number) error) mapper.Asker {
	return func(n dm.Number) (*dm.Info, []dm.Number, error) {
		i, deps, err := t.AskDeps(dmtask.Device{Num: n, ByNum: true}, false)
		if err != nil && refuse != nil {
			_ = t.Complain(err)
			return nil, nil, refuse(n)
		}
		return i, deps, err
	}
}

func (t *trees) treeJSON() []any {
	top, below := ways(t.devices, t.style.upward)
	var rows []any
	for _, n := range top {
		rows = append(rows, nodeJSON(n, below))
	}
	return rows
}

// ways returns where a tree starts, and how it goes on from there.
func ways(t *mapper.Tree, upward bool) (top []*mapper.TreeNode, below func(*mapper.TreeNode) []*mapper.TreeNode) {
	if upward {
		return t.Bottom(), t.Users
	}
	return t.Top(), t.Used
}
