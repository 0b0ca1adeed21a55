package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/cluster"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// holdVerb is the hidden verb that the holder of the monitor is.
const holdVerb = "hold"

func clusterCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:  "cluster",
		Usage: "control the kernel's lock manager (DLM) on the nodes of a cluster",
		Description: "up --static controls it for a fixed list of nodes, without corosync. join,\n" +
			"leave and status work beside dlm_controld, too.\n\n" +
			"Exit code: 8 it could not be done; 16 wrong usage, or a wrong file of nodes; 32\n" +
			"interrupted.",
		Subcommands: []*cli.Command{
			clusterUp(std),
			{
				Name: "down", Usage: "end the control of this node, if no lockspace is joined", HideHelpCommand: true,
				Flags: []cli.Flag{jsonFlag()},
				Action: func(c *cli.Context) error {
					return clusterChange(c, std, 0, "no arguments", func(_ context.Context, k cluster.Controller) error { return k.Down() })
				},
			},
			clusterStatus(std),
			clusterJoin(std),
			clusterLeave(std),
			{
				Name: holdVerb, Hidden: true, HideHelpCommand: true,
				Action: func(c *cli.Context) error {
					if c.NArg() != 2 {
						return usage("cluster hold: is for cluster up alone")
					}
					return cluster.Hold(c.Args().Get(0), c.Args().Get(1))
				},
			},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("cluster: needs one of up, down, status, join, leave")
			}
			return usage("cluster: there is no verb %q; there are up, down, status, join, leave", c.Args().First())
		},
	}
}

// clusterDo runs what needs so many arguments.
func clusterDo(c *cli.Context, args int, names string, do func(cluster.Controller) error) error {
	if c.NArg() != args {
		return usage("cluster %s: needs %s", c.Command.Name, names)
	}
	if err := do(cluster.Find(sysfs.Host, cluster.Dir)); err != nil {
		return fmt.Errorf("cluster %s: %w", c.Command.Name, err)
	}
	return nil
}

// changeDoc is the document of down, join and leave, once they are done.
type changeDoc struct {
	ui.Document
	Space string `json:"lockspace,omitempty"`
}

// clusterChange runs what changes something.
func clusterChange(c *cli.Context, std ui.IO, args int, needs string, do func(context.Context, cluster.Controller) error) error {
	if args == 1 && c.NArg() == 1 {
		if err := dlm.CheckLockspaceName(c.Args().First()); err != nil {
			return usage("cluster %s: %v", c.Command.Name, err)
		}
	}
	ctx, stop := interruptible(c.Context)
	defer stop()
	err := clusterDo(c, args, needs, func(k cluster.Controller) error { return do(ctx, k) })
	if err == nil && c.Bool("json") {
		return std.JSON(changeDoc{ui.Schema("cluster." + c.Command.Name), c.Args().First()})
	}
	return err
}

func clusterJoin(std ui.IO) *cli.Command {
	return &cli.Command{
		Name: "join", Usage: "make this node a member of a lockspace", ArgsUsage: "NAME", HideHelpCommand: true,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			return clusterChange(c, std, 1, "one name of a lockspace", func(ctx context.Context, k cluster.Controller) error {
				return k.Join(ctx, c.Args().First())
			})
		},
	}
}

func clusterLeave(std ui.IO) *cli.Command {
	return &cli.Command{
		Name: "leave", Usage: "end this node's membership in a lockspace", ArgsUsage: "NAME", HideHelpCommand: true,
		Flags: []cli.Flag{jsonFlag(), &cli.BoolFlag{Name: "force", Usage: "even if it has locks there, its own or those of other nodes that it masters"}},
		Action: func(c *cli.Context) error {
			return clusterChange(c, std, 1, "one name of a lockspace", func(ctx context.Context, k cluster.Controller) error {
				return k.Leave(ctx, c.Args().First(), c.Bool("force"))
			})
		},
	}
}

func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
}

func clusterUp(std ui.IO) *cli.Command {
	return &cli.Command{
		Name: "up", Usage: "control the DLM of this node until interrupted", HideHelpCommand: true,
		Description: "Brings the cluster up and answers the kernel, in the foreground. When it ends\n" +
			"by a signal, everything stays as it is, for the next one to go on; it has half of\n" +
			"dead_ms for that, then the kernel stops the lockspaces. cluster down ends it for good.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print what happens as lines of JSON; docs/json.md describes them"},
			&cli.StringFlag{Name: "static", Usage: "the file of nodes (nodes.toml)"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print what would be done to bring the cluster up"},
			&cli.BoolFlag{Name: "no-fencing", Usage: "recover from the crash of a node without fencing it"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 || c.String("static") == "" {
				return usage("cluster up: needs --static with a file of nodes, and nothing else")
			}
			return serveCluster(c, std)
		},
	}
}

