package mdadm

import (
	"context"
	"errors"
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
	t := c.messages(std)
	pl, err := plan.PlanRestore(c.RestoreMetadata)
	runner := plan.Runner{DryRun: c.DryRun, Backup: plan.BackupFor(c.BackupMetadata, "restored", false)}
	if err == nil {
		_, err = runner.Run(ctx, pl)
	}
	steps := runner.Steps
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

// autoDetect is --auto-detect: the kernel itself looks for arrays, among 0.90
// members in partitions of type 0xfd. mdadm says nothing about the outcome, and
// neither does the exit code.
func (c *Command) autoDetect(ctx context.Context, std ui.IO) int {
	if !c.superUser(std) {
		return 1
	}
	t := c.messages(std)
	step := plan.NewIoctl("9:0", "RAID_AUTORUN", "", func() error {
		const mdMajor = 9
		d, err := mdctl.OpenNumber(mdMajor, 0, os.O_RDONLY)
		if err != nil {
			return err
		}
		return errors.Join(d.RaidAutorun(), d.Close())
	}, nil)
	r := plan.Runner{DryRun: c.DryRun}
	_ = r.Do(ctx, step)
	switch {
	case c.JSON:
		t.document(t.change(c, "auto-detect", 0, r.Steps))
	case c.DryRun:
		printPlan(std.Out, r.Steps)
	}
	return 0
}
