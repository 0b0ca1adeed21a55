package assemble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// attrSteps returns the steps that write what SYSFS lines want of the running array.
func (a *assembler) attrSteps() []plan.Step {
	return attrSteps(a.Conf, a.node, a.s.Lead().UUID(), a.fs, a.Report)
}

// attrSteps returns the steps that write attributes of a started array (sysfs.c,
// sysfs_rules_apply). Values that are refused are reported and skipped.
func attrSteps(cf *mdconf.Config, node *node.Node, uuid md.UUID, host sysfs.FS, report note.Reporter) (steps []plan.Step) {
	if cf == nil {
		return nil
	}
	array := sysmd.At(host, node.Kernel)
	for _, rule := range cf.Sysfs {
		if rule.UUID != nil && *rule.UUID != uuid || rule.UUID == nil && rule.Device != node.Chosen {
			continue
		}
		for _, attr := range rule.Attrs {
			set := array.Custom(attr.Name, attr.Value)
			steps = append(steps, plan.NewStep(plan.SettingInfo(set),
				func(context.Context) error {
					if _, err := set.Present(); !filepath.IsLocal(attr.Name) || errors.Is(err, fs.ErrNotExist) {
						report.Say(note.Always, "assemble.sysfs-failed-write", attr.Value, attr.Name)
					} else if err := set.Write(); err != nil {
						report.Extra(note.Always, note.Reason, err)
					}
					return nil
				}, nil))
		}
	}
	return steps
}

// returnSteps offers members that fell behind to the array that runs without them, where
// the policy allows it: a bitmap may let them in, or they become spares.
func (a *assembler) returnSteps() (steps []plan.Step) {
	if a.Conf == nil || a.s.Working() >= a.s.Lead().Slots() {
		return nil
	}
	for _, j := range a.s.Places {
		if j < 0 || a.s.Verdicts[j].In {
			continue
		}
		c := a.found[j]
		if !node.PoliciesOf(a.Conf, c.Major, c.Minor).Allows(node.FormatFamily(c.Member.Version), mdconf.ActionReAdd) {
			continue
		}
		disk := c.DiskInfo(a.s.Verdicts[j].State)
		value := fmt.Sprintf("%s (%s) as %d, slot %d", a.memberPath(j), live.DevNumber(&disk), disk.Number, disk.RaidDisk)
		steps = append(steps, plan.NewIoctl(a.node.Chosen, "ADD_NEW_DISK", value, func() error {
			if a.node.Device().AddNewDisk(disk) == nil {
				a.Report.Say(note.Normal, "assemble.has-been-re-added", c.Path)
			}
			return nil
		}, nil))
	}
	return steps
}
