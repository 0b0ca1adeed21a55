package dlm

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Warnings is a socket to which the kernel sends locks that wait for long. Only the
// last one that was opened on a machine hears anything.
type Warnings struct{ f *os.File }

// ListenWarnings opens the socket. [ErrUnsupported] says that this kernel has no family
// DLM: none has that is 6.3 or later, or is built without CONFIG_DLM_DEPRECATED_API, as
// Debian's are.
func ListenWarnings() (*Warnings, error) {
	const op = "listen to the DLM's warnings"
	family, err := netlink.GenlFamilyGet(familyName)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, &Error{Op: op, Mode: ModeNone, Class: ErrUnsupported, Meaning: "this kernel has no generic netlink family " + familyName}
	case err != nil:
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	sock, err := nl.Subscribe(unix.NETLINK_GENERIC)
	if err != nil {
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	req := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_REQUEST)
	req.AddData(&nl.Genlmsg{Command: commandHello, Version: uint8(family.Version)})
	if err := sock.Send(req); err != nil {
		sock.Close()
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	f, err := pollable(sock, "dlm warnings")
	if err != nil {
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	return &Warnings{f}, nil
}

// Close ends listening.
func (w *Warnings) Close() error { return w.f.Close() }

// Next waits for the next warning.
func (w *Warnings) Next(ctx context.Context) (Warning, error) {
	const op = "wait for a warning of the DLM"
	for {
		b, err := receive(ctx, w.f)
		if err != nil {
			return Warning{}, explainReceive(ctx, op, err)
		}
		messages, err := syscall.ParseNetlinkMessage(b)
		if err != nil {
			return Warning{}, &Error{Op: op, Mode: ModeNone, Class: ErrMalformed, Err: err}
		}
		for _, m := range messages {
			if m.Header.Type < unix.NLMSG_MIN_TYPE {
				continue
			}
			if warning, ours, err := ParseWarning(m.Data); ours || err != nil {
				return warning, err
			}
		}
	}
}
