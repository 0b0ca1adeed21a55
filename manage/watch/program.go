package watch

import (
	"context"
	"fmt"
	"io"
	"os/exec"
)

// Program is a program to run for every event, with the name of the event, the
// array, and the component or the extra information as its arguments.
type Program struct {
	Path   string // not looked up in $PATH
	Stdout io.Writer
	Stderr io.Writer
	Later  bool // the arguments are those of mdadm since 4.3
}

// Args are the arguments for an event, without the program's own name.
func (p *Program) Args(e Event) []string {
	args := []string{e.Name, e.Array}
	detail := e.Detail()
	if p.Later {
		detail = e.laterDetail()
	}
	if detail != "" {
		args = append(args, detail)
	}
	return args
}

// Run runs the program and waits until it ends. Its exit code is ignored: the only
// error is that it cannot be run.
func (p *Program) Run(ctx context.Context, e Event) error {
	cmd := exec.CommandContext(ctx, p.Path, p.Args(e)...)
	cmd.Path = p.Path
	cmd.Err = nil // a bare name means the file of that name, not one of $PATH
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run the program for %s of %s: %w", e.Name, e.Array, err)
	}
	_ = cmd.Wait() // the alert has been handed over
	return nil
}