func serveCluster(c *cli.Context, std ui.IO) error {
	file, err := cluster.ReadNodes(c.String("static"))
	if err != nil {
		return wrongNodes(err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := interruptible(c.Context)
	defer stop()
	req := cluster.Request{
		Root: sysfs.Host, Dir: cluster.Dir, File: file,
		NoFencing: c.Bool("no-fencing"), DryRun: c.Bool("dry-run"),
		Holder: []string{self, "cluster", holdVerb},
		Report: func(n cluster.Note) { tellCluster(std, n) },
	}
	if c.Bool("json") {
		req.Report = func(n cluster.Note) { _ = std.JSONLine(noteLine(n)) } // the reader may go away; the cluster must go on
		req.Progress = func(s plan.StepInfo) {
			_ = std.JSONLine(upLine{Document: ui.Schema("cluster.up"), Event: "step", Step: &s})
		}
	} else if req.DryRun {
		req.Progress = func(s plan.StepInfo) { fmt.Fprintln(std.Out, s) }
	}
	if err := cluster.Serve(ctx, req); err != nil {
		return wrongNodes(err)
	}
	return ctx.Err() // interrupted, if it was
}

// wrongNodes makes what is wrong with the file of nodes wrong usage.
func wrongNodes(err error) error {
	err = fmt.Errorf("cluster up: %w", err)
	if errors.Is(err, cluster.ErrNodes) {
		return &failure{code: ui.ExitUsage, err: err}
	}
	return err
}

// jobWords say what was done to a lockspace.
var jobWords = map[cluster.Job]string{
	cluster.JobStop: "stopped", cluster.JobUpdate: "members updated", cluster.JobStart: "started",
	cluster.JobDepart: "left", cluster.JobDrop: "dropped, because the other nodes have recovered from this one's absence",
}

// upLine is a line of mdkit cluster up --json.
type upLine struct {
	ui.Document
	Event string         `json:"event"`
	Step  *plan.StepInfo `json:"step,omitempty"`
	Node  int            `json:"node,omitempty"`
	Space string         `json:"lockspace,omitempty"`
	Job   string         `json:"job,omitempty"`
	Error string         `json:"error,omitempty"`
}

func noteLine(n cluster.Note) upLine {
	events := map[cluster.NoteKind]string{
		cluster.NoteUp: "up", cluster.NoteQuorum: "quorum", cluster.NoteNoQuorum: "no quorum", cluster.NoteAlive: "alive", cluster.NoteDead: "dead",
		cluster.NoteFencing: "fencing", cluster.NoteFenced: "fenced", cluster.NoteFenceFailed: "fence failed", cluster.NoteJob: "done", cluster.NoteJobFailed: "failed",
	}
	jobs := map[cluster.Job]string{cluster.JobStop: "stop", cluster.JobUpdate: "update", cluster.JobStart: "start", cluster.JobDepart: "depart", cluster.JobDrop: "drop"}
	line := upLine{Document: ui.Schema("cluster.up"), Event: events[n.Kind], Node: n.Node, Space: n.Space, Job: jobs[n.Job]}
	if n.Err != nil {
		line.Error = n.Err.Error()
	}
	return line
}

// tellCluster prints a note as a line.
func tellCluster(std ui.IO, n cluster.Note) {
	switch n.Kind {
	case cluster.NoteUp:
		fmt.Fprintf(std.Out, "node %d: up\n", n.Node)
	case cluster.NoteQuorum:
		fmt.Fprintln(std.Out, "quorum")
	case cluster.NoteNoQuorum:
		fmt.Fprintln(std.Out, "no quorum: lockspaces are stopped until there is one")
	case cluster.NoteAlive:
		fmt.Fprintf(std.Out, "node %d: alive\n", n.Node)
	case cluster.NoteDead:
		fmt.Fprintf(std.Out, "node %d: not heard any more\n", n.Node)
	case cluster.NoteFencing:
		fmt.Fprintf(std.Out, "node %d: being fenced\n", n.Node)
	case cluster.NoteFenced:
		fmt.Fprintf(std.Out, "node %d: fenced\n", n.Node)
	case cluster.NoteFenceFailed:
		fmt.Fprintf(std.Err, "mdkit: cluster up: fence node %d: %v; tried again\n", n.Node, n.Err)
	case cluster.NoteJob:
		fmt.Fprintf(std.Out, "%s: %s\n", n.Space, jobWords[n.Job])
	case cluster.NoteJobFailed:
		fmt.Fprintf(std.Err, "mdkit: cluster up: %s: %v; tried again\n", n.Space, n.Err)
	}
}
