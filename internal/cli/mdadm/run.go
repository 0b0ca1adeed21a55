package mdadm

import (
	"context"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/plan"
)

// start is --run of one array.
func (c *Command) start(ctx context.Context, std ui.IO, device string) int {
	return c.carryOut(ctx, c.messages(std), "run", device, (*live.Running).PlanRun)
}

// setReadOnly is --readonly and --readwrite of one array.
func (c *Command) setReadOnly(ctx context.Context, std ui.IO, device string, readOnly bool) int {
	verb := "readwrite"
	if readOnly {
		verb = "readonly"
	}
	return c.carryOut(ctx, c.messages(std), verb, device, planReadOnly(readOnly))
}

func planReadOnly(readOnly bool) func(*live.Running) (*plan.Plan, error) {
	return func(r *live.Running) (*plan.Plan, error) { return r.PlanReadOnly(readOnly) }
}
