package dm

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
)

// Control issues commands to a device mapper. It must be closed. Methods may be
// called from several goroutines; the kernel runs them concurrently.
type Control struct {
	t       Transport
	version atomic.Pointer[Version]    // of the driver, once it is known
	room    [numCommands]atomic.Uint32 // bytes that the largest reply so far took
}

// NewControl returns a Control that uses t, and closes it when it is closed.
func NewControl(t Transport) *Control { return &Control{t: t} }

// Close closes the Transport. Devices stay as they are.
func (c *Control) Close() error { return c.t.Close() }

// Replies start with this much room, in bytes, and get at most what the kernel
// accepts.
const (
	firstRoom = 16 << 10
	mostRoom  = maxPayload
)

// call issues a request, repeating it with twice the room while the reply does
// not fit, and reads the reply's header.
func (c *Control) call(r request) (*reply, error) {
	if r.room > 0 {
		r.room = max(r.room, int(c.room[r.cmd].Load()))
	}
	for {
		rep, err := c.do(&r)
		if err != nil || rep.info.Flags&FlagBufferFull == 0 {
			return rep, err
		}
		if r.once || r.room >= mostRoom {
			return rep, &Error{Command: r.cmd, Device: r.about(), Class: ErrReplyLost}
		}
		r.room = min(2*r.room, mostRoom)
		if r.cmd != CmdTargetMsg { // messages differ too much to learn from
			c.room[r.cmd].Store(uint32(r.room))
		}
	}
}

// do issues a request once.
func (c *Control) do(r *request) (*reply, error) {
	buf := r.encode()
	if r.flags&FlagSecureData != 0 {
		defer clear(buf)
		defer clear(r.payload)
	}
	result, err := c.t.Do(r.cmd, buf)
	if err != nil {
		return nil, r.refused(err)
	}
	rep, err := parseReply(buf)
	if err != nil {
		return nil, fmt.Errorf("%v %s: %w", r.cmd, r.about(), err)
	}
	if r.flags&FlagSecureData != 0 {
		rep.data = append([]byte(nil), rep.data...)
	}
	c.version.CompareAndSwap(nil, &rep.version)
	if result != 0 {
		// If there is no live table and so no target, target_message returns
		// its own 2, "for the target" (dm-ioctl.c); the reply is not copied
		// out.
		return nil, &Error{Command: r.cmd, Device: r.about(), Class: ErrNoTable}
	}
	return rep, nil
}

func (r *request) about() string {
	switch {
	case r.newName != "":
		return r.newName
	case r.newUUID != "":
		return ByUUID(r.newUUID).String()
	case r.dev != Device{}:
		return r.dev.String()
	}
	return ""
}

func (r *request) refused(err error) error {
	var no syscall.Errno
	if errors.Is(err, ErrStuck) || !errors.As(err, &no) {
		return fmt.Errorf("%s: %w", strings.TrimSpace(r.cmd.String()+" "+r.about()), err)
	}
	return &Error{Command: r.cmd, Device: r.about(), Errno: no}
}

// ask issues a command about a device.
func (c *Control) ask(r request) (*reply, error) {
	if err := r.dev.check(); err != nil {
		return nil, fmt.Errorf("%v: %w", r.cmd, err)
	}
	return c.call(r)
}

// tell is ask for commands whose reply is only the header.
func (c *Control) tell(r request) (Info, error) {
	rep, err := c.ask(r)
	if err != nil {
		return Info{}, err
	}
	return rep.info, nil
}

// Version asks for the version of the driver's interface (DM_VERSION).
func (c *Control) Version() (Version, error) {
	rep, err := c.call(request{cmd: CmdVersion})
	if err != nil {
		return Version{}, err
	}
	return rep.version, nil
}

// known returns the driver's version, which it asks for only once.
func (c *Control) known() (Version, error) {
	if v := c.version.Load(); v != nil {
		return *v, nil
	}
	return c.Version()
}

// need refuses what the kernel would ignore: a flag that a later version of the
// interface than the kernel's introduced.
func (c *Control) need(cmd Command, what string, minor uint32) error {
	v, err := c.known()
	if err != nil {
		return err
	}
	if v.Minor < minor {
		return fmt.Errorf("%v: %s needs version 4.%d of the interface, this kernel has %v: %w", cmd, what, minor, v, ErrUnsupported)
	}
	return nil
}
