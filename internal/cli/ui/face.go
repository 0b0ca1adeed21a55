package ui

import "context"

// Face is a command that answers to a name of its own, as a link to the
// program and as a subcommand. It parses args itself, of which the first is the
// name it was called by, writes only to the streams given, and returns an exit
// code.
type Face struct {
	Name  string
	Usage string // one line
	Main  func(ctx context.Context, args []string, std IO) int
}
