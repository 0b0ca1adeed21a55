package mdadm

import (
	"context"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array"
	"github.com/mdkit/mdkit/sysfs"
)

// planDoc is the document of a command that carries out a plan.
type planDoc struct {
	Schema  string           `json:"schema"`
	Device  string           `json:"device"`
	Name    string           `json:"kernel_name,omitempty"`
	UUID    string           `json:"uuid,omitempty"`
	Version string           `json:"metadata,omitempty"`
	DryRun  bool             `json:"dry_run"`
	Done    bool             `json:"done"`
	Error   string           `json:"error,omitempty"`
	Notes   []array.Note     `json:"notes,omitempty"`
	Steps   []array.StepInfo `json:"steps,omitempty"`
}

// carryOut finds the array, has its plan made, and applies or shows it. verb
// names the document.
func (c *Command) carryOut(ctx context.Context, std ui.IO, say *notes, verb, device string,
	plan func(*array.Running) (*array.Plan, error),
) int {
	doc := planDoc{Schema: "mdkit." + verb + "/1", Device: device, DryRun: c.DryRun}
	err := func() error {
		found, err := array.FindRunning(sysfs.Host, device, say.report)
		if err != nil {
			return err
		}
		doc.Name = found.Kernel
		p, err := plan(found)
		if err != nil {
			return err
		}
		doc.Steps = p.Describe()
		if c.DryRun {
			return nil
		}
		return p.Apply(ctx, nil)
	}()
	code := 0
	doc.Done = err == nil && !c.DryRun
	if err != nil {
		code, doc.Error = 1, err.Error()
	}
	doc.Notes = say.all
	return c.finishPlan(std, code, doc, doc.Steps)
}

// stop is --stop of one array.
func (c *Command) stop(ctx context.Context, std ui.IO, device string) int {
	return c.stopSaying(ctx, std, c.notes(std), device)
}

func (c *Command) stopSaying(ctx context.Context, std ui.IO, say *notes, device string) int {
	return c.carryOut(ctx, std, say, "stop", device, func(r *array.Running) (*array.Plan, error) {
		if c.Scan && len(c.Devices) > 0 {
			return nil, say.refuse("--stop not meaningful with both a --scan assembly and a device name.")
		}
		return r.PlanStop(), nil
	})
}

// stopScan is --stop --scan: all arrays, again and again until no more can be
// stopped, as one may stand on another. Only the last round complains.
func (c *Command) stopScan(ctx context.Context, std ui.IO) int {
	for progress, last := true, false; ; {
		last = !progress
		progress = false
		failed := false
		paths, err := array.RunningPaths(sysfs.Host)
		if err != nil {
			return leave(err, std)
		}
		for _, path := range paths {
			say := c.notes(std)
			if !last && say.verbose == 0 {
				say.verbose = -1
			}
			if c.stopSaying(ctx, std, say, path) != 0 {
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
