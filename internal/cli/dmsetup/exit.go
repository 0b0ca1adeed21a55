package dmsetup

import (
	"errors"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// Exit codes under --exit-codes; docs/exit-codes.md lists them. Without that option
// every failure is exitFailed, as in the original.
const (
	exitFailed      = 1  // for any reason without a code of its own
	exitUsage       = 2  // the command line is wrong
	exitMissing     = 3  // there is no such device
	exitBusy        = 4  // the device is in use
	exitExists      = 5  // a device of that name or UUID exists
	exitPermission  = 6  // not allowed
	exitInvalid     = 7  // the table or the value is not accepted
	exitUnsupported = 8  // this kernel has no such target or command
	exitNoDriver    = 9  // there is no device mapper
	exitTimeout     = 10 // the deadline has passed
	exitUnchecked   = 11 // check found nothing wrong, and could not check everything
)

// exitCode returns the exit code for what main returned. As in the original, it is 0 if
// --help or --version precede a mistake.
func (p *program) exitCode(err error) int {
	a := p.Line
	switch {
	case err == nil && p.unchecked && a.Has(dmopt.ExitCodes):
		return exitUnchecked
	case err == nil, a.Has(dmopt.Help), a.Has(dmopt.Version):
		return ui.ExitOK
	case !a.Has(dmopt.ExitCodes):
		return exitFailed
	}
	for _, class := range []struct {
		is   error
		code int
	}{
		{dm.ErrNoDriver, exitNoDriver},
		{errTimeout, exitTimeout},
		{dm.ErrStuck, exitTimeout},
		{dm.ErrExist, exitExists},
		{dm.ErrNoTarget, exitUnsupported},
		{dm.ErrUnsupported, exitUnsupported},
		{dm.ErrBusy, exitBusy},
		{dm.ErrNotExist, exitMissing},
		{dm.ErrPermission, exitPermission},
		{grammar.ErrUnknownTarget, exitUnsupported},
		{grammar.ErrSyntax, exitInvalid},
		{grammar.ErrInvalid, exitInvalid},
		{grammar.ErrDevice, exitInvalid},
		{dm.ErrInvalid, exitInvalid},
	} {
		if errors.Is(err, class.is) {
			return class.code
		}
	}
	var usage *dmopt.UsageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}
