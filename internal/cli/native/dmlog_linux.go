package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm/userlog"
	"github.com/mdkit/mdkit/manage/mirrorlog"
)

// platformCommands are the verbs that need this system's kernel.
func platformCommands(std ui.IO) []*cli.Command {
	return []*cli.Command{clusterCommand(std), traceCommand(std), dmLogCommand(std)}
}

func dmLogCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:  "dm-log",
		Usage: "keep the logs of `mirror userspace` devices, as cmirrord does on one machine",
		Description: "Answers the kernel's questions about device-mapper mirrors whose log is\n" +
			"userspace clustered-core or clustered-disk, until it is interrupted. Without it\n" +
			"such mirrors cannot be made, and existing ones wait. Run only one on a machine.\n\n" +
			"Exit code: 8 the kernel can no longer be listened to; 16 wrong usage; 32 interrupted.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one line of JSON for each log that is made or goes away; docs/json.md describes it"}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("dm-log: takes no arguments")
			}
			return serveLogs(c.Context, std, c.Bool("json"))
		},
	}
}

// logLine is a line of mdkit dm-log --json.
type logLine struct {
	Schema  string `json:"schema"`
	Log     string `json:"log"`               // its name in the table
	Request string `json:"request"`           // what the kernel asked
	Args    string `json:"args,omitempty"`    // of a new log
	Refused string `json:"refused,omitempty"` // why the kernel was refused
}

func serveLogs(ctx context.Context, std ui.IO, asJSON bool) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	boot, err := mirrorlog.BootID()
	if err != nil {
		return err
	}
	conn, err := userlog.Listen()
	if err != nil {
		return err
	}
	s := &mirrorlog.Server{
		Open: mirrorlog.OpenDisk, Boot: boot,
		Report: func(r mirrorlog.Report) { tellLog(std, r, asJSON) },
	}
	err = s.Serve(ctx, conn)
	return errors.Join(err, s.Close(), conn.Close())
}

func tellLog(std ui.IO, r mirrorlog.Report, asJSON bool) {
	line := logLine{Schema: "mdkit.dm-log/1", Log: r.UUID, Request: r.Request.String(), Args: r.Args}
	if r.Err != nil {
		line.Refused = r.Err.Error()
	}
	switch {
	case asJSON:
		// The reader of these lines may go away; the mirrors must go on.
		_ = json.NewEncoder(std.Out).Encode(line)
	case r.Err != nil:
		fmt.Fprintf(std.Err, "mdkit: dm-log: %s: %s: %v\n", line.Log, line.Request, r.Err)
	case r.Request == userlog.Construct:
		fmt.Fprintf(std.Out, "%s: kept (%s)\n", line.Log, line.Args)
	default:
		fmt.Fprintf(std.Out, "%s: gone\n", line.Log)
	}
}
