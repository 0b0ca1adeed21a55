package mdadm

import (
	"context"
	"errors"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// act finds the array, makes the plan, and runs it. It returns the array, nil if
// there is none, the steps, and the exit code.
func (c *Command) act(ctx context.Context, t *messages, device string,
	pl func(*live.Running) (*plan.Plan, error),
) (found *live.Running, steps []plan.StepInfo, code int) {
	found, err := live.FindRunning(sysfs.Host, device, t.report)
	if err == nil {
		var p *plan.Plan
		if p, err = pl(found); err == nil {
			steps = p.Describe()
			_, err = (&plan.Runner{DryRun: c.DryRun}).Run(ctx, p)
		}
	}
	if t.failed(err); err != nil {
		code = 1
	}
	return found, steps, code
}

// carryOut is act followed by the report; verb names the document.
func (c *Command) carryOut(ctx context.Context, t *messages, verb, device string,
	plan func(*live.Running) (*plan.Plan, error),
) int {
	found, steps, code := c.act(ctx, t, device, plan)
	doc := planDoc{Device: device}
	if found != nil {
		doc.Name = found.Kernel
	}
	return c.finishPlan(t, verb, code, doc, steps)
}

// stop is --stop of one array.
func (c *Command) stop(ctx context.Context, std ui.IO, device string) int {
	return c.stopTelling(ctx, c.messages(std), device)
}

func (c *Command) stopTelling(ctx context.Context, t *messages, device string) int {
	return c.carryOut(ctx, t, "stop", device, func(r *live.Running) (*plan.Plan, error) {
		if c.Scan && len(c.Devices) > 0 {
			t.say("--stop not meaningful with both a --scan assembly and a device name.")
			return nil, &note.Reported{Err: errors.New("--stop of one array with --scan")}
		}
		return planStop(r)
	})
}

func planStop(r *live.Running) (*plan.Plan, error) { return r.PlanStop(), nil }

// stopScan is --stop --scan: it stops all arrays, repeatedly until no more can be
// stopped, as one may be built on another. Only the last round complains.
func (c *Command) stopScan(ctx context.Context, std ui.IO) int {
	for progress, last := true, false; ; {
		last = !progress
		progress = false
		failed := false
		paths, err := live.RunningPaths(sysfs.Host)
		if err != nil {
			return leave(err, std)
		}
		for _, path := range paths {
			t := c.messages(std)
			if !last && t.verbose == 0 {
				t.verbose = -1
			}
			if c.stopTelling(ctx, t, path) != 0 {
				failed = true
			} else {
				progress = true
			}
		}
		switch {
		case !failed || c.DryRun:
			return 0
		case last:
			return 1
		}
	}
}
