package node

import (
	"context"
	"os"
	"path/filepath"

	"github.com/mdkit/mdkit/manage/plan"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
)

// holdStep returns the step that holds udev back, before the kernel announces the array:
// while the file exists, 01-md-raid-creating.rules calls the array not ready, and nothing
// is mounted that this command still has open for itself alone. An array that udev is not
// held back from works as well.
func (n *Node) holdStep() plan.Step {
	info := plan.StepInfo{Kind: plan.KindDevice, Target: n.Kernel, What: "hold udev back"}
	return plan.NewStep(info, func(context.Context) error {
		path := filepath.Join(MapDir, "creating-"+n.Kernel)
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
			n.hold = path
			_ = f.Close()
		}
		return nil
	}, func(context.Context) error {
		n.letUdev()
		return nil
	})
}

// HoldsUdev reports whether udev is held back from the array until Close.
func (n *Node) HoldsUdev() bool { return n.hold != "" }

// letUdev lets udev at the array, and has the kernel announce it once more: udev is to
// see now that it is ready (udev.c, udev_unblock).
func (n *Node) letUdev() {
	if n.hold == "" {
		return
	}
	_ = os.Remove(n.hold)
	n.hold = ""
	if b, err := sysblock.Open(n.fs, n.Kernel); err == nil {
		_ = b.Announce("change") // only udev is interested in the result
	}
}
