package mdadm

import (
	"context"
	"os"

	"github.com/mdkit/mdkit/internal/cli/ui"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/plan"
)

// restoreDocument is what --restore-metadata --json prints.
type restoreDocument struct {
	change
	File string `json:"file"`
}

// restoreMetadata is --restore-metadata: it puts back what a command with
// --force or --update has overwritten, from the file that --backup-metadata
// made.
func (c *Command) restoreMetadata(ctx context.Context, std ui.IO) int {
	t := c.teller(std)
	pl, err := plan.PlanRestore(c.RestoreMetadata)
	var steps []plan.StepInfo
	if err == nil {
		steps = pl.Describe()
		if !c.DryRun {
			err = pl.Apply(ctx, nil)
		}
	}
	t.failed(err)
	code := 0
	if err != nil {
		code = 1
	}
	switch {
	case c.JSON:
		t.document(restoreDocument{change: t.change(c, "restore-metadata", code, steps), File: c.RestoreMetadata})
	case c.DryRun:
		printPlan(std.Out, steps)
	}
	return code
}

// autoDetect is --auto-detect: the kernel looks for arrays itself, among 0.90
// members in partitions of type 0xfd. mdadm says nothing of the outcome, and
// neither does the exit code.
func (c *Command) autoDetect(std ui.IO) int {
	if !c.superUser(std) {
		return 1
	}
	t := c.teller(std)
	step := plan.StepInfo{Kind: plan.KindIoctl, Target: "9:0", What: "RAID_AUTORUN"}
	if !c.DryRun {
		const mdMajor = 9
		if d, err := mdctl.OpenNumber(mdMajor, 0, os.O_RDONLY); err == nil {
			_ = d.RaidAutorun()
			_ = d.Close()
		}
	}
	switch {
	case c.JSON:
		t.document(t.change(c, "auto-detect", 0, []plan.StepInfo{step}))
	case c.DryRun:
		printPlan(std.Out, []plan.StepInfo{step})
	}
	return 0
}
