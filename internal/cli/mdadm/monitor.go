package mdadm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/manage/watch"
)

// monitorDelay is the default number of seconds between two checks of --monitor.
const monitorDelay = 60

// monitor is --monitor (Monitor.c).
func (c *Command) monitor(ctx context.Context, std ui.IO) int {
	w := &c.Watching
	inBackground := os.Getenv(backgroundEnv) != ""
	switch {
	case !w.NoSharing && !c.superUser(std):
		return 1
	case len(c.Devices) == 0 && !c.Scan:
		return leave(failure("Cannot monitor: need --scan or at least one device"), std)
	case len(c.Devices) > 0 && c.Scan && c.compat >= mdtext.Mdadm46:
		return leave(failure("Devices list and --scan option cannot be combined - not monitoring."), std)
	case w.PIDFile != "" && !w.Daemonise:
		return leave(failure("Cannot write a pid file when not in daemon mode"), std)
	}
	if err := c.checkNames(); err != nil {
		return leave(err, std)
	}
	cf := c.readConf(std)
	c.fromConf(cf, std)
	if c.Scan && w.Mail == "" && w.Program == "" && !w.Syslog && !c.JSON {
		return leave(failure("No mail address or alert command - not monitoring."), std)
	}
	if c.Verbose > 0 {
		fmt.Fprint(std.Err, c.compat.Watching(c.Shape.Delay, w.Mail, w.Program))
	}
	if !w.NoSharing && !inBackground {
		if err := c.onlySharer(std); err != nil {
			return leave(err, std)
		}
	}
	if c.DryRun {
		return c.watchOnly(ctx, std, cf)
	}
	if w.Daemonise && !inBackground {
		return c.daemonise(std)
	}
	if !w.NoSharing {
		if err := writeSharer(std); err != nil {
			return leave(err, std)
		}
	}
	code := c.watch(ctx, std, cf)
	if w.PIDFile != "" {
		os.Remove(w.PIDFile)
	}
	return code
}

// watchOnly is --monitor --dry-run: events are printed, and so is how spares would
// be moved; nobody is alerted, and nothing is moved or left behind.
func (c *Command) watchOnly(ctx context.Context, std ui.IO, cf *mdconf.Config) int {
	w := &c.Watching
	if w.Daemonise {
		return leave(failure("--dry-run shows what --monitor sees; it cannot do so with --daemonise"), std)
	}
	w.Mail, w.Program, w.Syslog = "", "", false
	return c.watch(ctx, std, cf)
}

// foretell prints a step that --monitor would take.
func (c *Command) foretell(std ui.IO, step plan.StepInfo) {
	if c.JSON {
		_ = std.JSONLine(struct {
			ui.Document
			Step plan.StepInfo `json:"step"`
		}{ui.Schema("monitor"), step}) // a reader that has gone is noticed by the next event
		return
	}
	printPlan(std.Out, []plan.StepInfo{step})
}

// fromConf takes from the configuration what the command line leaves open.
func (c *Command) fromConf(cf *mdconf.Config, std ui.IO) {
	w := &c.Watching
	aloud := !c.Scan && c.compat < mdtext.Mdadm46
	if w.Mail == "" && cf.MailAddr != "" {
		w.Mail = cf.MailAddr
		if aloud {
			fmt.Fprintf(std.Err, "mdadm: Monitor using email address \"%s\" from config file\n", w.Mail)
		}
	}
	if w.Program == "" && cf.Program != "" {
		w.Program = cf.Program
		if aloud {
			fmt.Fprintf(std.Err, "mdadm: Monitor using program \"%s\" from config file\n", w.Program)
		}
	}
	for _, delay := range []int{cf.Delay, monitorDelay} {
		if c.Shape.Delay == 0 {
			c.Shape.Delay = delay
		}
	}
}

// watch follows the arrays until there is nothing left to follow, or until it is
// interrupted.
func (c *Command) watch(ctx context.Context, std ui.IO, cf *mdconf.Config) int {
	ctx, stop := std.Cancellable(ctx)
	defer stop()
	t := c.messages(std)
	told := make(map[string]bool)
	w := watch.New(watch.Request{
		Arrays: c.watched(cf), Scan: c.Scan, Test: c.Test, Oneshot: c.Watching.Oneshot, Share: !c.Watching.NoSharing, DryRun: c.DryRun,
		Delay: time.Duration(c.Shape.Delay) * time.Second, Increment: c.Watching.Increment,
		Prefer: c.Prefer, Policy: cf, Report: t.notes.report,
		Step: func(step plan.StepInfo) {
			// In a dry run nothing changes, so that each look finds the same to do.
			if text := step.String(); c.DryRun && !told[text] {
				told[text] = true
				c.foretell(std, step)
			}
		},
	})
	out := c.newAlerts(std, cf)
	defer out.syslog.Close()
	for e, err := range w.Events(ctx) {
		switch {
		case errors.Is(err, watch.ErrNoRedundancy):
			fmt.Fprintln(std.Err, "mdadm: No array with redundancy detected, stopping")
		case err != nil:
			return leave(err, std)
		default:
			if err := out.alert(ctx, e); err != nil {
				return 0 // the reader of our output has gone
			}
		}
	}
	return 0
}

// watched are the arrays that the command line names or, if it names none,
// those of the configuration.
func (c *Command) watched(cf *mdconf.Config) []watch.Array {
	var list []watch.Array
	for _, d := range c.Devices {
		a := watch.Array{Path: d.Name, Spares: -1}
		if known := cf.Array(d.Name); known != nil {
			a.Spares, a.SpareGroup = known.Spares, known.SpareGroup
		}
		list = append(list, a)
	}
	if len(c.Devices) > 0 {
		return list
	}
	for _, known := range cf.Arrays {
		if known.Device == "" || known.Ignored() {
			continue
		}
		name := known.Device
		if !strings.HasPrefix(name, "/") {
			name = "/dev/md/" + name
		}
		list = append(list, watch.Array{Path: name, Spares: known.Spares, SpareGroup: known.SpareGroup, Configured: true})
	}
	return list
}
