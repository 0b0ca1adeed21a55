package dlm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Events is a descriptor on which the kernel tells of lockspaces that processes want
// to join or leave. It is opened before the first lockspace can be created: nothing
// is told twice.
type Events struct{ f *os.File }

// kernelGroup is the multicast group in which the kernel itself speaks; in group 2
// udev repeats what it has handled.
const kernelGroup = 1

// eventBuffer is the size of the socket's buffer in bytes: the kernel drops events
// when it is full, as dlm_controld's.
const eventBuffer = 2 << 20

// ListenEvents opens the descriptor.
func ListenEvents() (*Events, error) {
	const op = "listen to uevents"
	sock, err := nl.Subscribe(unix.NETLINK_KOBJECT_UEVENT, kernelGroup)
	if err != nil {
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	f, err := pollable(sock, "uevents")
	if err != nil {
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	// Without the privilege for more the buffer is as large as the system allows.
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	err = rc.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, eventBuffer) != nil {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, eventBuffer) //nolint:errcheck // smaller, then
		}
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Events{f}, nil
}

// pollable makes a file of the socket's descriptor, whose reads end with deadlines, and
// closes the socket. nl's own Receive blocks, and expects headers that uevents lack.
func pollable(sock *nl.NetlinkSocket, name string) (*os.File, error) {
	defer sock.Close()
	fd, err := unix.FcntlInt(uintptr(sock.GetFd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Close ends listening; a [Events.Next] that waits returns [ErrClosed].
func (e *Events) Close() error { return e.f.Close() }

// Next waits for the next event of a lockspace. [ErrLost] says that the kernel had to
// drop some: what has changed meanwhile is to be seen in [Lockspaces].
func (e *Events) Next(ctx context.Context) (Event, error) {
	const op = "wait for a lockspace event"
	for {
		b, err := receive(ctx, e.f)
		if err != nil {
			return Event{}, explainReceive(ctx, op, err)
		}
		event, ours, err := ParseEvent(b)
		if ours || err != nil {
			return event, err
		}
	}
}

func explainReceive(ctx context.Context, op string, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return waited(op, "", "", ModeNone, "there was none", ctx.Err())
	case errors.Is(err, os.ErrClosed):
		return &Error{Op: op, Mode: ModeNone, Class: ErrClosed}
	case errors.Is(err, unix.ENOBUFS):
		return &Error{Op: op, Mode: ModeNone, Class: ErrLost, Err: unix.ENOBUFS}
	}
	return &Error{Op: op, Mode: ModeNone, Err: err}
}

// receive returns the next message of the kernel's. Whoever may open such a socket can
// also send to others': only port 0 is the kernel.
func receive(ctx context.Context, f *os.File) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, os.ErrDeadlineExceeded
	}
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // a socket has deadlines
	defer func() {
		if !stop() {
			f.SetReadDeadline(time.Time{}) //nolint:errcheck // likewise
		}
	}()
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 8192) // a uevent has at most 2048 bytes (UEVENT_BUFFER_SIZE)
	for {
		var n int
		var from unix.Sockaddr
		var rerr error
		err := rc.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(rerr, unix.EAGAIN)
		})
		switch {
		case err != nil:
			return nil, err
		case rerr != nil:
			return nil, fmt.Errorf("recvfrom: %w", rerr)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 {
			return buf[:n], nil
		}
	}
}
