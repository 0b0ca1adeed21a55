package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	lockmanager "github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/ebpf/dlm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/sysfs"
)

func traceCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:  "trace",
		Usage: "show what the kernel's drivers do, as it happens",
		Description: "Needs root, or CAP_BPF and CAP_PERFMON, and tracefs.\n\n" +
			"Exit code: 8 this kernel cannot be traced so; 16 wrong usage.",
		Subcommands: []*cli.Command{traceDLM(std)},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("trace: needs dlm")
			}
			return usage("trace: there is no %q; there is dlm", c.Args().First())
		},
	}
}

func traceDLM(std ui.IO) *cli.Command {
	return &cli.Command{
		Name: "dlm", Usage: "locks of the lock manager, and messages between its nodes", HideHelpCommand: true,
		Description: "Prints every lock, conversion, unlock, completion and blocking notification of\n" +
			"this node, and every message to and from another one, until it is interrupted.\n" +
			"What is not shown on this kernel, and how many events were lost, it says on the\n" +
			"error stream.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "jsonl", Aliases: []string{"json"}, Usage: "print a line of JSON for each event; docs/trace-format.md describes them"},
			&cli.StringFlag{Name: "lockspace", Usage: "only this `NAME`d lockspace"},
			&cli.Uint64Flag{Name: "count", Usage: "end after so many events"},
			&cli.DurationFlag{Name: "for", Usage: "end after this `TIME`, such as 10s"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("trace dlm: takes no arguments, but %q", c.Args().First())
			}
			if c.Duration("for") < 0 {
				return usage("trace dlm: --for %v: a time is positive", c.Duration("for"))
			}
			if name := c.String("lockspace"); name != "" {
				if err := lockmanager.CheckLockspaceName(name); err != nil {
					return usage("trace dlm: --lockspace: %v", err)
				}
			}
			tr, err := dlm.Open(dlm.Folder)
			if err != nil {
				return err
			}
			err = (&dlmTracer{trace: tr, std: std, c: c, node: localNode(), names: map[uint32]string{}}).run(c.Context)
			return errors.Join(err, tr.Close())
		},
	}
}

// localNode is this node's number in its cluster, 0 if it has none.
func localNode() int {
	comms, _ := lockmanager.NewConfig(sysfs.Host).Comms() // without, nobody knows
	for _, c := range comms {
		if c.Local {
			return c.Node
		}
	}
	return 0
}

// dlmTracer prints the events of a trace.
type dlmTracer struct {
	trace *dlm.Trace
	std   ui.IO
	c     *cli.Context
	node  int
	names map[uint32]string // of lockspaces
}

func (d *dlmTracer) run(ctx context.Context) error {
	for _, p := range d.trace.Probes() {
		switch {
		case p.Missing != nil:
			fmt.Fprintf(d.std.Err, "not shown: %s: %v\n", p.Kind, p.Missing)
		case len(p.Unfilled) > 0:
			fmt.Fprintf(d.std.Err, "not shown of %s: %s: this kernel's tracepoint does not have it\n", p.Kind, strings.Join(p.Unfilled, ", "))
		}
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	if limit := d.c.Duration("for"); limit > 0 {
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
	}
	out := bufio.NewWriter(d.std.Out)
	shown := uint64(0)
	for e, err := range d.trace.Events(ctx) {
		if err != nil {
			return err
		}
		if want := d.c.String("lockspace"); want != "" && e.Space != lockmanager.GlobalID(want) {
			continue
		}
		if err := d.show(out, &e); err != nil {
			return err
		}
		if shown++; shown == d.c.Uint64("count") {
			break
		}
	}
	sent, lost, err := d.trace.Counts()
	if err != nil {
		return err
	}
	fmt.Fprintf(d.std.Err, "%d events, %d lost, %d shown\n", sent+lost, lost, shown)
	return out.Flush()
}

// show prints an event, at once: somebody may be watching.
func (d *dlmTracer) show(out *bufio.Writer, e *dlm.Event) error {
	if d.c.Bool("jsonl") {
		line, err := e.JSON(d.node, map[uint32]string{e.Space: d.name(e.Space)})
		if err != nil {
			return err
		}
		out.Write(append(line, '\n')) //nolint:errcheck // Flush returns it
		return out.Flush()
	}
	fmt.Fprintln(out, d.text(e))
	return out.Flush()
}

// text is an event for people: time since boot, task, lockspace, resource, what has
// happened.
func (d *dlmTracer) text(e *dlm.Event) string {
	space := d.name(e.Space)
	if space == "" {
		space = fmt.Sprintf("%#x", e.Space)
	}
	words := []string{
		fmt.Sprintf("%.6f", e.Time.Seconds()), fmt.Sprintf("%s/%d", e.Task, e.TID), space, dlm.Printable(e.Resource), string(e.Kind),
		e.Message.String(), e.Granted.String(), e.Mode.String(),
	}
	if e.Node != 0 {
		words = append(words, fmt.Sprintf("node %d", e.Node))
	}
	if e.Status != 0 {
		words = append(words, fmt.Sprintf("status %d", e.Status))
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "  ")
}

// name is the name of a lockspace that exists, or has been seen when it did.
func (d *dlmTracer) name(id uint32) string {
	if name, ok := d.names[id]; ok {
		return name
	}
	spaces, _ := lockmanager.Lockspaces(sysfs.Host) // without, it stays a number
	for _, s := range spaces {
		if other, err := s.ID(); err == nil {
			d.names[other] = s.Name
		}
	}
	return d.names[id]
}
