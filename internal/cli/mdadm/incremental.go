package mdadm

import (
	"context"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/incremental"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/plan"
)

// incrementalDocument is what --incremental --json prints.
type incrementalDocument struct {
	change
	Array   string              `json:"array,omitempty"`
	Kernel  string              `json:"kernel_name,omitempty"`
	UUID    *md.UUID            `json:"uuid,omitempty"`
	Foreign bool                `json:"foreign"`
	Started incremental.Started `json:"started,omitempty"` // "no", "unsafe", "yes" or "already"
}

// incremental is --incremental: a device has appeared or is to be removed, the map
// of arrays is to be rebuilt, or incomplete arrays are to start (mdadm.c, main).
func (c *Command) incremental(ctx context.Context, std ui.IO) int {
	t := c.messages(std)
	if !c.superUser(std) {
		return 1
	}
	cf := c.readConf(std)
	doc := incrementalDocument{}
	var steps []plan.StepInfo
	code := 0
	if c.RebuildMap {
		r := plan.Runner{DryRun: c.DryRun}
		p, err := node.PlanRebuild(c.home(cf), cf)
		if err == nil {
			err = r.Do(ctx, p.Steps...)
		}
		t.failed(err)
		steps = append(steps, r.Steps...)
	}
	if c.Scan {
		code = c.incrementalScan(ctx, t, cf, &steps)
	}
	switch {
	case c.Scan && len(c.Devices) > 0, len(c.Devices) == 0 && (c.RebuildMap || c.Scan):
	case len(c.Devices) == 0:
		t.say("--incremental requires a device.")
		code = 1
	case c.Op == Fail && len(c.Devices) > 1:
		t.say("'--incremental --fail' can only handle one device.")
		code = 1
	case c.Op == Fail:
		r := incremental.IncrementalRemove(ctx, incremental.IncrementalRemoveRequest{
			Device: c.Devices[0].Name, Path: c.IncrementPath, DryRun: c.DryRun, Report: t.report,
		})
		doc.Array, steps, code = r.Array, append(steps, r.Steps...), r.Code
	default:
		code = c.incrementalAdd(ctx, t, cf, &doc, &steps)
	}
	doc.change = t.change(c, "incremental", code, steps)
	switch {
	case c.JSON:
		t.document(doc)
	case c.DryRun:
		printPlan(std.Out, steps)
	}
	return code
}

// incrementalScan is --incremental --run --scan.
func (c *Command) incrementalScan(ctx context.Context, t *messages, cf *mdconf.Config, steps *[]plan.StepInfo) int {
	switch {
	case len(c.Devices) > 0:
		t.say("In --incremental mode, a device cannot be given with --scan.")
		return 1
	case c.RunStop <= 0:
		t.say("--incremental --scan meaningless without --run.")
		return 1
	case c.Op == Fail:
		t.say("--incremental --scan --fail not supported.")
		return 1
	}
	done, ok := incremental.IncrementalScan(ctx, incremental.IncrementalScanRequest{
		Home: c.home(cf), Conf: cf, DryRun: c.DryRun, Report: t.report,
	})
	*steps = append(*steps, done...)
	if !ok {
		return 1
	}
	return 0
}

// incrementalAdd adds the first named device to its array; the other words are
// further names of that device.
func (c *Command) incrementalAdd(ctx context.Context, t *messages, cf *mdconf.Config,
	doc *incrementalDocument, steps *[]plan.StepInfo,
) int {
	nodes := &node.Nodes{}
	req := incremental.IncrementalRequest{
		Device: c.Devices[0].Name, Home: c.home(cf), Conf: cf, Run: c.RunStop > 0, Export: c.Export > 0,
		List:      func() []string { return scanDevices(cf, nodes, t.std) },
		BackupDir: c.BackupMetadata, DryRun: c.DryRun, Report: t.report,
	}
	for _, d := range c.Devices[1:] {
		req.Links = append(req.Links, d.Name)
	}
	v, versioned, ok := formatOf(c.Shape.Metadata)
	switch {
	case !ok:
		return c.notBuilt(t.std, "--incremental --metadata="+c.Shape.Metadata)
	case versioned:
		req.Version = &v
	default:
		req.Newest1 = c.Shape.Metadata == "1"
	}
	r := incremental.Incremental(ctx, req)
	doc.Array, doc.Kernel, doc.Foreign, doc.Started = r.Array, r.Kernel, r.Foreign, r.Started
	if !r.UUID.IsZero() {
		doc.UUID = &r.UUID
		if c.Export > 0 && !c.JSON {
			exportIncremental(t.std, r)
		}
	}
	*steps = append(*steps, r.Steps...)
	return r.Code
}

// exportIncremental prints the outcome for udev.
func exportIncremental(std ui.IO, r *incremental.IncrementalResult) {
	foreign := "no"
	if r.Foreign {
		foreign = "yes"
	}
	fmt.Fprintf(std.Out, "MD_DEVICE=%s\nMD_DEVNAME=%s\nMD_FOREIGN=%s\n",
		r.Kernel, strings.TrimPrefix(r.Array, "/dev/md/"), foreign)
	if r.Started != "" {
		fmt.Fprintf(std.Out, "MD_STARTED=%s\n", r.Started)
	}
}
