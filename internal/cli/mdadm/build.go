package mdadm

import (
	"context"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/create"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// build is --build.
func (c *Command) build(ctx context.Context, std ui.IO) int {
	if code := c.preflight(std); code != 0 {
		return code
	}
	s := &c.Shape
	switch {
	case s.WriteBehind > 0 && s.Bitmap == "":
		return leave(failure("write-behind mode requires a bitmap."), std)
	case s.RaidDisks == 0:
		return leave(failure("no raid-devices specified."), std)
	case s.Bitmap == "internal", s.Bitmap == "clustered":
		return leave(failure("'internal' and 'clustered' bitmaps not supported with --build"), std)
	case s.Level == Unset:
		return leave(failure("a RAID level is needed to Build an array."), std)
	case s.Bitmap != "" && s.Bitmap != "none":
		return c.notBuilt(std, "--bitmap=FILE")
	}
	t := c.messages(std)
	req := create.BuildRequest{
		Device: c.Devices[0].Name, Level: md.Level(s.Level), Chunk: s.Chunk, Size: uint64(max(s.Size, 0)),
		RaidDisks: s.RaidDisks, AssumeClean: s.AssumeClean, FS: sysfs.Host, Report: t.report,
	}
	if s.Layout != Unset {
		layout := int32(s.Layout)
		req.Layout = &layout
	}
	for _, d := range c.Devices[1:] {
		req.Members = append(req.Members, create.CreateMember{Path: d.Name, WriteMostly: d.WriteMostly == FlagSet})
	}
	made, err := create.PlanBuild(req)
	if err == nil {
		var applied bool
		if applied, err = made.Run(ctx, &plan.Runner{DryRun: c.DryRun}); applied && err == nil {
			err = made.Finish(ctx)
		}
	}
	code := 0
	if err != nil {
		code = 1
	}
	t.failed(err)
	doc := planDoc{Device: c.Devices[0].Name}
	var steps []plan.StepInfo
	if made != nil {
		doc.Device, doc.Name = made.Node.Chosen, made.Node.Kernel
		steps = made.Describe()
	}
	return c.finishPlan(t, "build", code, doc, steps)
}
