package dlm

import (
	"context"
	"fmt"
)

// await runs do, which may sleep where no signal reaches it, and returns what it
// returns or, when the context ends first, an [*Error] of class [ErrStillWaiting]. do
// then goes on in the background.
func await(ctx context.Context, op, space string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return waited(op, space, "", ModeNone, "it was not begun", err)
	}
	if ctx.Done() == nil {
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return waited(op, space, "", ModeNone, "the kernel has not answered", ctx.Err())
	}
}

// waited is the error for a context that ended; still says what was waited for.
func waited(op, space, resource string, mode Mode, still string, err error) error {
	return &Error{Op: op, Space: space, Resource: resource, Mode: mode, Class: ErrStillWaiting, Meaning: still, Err: fmt.Errorf("gave up: %w", err)}
}
