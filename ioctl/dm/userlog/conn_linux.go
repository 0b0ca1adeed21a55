package userlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a socket of the netlink connector that receives the kernel's
// requests. It must be closed. One Conn on a machine answers for all mirrors.
type Conn struct {
	f *os.File
}

// Listen opens the socket. It needs CAP_NET_ADMIN, and the module cn.
func Listen() (*Conn, error) {
	fail := func(what string, err error) error { return fmt.Errorf("listen for mirror logs: %s: %w", what, err) }
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fail("netlink connector", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fail("bind", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, connIndex); err != nil {
		unix.Close(fd)
		return nil, fail("join the group of device-mapper", err)
	}
	return &Conn{f: os.NewFile(uintptr(fd), "mirror log socket")}, nil
}

// Close closes the socket. From then on mirrors wait.
func (c *Conn) Close() error { return c.f.Close() }

// largest is more than the kernel puts in one message
// (DM_ULOG_PREALLOCED_SIZE).
const largest = 4096

// Receive waits for a request. Messages that are not requests are skipped. It
// ends with ctx.
func (c *Conn) Receive(ctx context.Context) (*Request, error) {
	stop := context.AfterFunc(ctx, func() { c.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, largest)
	for {
		n, err := c.f.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, unix.ENOBUFS):
			continue // some were lost; the kernel repeats them
		case err != nil:
			return nil, fmt.Errorf("receive requests of mirror logs: %w", err)
		}
		if req, err := ParseRequest(buf[:n]); err == nil {
			return req, nil
		}
	}
}

// Answer sends the answer to a request.
func (c *Conn) Answer(req *Request, r Reply) error {
	if _, err := c.f.Write(r.Encode(req)); err != nil {
		return fmt.Errorf("answer %v of mirror log %s: %w", req.Type, req.UUID, err)
	}
	return nil
}
