// Package native is mdkit's own command line: verbs that need no kernel driver and
// run on any system, and the drop-in tools as subcommands. It parses, calls the
// engine and prints; it decides nothing about devices itself.
package native

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// Main runs the command line args (without the program's name) on the given
// streams and returns the exit code; docs/exit-codes.md lists them.
func Main(ctx context.Context, args []string, std ui.IO, faces ...ui.Face) int {
	app := App(std, faces...)
	err := app.RunContext(ctx, append([]string{"mdkit"}, interspersed(app, args)...))
	code, message := verdict(err)
	if message != "" {
		fmt.Fprintf(std.Err, "mdkit: %s\n", message)
	}
	return code
}

// App describes the command line, to run it and to make its man page.
func App(std ui.IO, faces ...ui.Face) *cli.App {
	app := &cli.App{
		Name:  "mdkit",
		Usage: "the Linux md/dm stack as one tool",
		Description: "Verbs read image files and block devices without any kernel driver.\n" +
			"Every verb prints text for people, or with --json one document for programs.\n" +
			"The tools that mdkit replaces are subcommands, and links by their names.",
		Version:              version(),
		Reader:               std.In,
		Writer:               std.Out,
		ErrWriter:            std.Err,
		EnableBashCompletion: true,
		Suggest:              true,
		ExitErrHandler:       func(*cli.Context, error) {},
		OnUsageError:         usageError,
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowAppHelp(c)
			}
			return usage("there is no verb %q; mdkit help lists them", c.Args().First())
		},
		Commands: slices.Concat(
			[]*cli.Command{probeCommand(std), verifyCommand(std), inspectCommand(std), openCommand(std), recoverCommand(std)},
			platformCommands(std),
			[]*cli.Command{completionCommand(std, faces)},
		),
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true // help VERB does the same
		for _, sub := range c.Subcommands {
			sub.OnUsageError = func(_ *cli.Context, err error, _ bool) error {
				return usage("%s %s: %w; see mdkit %s %s --help", c.Name, sub.Name, err, c.Name, sub.Name)
			}
		}
	}
	for _, f := range faces {
		app.Commands = append(app.Commands, faceCommand(f, std))
	}
	return app
}

// Categories of subcommands that are not mdkit's own verbs.
const (
	categoryTools = "tools"
	categoryShell = "shell"
)

// faceCommand makes a drop-in tool a subcommand that gets its arguments unchanged.
func faceCommand(f ui.Face, std ui.IO) *cli.Command {
	return &cli.Command{
		Name: f.Name, Usage: f.Usage, Category: categoryTools,
		SkipFlagParsing: true, HideHelp: true,
		Action: func(c *cli.Context) error {
			if code := f.Main(c.Context, append([]string{f.Name}, c.Args().Slice()...), std); code != ui.ExitOK {
				return &failure{code: code}
			}
			return nil
		},
		BashComplete: func(c *cli.Context) {
			if f.Complete == nil {
				return
			}
			for _, word := range f.Complete(c.Args().Slice()) {
				fmt.Fprintln(c.App.Writer, word)
			}
		},
	}
}

// jsonFlag is a flag of every verb.
func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON document; docs/json.md describes it"}
}

// failure is an error with the exit code that it means.
type failure struct {
	code int
	err  error // nil: everything has been reported
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usage returns an error about the command line itself.
func usage(format string, args ...any) error {
	return &failure{code: ui.ExitUsage, err: fmt.Errorf(format, args...)}
}

func usageError(c *cli.Context, err error, _ bool) error {
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "mdkit" {
		return usage("%s: %w; see mdkit help %s", c.Command.Name, err, c.Command.Name)
	}
	return usage("%w; see mdkit help", err)
}

// verdict turns what a verb returned into an exit code and one line.
func verdict(err error) (code int, message string) {
	var f *failure
	switch {
	case err == nil:
		return ui.ExitOK, ""
	case errors.Is(err, context.Canceled):
		return ui.ExitCancelled, "interrupted"
	case ui.IsBrokenPipe(err):
		return ui.ExitPipe, ""
	case errors.As(err, &f):
		return f.code, f.Error()
	}
	return ui.ExitFailed, err.Error()
}

// interspersed moves the flags of a verb before its other arguments, where the flag
// package needs them, so that people may write them anywhere. Whatever follows "--"
// is not a flag. Drop-in tools get their arguments unchanged.
func interspersed(app *cli.App, args []string) []string {
	if len(args) == 0 || slices.Contains(args, ui.CompletionFlag) {
		return args
	}
	cmd := app.Command(args[0])
	if cmd == nil || cmd.SkipFlagParsing {
		return args
	}
	verb := 1
	if len(args) > 1 {
		for _, sub := range cmd.Subcommands {
			if sub.HasName(args[1]) {
				cmd, verb = sub, 2
			}
		}
	}
	if len(cmd.Subcommands) > 0 {
		return args // no verb of its follows
	}
	flags, rest := slices.Clone(args[:verb]), []string{"--"}
	for i := verb; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if !strings.Contains(arg, "=") && takesValue(cmd, strings.TrimLeft(arg, "-")) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return append(flags, rest...)
}

func takesValue(cmd *cli.Command, name string) bool {
	for _, f := range cmd.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}

// version is the module version that Go recorded in the program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
