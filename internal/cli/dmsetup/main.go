// Package dmsetup is the drop-in face for dmsetup 1.02.185, also under the names dmstats
// and devmap_name: its command line, its text and its exit codes, over the managers of
// this project. Package dmstats implements the command stats.
// docs/differences-from-dmsetup.md lists the differences.
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
	p := newProgram(std)
	defer p.Close()
	err := p.main(ctx, args)
	if flushed := p.Out.Flush(); flushed != nil && !ui.IsBrokenPipe(flushed) {
		// The original does not notice that its output has been lost.
		err = errors.Join(err, p.Complain(fmt.Errorf("standard output: %w", flushed)))
	}
	return p.exitCode(err)
}

// program is one run of the program. Its abilities are in small types, each built on
// those that it needs.
type program struct {
	*dmtask.Devices
	*trees
	*reports
	*cookies
	*changes
	*renames
	*tables
	*nodes
	*statuses
	*drivers
}

func newProgram(std ui.IO) *program {
	out := &dmtask.Output{Line: &dmopt.Line{}, Std: std, Out: bufio.NewWriter(std.Out)}
	devices := &dmtask.Devices{Driver: &dmtask.Driver{Names: &dmtask.Names{Output: out}}}
	t := &trees{Devices: devices}
	r := &reports{trees: t, statistics: dmstats.New(devices)}
	k := &cookies{Devices: devices}
	c := &changes{reports: r, cookies: k}
	n := &nodes{c}
	return &program{
		Devices: devices, trees: t, reports: r, cookies: k, changes: c, renames: &renames{changes: c},
		tables: &tables{changes: c}, nodes: n, statuses: &statuses{nodes: n}, drivers: &drivers{c},
	}
}

// main reads the command line, finds the command and runs it.
func (p *program) main(ctx context.Context, args []string) error {
	if err := p.Environment.Read(); err != nil {
		return p.Complain(err)
	}
	a, err := dmopt.Parse(args, p.Std.Err)
	p.Line = a
	if err != nil {
		_ = p.Complain(err)
		return p.Refuse("Couldn't process command line.")
	}
	cmd, err := p.command()
	if err != nil {
		return err
	}
	c := dmtask.Call{Name: cmd.name, Args: a.Words}
	if a.Has(dmopt.Help) || a.Has(dmopt.Version) {
		return p.repeatedly(ctx, cmd, c, 1)
	}
	if cmd, c, err = p.prepare(cmd, c); err != nil {
		return err
	}
	count, err := p.count()
	if err != nil {
		return err
	}
	return p.repeatedly(ctx, cmd, c, count)
}

// command returns the command that the line names. --help and --version count as
// commands, whatever else the line says.
func (p *program) command() (*command, error) {
	a := p.Line
	switch {
	case a.Has(dmopt.Help) && a.Face.Stats(), a.Has(dmopt.Version) && a.Face.Stats():
		return p.statsCommand(ui.Choose(a.Has(dmopt.Help), "help", "version")), nil
	case a.Has(dmopt.Help):
		a.Command = "help"
	case a.Has(dmopt.Version):
		a.Command = "version"
	case a.Command == "":
		p.sayUsage()
		return nil, &dmtask.Printed{Err: dmopt.Wrong("no command")}
	}
	cmd, ok := commandNamed(a.Command)
	if !ok {
		err := p.Refuse("Unknown command.")
		p.sayUsage()
		return nil, err
	}
	n := len(a.Words)
	if !a.Has(dmopt.Help) && !a.Has(dmopt.Version) && (n < cmd.least || cmd.most >= 0 && n > cmd.most) {
		err := p.Refuse("Incorrect number of arguments.")
		p.sayUsage()
		return nil, err
	}
	return cmd, nil
}

// prepare reads -o, sets up the report, and substitutes the selection of -S for the
// command.
func (p *program) prepare(cmd *command, c dmtask.Call) (*command, dmtask.Call, error) {
	a := p.Line
	if c.Name == "splitname" && !a.Has(dmopt.Columns) || c.Name == "stats" {
		a.Seen[dmopt.Columns]++
	}
	if c.Name == "stats" && !a.Has(dmopt.Units) {
		a.Seen[dmopt.Units]++
		a.Text[dmopt.Units] = "h"
	}
	if c.Name == "mangle" {
		p.mangleNothing()
	}
	if err := p.readOptions(); err != nil {
		_ = p.Complain(err)
		return nil, c, p.Refuse("Couldn't process command line.")
	}
	p.joinCookie()
	if cmd.subcommands {
		c.Sub, c.Args = c.Args[0], c.Args[1:]
	}
	if a.Has(dmopt.Select) && cmd.repeat == selectable {
		chosen := cmd
		p.selected = func(ctx context.Context, name string) error {
			return chosen.run(p, ctx, dmtask.Call{Name: chosen.name, Args: []string{name}, Multiple: true})
		}
		a.Seen[dmopt.Columns] = 1
		cmd, _ = commandNamed("info")
		c.Name = cmd.name
	}
	if a.Has(dmopt.Columns) && !a.Has(dmopt.JSON) || p.selected != nil {
		if err := p.startReport(c); err != nil {
			return nil, c, p.Complain(err)
		}
	}
	return cmd, c, nil
}

// perform runs a command once, or once for each word.
func (p *program) perform(ctx context.Context, cmd *command, c dmtask.Call) error {
	for {
		if err := p.Complain(cmd.run(p, ctx, c)); err != nil {
			fmt.Fprintln(p.Std.Err, "Command failed.")
			return err
		}
		if cmd.repeat == once || len(c.Args) <= 1 {
			return nil
		}
		c.Args = c.Args[1:]
	}
}

// repeatedly runs a command count times; 0 means without end.
func (p *program) repeatedly(ctx context.Context, cmd *command, c dmtask.Call, count int) error {
	a := p.Line
	n := len(c.Args)
	c.Multiple = cmd.repeat != once && n != 1 && (n > 0 || !a.Has(dmopt.UUID) && !a.Has(dmopt.Major))
	clock := newClock(p.Line.Interval())
	for i := 1; ; i++ {
		err := p.perform(ctx, cmd, c)
		if p.concise {
			fmt.Fprintln(p.Out)
			err = errors.Join(err, p.Out.Flush())
		}
		err = errors.Join(err, p.showReport(), p.ShowDocument(a.Command))
		last := count > 0 && i == count
		if err != nil || last {
			return err
		}
		if p.report != nil {
			fmt.Fprintln(p.Out)
			if err := p.Out.Flush(); err != nil {
				return err
			}
			if err := clock.wait(ctx, p.Warn); err != nil {
				return err
			}
			p.statistics.Again()
		}
	}
}
