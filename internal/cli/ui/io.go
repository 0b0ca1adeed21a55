// Package ui holds what the command-line faces share: the streams they use, exit
// codes, tables, sizes, JSON documents and progress.
package ui

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// IO is where a command reads answers and writes what it has to say. Faces
// take it as an argument and never touch the process's own streams.
type IO struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	// Terminal reports whether Err is a terminal, on which a line can be redrawn;
	// nil means that it is not. It is a function, since the answer costs a system
	// call that most commands never need.
	Terminal func() bool

	// Keyboard says whether In is a terminal, so that somebody can be asked; nil
	// means that there is nobody.
	Keyboard func() bool

	// Interrupt derives a context that is canceled by the first interrupt from the
	// keyboard or request to end; nil means that there are none. Commands that have
	// something to clean up call it; the others just end at once.
	Interrupt func(context.Context) (context.Context, context.CancelFunc)
}

// Process returns the streams of the process itself.
func Process() IO {
	return IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal: func() bool { return term.IsTerminal(int(os.Stderr.Fd())) },
		Keyboard: func() bool { return term.IsTerminal(int(os.Stdin.Fd())) },
		Interrupt: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop) // a second one ends the process at once
			return ctx, stop
		},
	}
}

// Cancellable returns a ctx that Ctrl-C cancels, if there are interrupts.
func (o IO) Cancellable(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Interrupt == nil {
		return context.WithCancel(ctx)
	}
	return o.Interrupt(ctx)
}

// CanAsk says whether somebody is there to read a question and to answer it.
func (o IO) CanAsk() bool { return o.IsTerminal() && o.Keyboard != nil && o.Keyboard() }

// IsTerminal reports whether Err is a terminal.
func (o IO) IsTerminal() bool { return o.Terminal != nil && o.Terminal() }

// Draws reports whether Out is a terminal, whose screen can be drawn anew.
func (o IO) Draws() bool {
	f, ok := o.Out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// IsBrokenPipe reports whether err means that the reader of our output has gone,
// which it may do and which is not reported as an error. This never happens on the
// process's own stdout: there SIGPIPE ends the process, as any other program.
func IsBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
