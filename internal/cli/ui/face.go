package ui

import (
	"context"
	"fmt"
)

// Face is a command with a name of its own, as a link to the program and as a
// subcommand. It parses args itself, of which the first is the name it was called
// by, writes only to the given streams, and returns an exit code.
type Face struct {
	Name  string
	Usage string // one line
	Main  func(ctx context.Context, args []string, std IO) int

	// Complete returns what can follow words, a command line without its first
	// word, for a shell to offer; nothing means file names. It may be nil.
	Complete func(words []string) []string
}

// CompletionFlag is the last argument of a command line that a shell wants to
// complete.
const CompletionFlag = "--generate-bash-completion"

// NeedsLinux replaces, on other systems, a tool that is about devices of the Linux
// kernel: it says so and does nothing.
func NeedsLinux(name string) Face {
	return Face{
		Name: name, Usage: "needs Linux",
		Main: func(_ context.Context, _ []string, std IO) int {
			fmt.Fprintf(std.Err, "%s: this needs Linux; mdkit help lists what works here\n", name)
			return ExitFailed
		},
	}
}
