// Package dmsetup is the drop-in face for dmsetup 1.02.185, also known as
// dmstats and devmap_name: its command line, its text and its exit codes, over
// the engine and the managers of this project. docs/differences-from-dmsetup.md
// lists where it differs.
package dmsetup

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// Main runs one command line and returns its exit code. args[0] is the name the
// program was called by.
func Main(ctx context.Context, args []string, std ui.IO) int {
	s := newSession(std)
	defer s.close()
	err := s.main(ctx, args)
	if flushed := s.out.Flush(); flushed != nil && !ui.IsBrokenPipe(flushed) {
		// The original does not notice that what it had to say is lost.
		err = errors.Join(err, s.complain(fmt.Errorf("standard output: %w", flushed)))
	}
	return s.exitCode(err)
}

// session is one run of the program: the command line, the streams, and what is
// kept from one command to the next.
type session struct {
	args *dmopt.Line
	std  ui.IO
	out  *bufio.Writer // standard output
	kernel
	environment

	cookie   uint32    // the transaction to join, 0 for none
	target   string    // the form that mangle gives to names: auto, hex or none
	naming   naming    // how deps and ls name devices
	style    treeStyle // how ls --tree draws
	devices  *tree     // who stands on whom, once it has been asked
	concise  bool      // table --concise has begun its line
	rows     []any     // what --json has to show so far
	streamed bool      // --json has shown it already
	report   *columns  // the rows of the report that -c asks for, nil without
	sampling sampling  // of dmstats
	chosen   *command  // the command that -S picks devices for
}

func newSession(std ui.IO) *session {
	return &session{args: &dmopt.Line{}, std: std, out: bufio.NewWriter(std.Out)}
}

// said is an error whose text is on standard error already.
type said struct{ error }

func (e *said) Unwrap() error { return e.error }

// errSaid is the error of what has been said already.
var errSaid = errors.New("refused")

// complain prints an error that has not been printed yet and marks it so.
func (s *session) complain(err error) error {
	var done *said
	if err == nil || errors.As(err, &done) {
		return err
	}
	for _, line := range s.lines(err) {
		fmt.Fprintln(s.std.Err, line)
	}
	return &said{err}
}

// refuse is complain for words of the original.
func (s *session) refuse(format string, args ...any) error {
	return s.complain(dmopt.Wrong(format, args...))
}

// warn prints one line that changes nothing.
func (s *session) warn(format string, args ...any) { fmt.Fprintf(s.std.Err, format+"\n", args...) }

// main is what the program does: read the line, find the command, run it.
func (s *session) main(ctx context.Context, args []string) error {
	if err := s.environment.read(); err != nil {
		return s.complain(err)
	}
	a, err := dmopt.Parse(args, s.std.Err)
	s.args = a
	if err != nil {
		_ = s.complain(err)
		return s.refuse("Couldn't process command line.")
	}
	cmd, err := s.command()
	if err != nil {
		return err
	}
	c := call{cmd: cmd, args: a.Words}
	if a.Has(dmopt.Help) || a.Has(dmopt.Version) {
		return s.repeatedly(ctx, c, 1)
	}
	if c, err = s.prepare(c); err != nil {
		return err
	}
	count, err := s.count()
	if err != nil {
		return err
	}
	return s.repeatedly(ctx, c, count)
}

// command finds the command that the line names. --help and --version are
// commands too, whatever else the line says.
func (s *session) command() (*command, error) {
	a := s.args
	switch {
	case a.Has(dmopt.Help) && a.Face.Stats(), a.Has(dmopt.Version) && a.Face.Stats():
		return s.statsCommand(choose(a.Has(dmopt.Help), "help", "version")), nil
	case a.Has(dmopt.Help):
		a.Command = "help"
	case a.Has(dmopt.Version):
		a.Command = "version"
	case a.Command == "":
		s.sayUsage()
		return nil, &said{dmopt.Wrong("no command")}
	}
	cmd, ok := commandNamed(a.Command)
	if !ok {
		err := s.refuse("Unknown command.")
		s.sayUsage()
		return nil, err
	}
	n := len(a.Words)
	if !a.Has(dmopt.Help) && !a.Has(dmopt.Version) && (n < cmd.least || cmd.most >= 0 && n > cmd.most) {
		err := s.refuse("Incorrect number of arguments.")
		s.sayUsage()
		return nil, err
	}
	return cmd, nil
}

// prepare reads -o, sets up the report, and lets -S take the command's place.
func (s *session) prepare(c call) (call, error) {
	a := s.args
	if c.cmd.name == "splitname" && !a.Has(dmopt.Columns) || c.cmd.name == "stats" {
		a.Seen[dmopt.Columns]++
	}
	if c.cmd.name == "stats" && !a.Has(dmopt.Units) {
		a.Seen[dmopt.Units]++
		a.Text[dmopt.Units] = "h"
	}
	if c.cmd.name == "mangle" {
		s.mangleNothing()
	}
	if err := s.readOptions(); err != nil {
		_ = s.complain(err)
		return c, s.refuse("Couldn't process command line.")
	}
	s.joinCookie()
	if c.cmd.subcommands {
		c.sub, c.args = c.args[0], c.args[1:]
	}
	if a.Has(dmopt.Select) && c.cmd.repeat == selectable {
		s.chosen = c.cmd
		a.Seen[dmopt.Columns] = 1
		c.cmd, _ = commandNamed("info")
	}
	if a.Has(dmopt.Columns) && !a.Has(dmopt.JSON) || s.chosen != nil {
		if err := s.startReport(c); err != nil {
			return c, s.complain(err)
		}
	}
	return c, nil
}

// perform runs a command once, or once for each word.
func (s *session) perform(ctx context.Context, c call) error {
	for {
		if err := s.complain(c.cmd.run(s, ctx, c)); err != nil {
			fmt.Fprintln(s.std.Err, "Command failed.")
			return err
		}
		if c.cmd.repeat == once || len(c.args) <= 1 {
			return nil
		}
		c.args = c.args[1:]
	}
}

// repeatedly runs a command count times; 0 is for ever.
func (s *session) repeatedly(ctx context.Context, c call, count int) error {
	a := s.args
	n := len(c.args)
	c.multiple = c.cmd.repeat != once && n != 1 && (n > 0 || !a.Has(dmopt.UUID) && !a.Has(dmopt.Major))
	clock := newClock(s.interval())
	for i := 1; ; i++ {
		err := s.perform(ctx, c)
		if s.concise {
			fmt.Fprintln(s.out)
			err = errors.Join(err, s.out.Flush())
		}
		err = errors.Join(err, s.showReport(), s.showDocument(a.Command))
		last := count > 0 && i == count
		if err != nil || last {
			return err
		}
		if s.report != nil {
			fmt.Fprintln(s.out)
			if err := s.out.Flush(); err != nil {
				return err
			}
			if err := clock.wait(ctx, s.warn); err != nil {
				return err
			}
			s.sampling.fresh = true
		}
	}
}
