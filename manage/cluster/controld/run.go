package controld

import (
	"context"
	"fmt"
	"net"
	"time"
)

// RunResult says how far a command is that the nodes run (DLMC_RUN_STATUS_*).
type RunResult uint32

// What is known of a run.
const (
	RunWaiting RunResult = 1 // replies are missing
	RunDone    RunResult = 2
	RunFailed  RunResult = 4 // on one node at least
)

// Whether this node takes part in a run (DLMC_FLAG_RUN_START_*).
const (
	notHere  = 1
	hereToo  = 4
	clearRun = 1 // DLMC_FLAG_RUN_CHECK_CLEAR
	dropRun  = 2 // DLMC_FLAG_RUN_CHECK_CANCEL
)

// Run has all other nodes run a command, and with here this one too. It returns the name
// of the run.
func Run(ctx context.Context, command string, here bool) (id string, err error) {
	r := Request{Command: StartRun, Flags: notHere, Text: command}
	if here {
		r.Flags = hereToo
	}
	err = send(ctx, orderSocket, r, func(conn net.Conn) error {
		h, _, err := receive(conn)
		id = h.Name
		return err
	})
	return id, err
}

// Result asks how far a run is, for so long as replies are missing and the time is not
// over; cancel forgets the run.
func Result(ctx context.Context, id string, wait time.Duration, cancel bool) (result RunResult, err error) {
	r := Request{Command: CheckRun, Flags: clearRun, Name: id}
	if cancel {
		r.Flags = dropRun
	}
	for ends := time.Now().Add(wait); ; {
		err := send(ctx, orderSocket, r, func(conn net.Conn) error {
			result, err = readResult(conn)
			return err
		})
		if err != nil || result&RunWaiting == 0 || !time.Now().Before(ends) {
			return result, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return result, err
		}
	}
}

// readResult reads the answer to [CheckRun].
func readResult(conn net.Conn) (RunResult, error) {
	h, body, err := receive(conn)
	switch {
	case h.Data < 0:
		return 0, ErrNoRun
	case err != nil:
		return 0, err
	}
	if len(body) < runSize {
		return 0, fmt.Errorf("%w: run %s: a result of %d bytes, not %d", ErrMalformed, h.Name, len(body), runSize)
	}
	return RunResult(order.Uint32(body)), nil
}
