// Package dmsetup is the drop-in face for dmsetup 1.02.185, which is dmstats and
// devmap_name too: its command line, its text and its exit codes, over the
// managers of this project. Package dmstats has what is behind the word stats. docs/differences-from-dmsetup.md
// lists where it differs.
package dmsetup

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// Main runs one command line and returns its exit code. args[0] is the name the
// program was called by.
func Main(ctx context.Context, args []string, std ui.IO) int {
	s := newSession(std)
	defer s.Close()
	err := s.main(ctx, args)
	if flushed := s.Out.Flush(); flushed != nil && !ui.IsBrokenPipe(flushed) {
		// The original does not notice that what it had to say is lost.
		err = errors.Join(err, s.Complain(fmt.Errorf("standard output: %w", flushed)))
	}
	return s.exitCode(err)
}

// session is one run of the program: the command line, the streams, and what is
// kept from one command to the next.
type session struct {
	*dmtask.Devices
	statistics *dmstats.Statistics

	cookie  uint32    // the transaction to join, 0 for none
	target  string    // the form that mangle gives to names: auto, hex or none
	naming  naming    // how deps and ls name devices
	style   treeStyle // how ls --tree draws
	devices *tree     // who stands on whom, once it has been asked
	concise bool      // table --concise has begun its line
	report  *columns  // the rows of the report that -c asks for, nil without
	chosen  *command  // the command that -S picks devices for
}

func newSession(std ui.IO) *session {
	out := &dmtask.Output{Line: &dmopt.Line{}, Std: std, Out: bufio.NewWriter(std.Out)}
	devices := &dmtask.Devices{Driver: &dmtask.Driver{Names: &dmtask.Names{Output: out}}}
	return &session{Devices: devices, statistics: dmstats.New(devices)}
}

// main is what the program does: read the line, find the command, run it.
func (s *session) main(ctx context.Context, args []string) error {
	if err := s.Environment.Read(); err != nil {
		return s.Complain(err)
	}
	a, err := dmopt.Parse(args, s.Std.Err)
	s.Line = a
	if err != nil {
		_ = s.Complain(err)
		return s.Refuse("Couldn't process command line.")
	}
	cmd, err := s.command()
	if err != nil {
		return err
	}
	c := dmtask.Call{Name: cmd.name, Args: a.Words}
	if a.Has(dmopt.Help) || a.Has(dmopt.Version) {
		return s.repeatedly(ctx, cmd, c, 1)
	}
	if cmd, c, err = s.prepare(cmd, c); err != nil {
		return err
	}
	count, err := s.count()
	if err != nil {
		return err
	}
	return s.repeatedly(ctx, cmd, c, count)
}

// command finds the command that the line names. --help and --version are
// commands too, whatever else the line says.
func (s *session) command() (*command, error) {
	a := s.Line
	switch {
	case a.Has(dmopt.Help) && a.Face.Stats(), a.Has(dmopt.Version) && a.Face.Stats():
		return s.statsCommand(ui.Choose(a.Has(dmopt.Help), "help", "version")), nil
	case a.Has(dmopt.Help):
		a.Command = "help"
	case a.Has(dmopt.Version):
		a.Command = "version"
	case a.Command == "":
		s.sayUsage()
		return nil, &dmtask.Said{Err: dmopt.Wrong("no command")}
	}
	cmd, ok := commandNamed(a.Command)
	if !ok {
		err := s.Refuse("Unknown command.")
		s.sayUsage()
		return nil, err
	}
	n := len(a.Words)
	if !a.Has(dmopt.Help) && !a.Has(dmopt.Version) && (n < cmd.least || cmd.most >= 0 && n > cmd.most) {
		err := s.Refuse("Incorrect number of arguments.")
		s.sayUsage()
		return nil, err
	}
	return cmd, nil
}

// prepare reads -o, sets up the report, and lets -S take the command's place.
func (s *session) prepare(cmd *command, c dmtask.Call) (*command, dmtask.Call, error) {
	a := s.Line
	if c.Name == "splitname" && !a.Has(dmopt.Columns) || c.Name == "stats" {
		a.Seen[dmopt.Columns]++
	}
	if c.Name == "stats" && !a.Has(dmopt.Units) {
		a.Seen[dmopt.Units]++
		a.Text[dmopt.Units] = "h"
	}
	if c.Name == "mangle" {
		s.mangleNothing()
	}
	if err := s.readOptions(); err != nil {
		_ = s.Complain(err)
		return nil, c, s.Refuse("Couldn't process command line.")
	}
	s.joinCookie()
	if cmd.subcommands {
		c.Sub, c.Args = c.Args[0], c.Args[1:]
	}
	if a.Has(dmopt.Select) && cmd.repeat == selectable {
		s.chosen = cmd
		a.Seen[dmopt.Columns] = 1
		cmd, _ = commandNamed("info")
		c.Name = cmd.name
	}
	if a.Has(dmopt.Columns) && !a.Has(dmopt.JSON) || s.chosen != nil {
		if err := s.startReport(c); err != nil {
			return nil, c, s.Complain(err)
		}
	}
	return cmd, c, nil
}

// perform runs a command once, or once for each word.
func (s *session) perform(ctx context.Context, cmd *command, c dmtask.Call) error {
	for {
		if err := s.Complain(cmd.run(s, ctx, c)); err != nil {
			fmt.Fprintln(s.Std.Err, "Command failed.")
			return err
		}
		if cmd.repeat == once || len(c.Args) <= 1 {
			return nil
		}
		c.Args = c.Args[1:]
	}
}

// repeatedly runs a command count times; 0 is for ever.
func (s *session) repeatedly(ctx context.Context, cmd *command, c dmtask.Call, count int) error {
	a := s.Line
	n := len(c.Args)
	c.Multiple = cmd.repeat != once && n != 1 && (n > 0 || !a.Has(dmopt.UUID) && !a.Has(dmopt.Major))
	clock := newClock(s.Line.Interval())
	for i := 1; ; i++ {
		err := s.perform(ctx, cmd, c)
		if s.concise {
			fmt.Fprintln(s.Out)
			err = errors.Join(err, s.Out.Flush())
		}
		err = errors.Join(err, s.showReport(), s.ShowDocument(a.Command))
		last := count > 0 && i == count
		if err != nil || last {
			return err
		}
		if s.report != nil {
			fmt.Fprintln(s.Out)
			if err := s.Out.Flush(); err != nil {
				return err
			}
			if err := clock.wait(ctx, s.Warn); err != nil {
				return err
			}
			s.statistics.Again()
		}
	}
}
