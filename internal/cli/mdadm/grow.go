package mdadm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/array/reshape"
)

// defaultBitmapDelay is the number of seconds after which a bitmap is updated.
const defaultBitmapDelay = 5

// grow is grow mode: changes to the shape of a running array.
func (c *Command) grow(ctx context.Context, std ui.IO) int {
	t := c.messages(std)
	name := c.Devices[0].Name
	clustered, err := c.openManaged(t, name)
	if err != nil {
		return c.grown(t, nil, 1)
	}
	if err := c.check(); err != nil {
		return c.grown(t, nil, leave(err, std))
	}
	if !c.superUser(std) {
		return c.grown(t, nil, 1)
	}
	switch {
	case c.Nodes > 0 && c.Shape.Bitmap != reshape.Clustered:
		t.say("--nodes argument only compatible with --bitmap=clustered")
		return c.grown(t, nil, 1)
	case strings.Contains(c.Shape.Bitmap, "/"):
		return c.notBuilt(std, "a bitmap in a file")
	case c.Shape.DataOffset == OffsetVariable:
		return c.notBuilt(std, "--grow --data-offset=variable")
	}
	req := c.growRequest(t, std)
	if clustered || c.Shape.Bitmap == reshape.Clustered {
		req.Cluster = c.cluster(c.readConf(std))
		unlock, code := c.lockCluster(ctx, std, req.Cluster)
		if code != 0 {
			return c.grown(t, nil, code)
		}
		defer unlock()
	}
	if c.GrowContinue {
		var stop context.CancelFunc
		ctx, stop = untilTold(ctx)
		defer stop()
	}
	result, err := reshape.Grow(ctx, req)
	if cut := (*reshape.Interrupted)(nil); errors.As(err, &cut) {
		t.say("%s: interrupted before the end of the reshape, go on with: %s", cut.Next.Array, strings.Join(goOn(cut.Next), " "))
		return c.grown(t, result, ui.ExitCancelled)
	}
	code := 0
	switch t.failed(err); {
	case errors.Is(err, reshape.ErrNoPPL):
		code = 254 // mdadm exits with an internal -2
	case errors.Is(err, member.ErrOccupied):
		code = 2
	case err != nil:
		code = 1
	}
	return c.grown(t, result, code)
}

// growRequest is the command in the library's terms.
func (c *Command) growRequest(t *messages, std ui.IO) reshape.GrowRequest {
	s := &c.Shape
	req := reshape.GrowRequest{
		Array: c.Devices[0].Name, ArraySize: c.ArraySize, Size: s.Size, AssumeClean: s.AssumeClean,
		RaidDisks: s.RaidDisks, Layout: s.LayoutWord, Chunk: s.Chunk,
		Bitmap: s.Bitmap, Nodes: uint32(c.Nodes), WriteBehind: uint32(s.WriteBehind), Delay: defaultBitmapDelay,
		Continue: c.GrowContinue, BackupFile: c.BackupFile, Force: c.Force, Confirm: c.confirmAdd(std), BackupDir: c.BackupMetadata, DryRun: c.DryRun, Report: t.report,
		Background: func(next reshape.GrowRequest) error { return background(next, std) },
	}
	if req.ArraySize > 0 {
		req.ArraySize /= 2
	}
	if s.Level != Unset {
		level := md.Level(s.Level)
		req.Level = &level
	}
	if s.DataOffset != Unset {
		offset := uint64(s.DataOffset)
		req.DataOffset = &offset
	}
	if s.BitmapChunk != Unset {
		req.BitmapChunk = uint64(s.BitmapChunk)
	}
	if s.Delay != 0 {
		req.Delay = uint32(s.Delay)
	}
	if s.Policy != PolicyUnknown {
		req.Policy = s.Policy.String()
	}
	if std.IsTerminal() && c.GrowContinue && !c.JSON {
		req.Progress = func(done, total uint64) {
			fmt.Fprintf(std.Err, "\rreshape %5.1f%%", float64(done)*100/float64(max(total, 1)))
		}
	}
	for _, d := range c.Devices[1:] {
		req.Devices = append(req.Devices, member.Subdev{
			Name: d.Name, Verb: member.VerbAdd,
			WriteMostly: settings[d.WriteMostly], FailFast: settings[d.FailFast],
		})
	}
	return req
}

// background runs this program once more, as mdadm --grow --continue, in a
// session of its own that outlives this one.
func background(next reshape.GrowRequest, std ui.IO) error {
	args := goOn(next)
	cmd := exec.Command("/proc/self/exe", args[1:]...)
	cmd.Args = args
	if f, ok := std.Err.(*os.File); ok {
		cmd.Stderr = f
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("carry on in the background: %w", err)
	}
	return cmd.Process.Release()
}

// goOn is the command line that accompanies a reshape in progress.
func goOn(next reshape.GrowRequest) []string {
	args := []string{"mdadm", "--grow", "--continue", next.Array}
	if next.Level != nil {
		args = append(args, "--level="+next.Level.String())
	}
	if next.BackupFile != "" {
		args = append(args, "--backup-file="+next.BackupFile)
	}
	return args
}

// untilTold returns a ctx that ends when the process is told to end: to end at once would
// leave writes to a section of the array suspended. A signal that whoever started us
// ignores, as nohup does, stays ignored; the first one counts, and others change nothing.
func untilTold(ctx context.Context) (context.Context, context.CancelFunc) {
	var told []os.Signal
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			told = append(told, s)
		}
	}
	if len(told) == 0 { // which Notify takes for all
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, told...)
}

// growDocument is what --grow --json prints.
type growDocument struct {
	change
	Array string `json:"array"`
}

// grown ends the command.
func (c *Command) grown(t *messages, r *reshape.GrowResult, code int) int {
	if r == nil {
		r = &reshape.GrowResult{}
	}
	switch {
	case c.JSON:
		t.document(growDocument{change: t.change(c, "grow", code, r.Steps), Array: c.Devices[0].Name})
	case c.DryRun:
		printPlan(t.std.Out, r.Steps)
	}
	return code
}
