package mdadm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/create"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// defaultDelay is how often the bitmap is updated, in seconds.
const defaultDelay = 5

// create is --create.
func (c *Command) create(ctx context.Context, std ui.IO) int {
	if code := c.preflight(std); code != 0 {
		return code
	}
	if err := c.checkCreate(); err != nil {
		return leave(err, std)
	}
	if what := c.createUnsupported(); what != "" {
		return c.notBuilt(std, what)
	}
	t := c.messages(std)
	c.askForBitmap(std)
	cf := c.readConf(std)
	if c.Shape.Bitmap == "clustered" {
		unlock, code := c.lockCluster(ctx, std, c.cluster(cf))
		if code != 0 {
			return code
		}
		defer unlock()
	}
	req, err := c.createRequest()
	if err != nil {
		return leave(err, std)
	}
	req.HomeHost, req.Nodes, req.Cluster = c.homeHost(cf), uint32(c.Nodes), c.cluster(cf)
	req.Report = t.report
	req.Confirm = func() bool { return c.DryRun || c.ask(std, "Continue creating array") }
	made, err := create.PlanCreate(*req)
	code := 0
	runner := &plan.Runner{DryRun: c.DryRun}
	if err == nil {
		runner.Backup = plan.BackupFor(c.BackupMetadata, made.Array.UUID.String(), c.Force)
		var applied bool
		if applied, err = made.Run(ctx, runner); applied && err == nil {
			err = made.Finish(ctx)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, create.ErrDevice):
		code = 2
	default:
		code = 1
	}
	t.failed(err)
	doc := planDoc{Device: c.Devices[0].Name}
	var steps []plan.StepInfo
	if made != nil {
		doc.Device, doc.Name = made.Node.Chosen, made.Node.Kernel
		doc.UUID, doc.Version = made.Array.UUID.String(), made.Array.Version.String()
		steps = runner.Steps
	}
	return c.finishPlan(t, "create", code, doc, steps)
}

// askForBitmap asks for a bitmap, as later versions of mdadm do, where the command line
// says nothing about one. Those never make one unasked.
func (c *Command) askForBitmap(std ui.IO) {
	if c.compat < mdtext.Mdadm46 || c.Shape.Bitmap != "" || c.Shape.Level < 1 {
		return
	}
	c.Shape.Bitmap = "none"
	if c.RunStop <= 0 && !c.DryRun && c.ask(std,
		"To optimize recovery speed, it is recommended to enable write-intent bitmap, do you want to enable it now?") {
		c.Shape.Bitmap = "internal"
	}
}

// planDoc is the document of a command that carries out a plan for one array.
type planDoc struct {
	change
	Device  string `json:"array"`                 // the array, as people call it
	Name    string `json:"kernel_name,omitempty"` // the array, as the kernel calls it
	UUID    string `json:"uuid,omitempty"`
	Version string `json:"metadata,omitempty"`
}

// finishPlan ends the command: it prints the document, or the steps of a dry run.
func (c *Command) finishPlan(t *messages, verb string, code int, doc planDoc, steps []plan.StepInfo) int {
	doc.change = t.change(c, verb, code, steps)
	switch {
	case c.JSON:
		t.document(doc)
	case c.DryRun:
		printPlan(t.std.Out, steps)
	}
	return code
}

// failure is an exit with code 1 and one message.
func failure(format string, args ...any) *exit {
	return &exit{code: 1, err: "mdadm: " + fmt.Sprintf(format, args...) + "\n"}
}

// checkCreate applies the rules that mdadm applies before it creates.
func (c *Command) checkCreate() error {
	s := &c.Shape
	switch {
	case c.Nodes > 0 && s.Bitmap != "clustered":
		return failure("--nodes argument only compatible with --bitmap=clustered")
	case c.Nodes > 0 && s.Level != 1 && s.Level != 10:
		return failure("--bitmap=clustered is currently supported with raid1/10 only")
	case c.Nodes > 0 && s.Level == 10 && s.Layout != Unset && !isNear(s.Layout):
		return failure("only near layout is supported with clustered raid10")
	case s.WriteBehind > 0 && s.Bitmap == "":
		return failure("write-behind mode requires a bitmap.")
	case s.RaidDisks == 0:
		return failure("no raid-devices specified.")
	case s.Level == Unset:
		return failure("a RAID level is needed to create an array.")
	}
	return nil
}

// isNear reports whether a raid10 layout has near copies only (mdadm's
// is_near_layout_10).
func isNear(layout int) bool {
	l := md.ParseRAID10Layout(int32(layout))
	return l.Far <= 1 && !l.Offset
}

// createUnsupported names what this face cannot create.
func (c *Command) createUnsupported() string {
	switch s := &c.Shape; {
	case strings.Contains(s.Bitmap, "/"):
		return "--bitmap=FILE"
	case s.Level == levelContainer:
		return "--level=container"
	case s.Metadata != "":
		if _, err := md.ParseVersion(s.Metadata); err != nil {
			return "--metadata=" + s.Metadata
		}
	}
	return ""
}

// createRequest turns the options into a request.
func (c *Command) createRequest() (*create.CreateRequest, error) {
	s := &c.Shape
	req := &create.CreateRequest{
		Device: c.Devices[0].Name, Name: c.Name,
		Level: md.Level(s.Level), Chunk: s.Chunk, RaidDisks: s.RaidDisks, SpareDisks: s.SpareDisks,
		Size: uint64(max(s.Size, 0)), Bitmap: s.Bitmap, Delay: uint32(s.Delay), WriteBehind: uint32(s.WriteBehind),
		Resync: s.Policy == PolicyResync, PPL: s.Policy == PolicyPPL,
		AssumeClean: s.AssumeClean, Force: c.Force, Run: c.RunStop > 0, ReadOnly: c.ReadOnly,
		Verbose: c.Verbose, FS: sysfs.Host,
	}
	if req.Delay == 0 {
		req.Delay = defaultDelay
	}
	if s.Layout != Unset {
		layout := int32(s.Layout)
		req.Layout = &layout
	}
	if s.BitmapChunk != Unset {
		req.BitmapChunk = uint64(s.BitmapChunk)
	}
	if s.DataOffset != Unset && s.DataOffset != OffsetVariable {
		offset := uint64(s.DataOffset)
		req.DataOffset = &offset
	}
	if c.UUID != "" {
		u, err := md.ParseUUID(c.UUID)
		if err != nil {
			return nil, err
		}
		req.UUID = &u
	}
	if s.Metadata != "" {
		v, err := md.ParseVersion(s.Metadata)
		if err != nil {
			return nil, err
		}
		req.Version = &v
	}
	for _, d := range c.Devices[1:] {
		req.Members = append(req.Members, c.createMember(d))
	}
	return req, nil
}

func (c *Command) createMember(d Device) create.CreateMember {
	m := create.CreateMember{
		Path: d.Name, Journal: d.Op == WriteJournal,
		WriteMostly: d.WriteMostly == FlagSet, FailFast: d.FailFast == FlagSet,
	}
	if c.Shape.DataOffset == OffsetVariable {
		path, offset, ok := strings.Cut(d.Name, ":")
		m.Path = path
		if sectors, valid := parseSize(offset); ok && valid {
			n := uint64(sectors)
			m.DataOffset = &n
		}
	}
	return m
}
