package dm

import (
	"context"
	"errors"
	"os"
	"time"
	"unsafe"
)

// ArmPoll makes events count from now on: the Transport's Poll returns at the
// next one, whichever device has it (DM_DEV_ARM_POLL, Linux 4.13). Earlier
// events are forgotten, so look at the devices after arming and before waiting.
// It arms this Control's own descriptor; [Poller] has one to itself.
func (c *Control) ArmPoll() error {
	_, err := c.call(request{cmd: CmdDevArmPoll})
	return err
}

// Poller follows all devices through one descriptor. It must be closed. It may
// be used by one goroutine at a time.
type Poller struct {
	c     *Control
	known []Entry
}

// Poller starts following the devices: its first Next reports what has changed
// since this call. It fails with [ErrUnsupported] on kernels before 4.13.
func (c *Control) Poller() (*Poller, error) {
	t, err := c.t.Another()
	if err != nil {
		return nil, err
	}
	p := &Poller{c: NewControl(t)}
	if p.known, err = p.look(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close closes the descriptor.
func (p *Poller) Close() error { return p.c.Close() }

// Devices lists the devices as they were when last looked at.
func (p *Poller) Devices() []Entry { return append([]Entry(nil), p.known...) }

// look arms first: what happens after that wakes the next Poll, and what
// happened before is in the list.
func (p *Poller) look() ([]Entry, error) {
	if err := p.c.ArmPoll(); err != nil {
		return nil, err
	}
	return p.c.List(ListOptions{})
}

// Next waits until something has changed and reports it, ordered by name. It
// reports the sum of what happened between two calls, and nothing about a
// device that appeared and vanished meanwhile. It ends with ctx.
func (p *Poller) Next(ctx context.Context) ([]Change, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now, err := p.look()
		if err != nil {
			return nil, err
		}
		changes := compare(p.known, now)
		p.known = now
		if len(changes) > 0 {
			return changes, nil
		}
		if err := p.c.t.Poll(ctx); err != nil {
			return nil, err
		}
	}
}

// Wait waits until the device's event number differs from eventNr, and
// describes the device. It ends with ctx, and blocks no thread. Without
// DM_DEV_ARM_POLL (kernels before 4.13) it looks five times a second.
func (c *Control) Wait(ctx context.Context, dev Device, eventNr uint32) (Info, error) {
	t, err := c.t.Another()
	if err != nil {
		return Info{}, err
	}
	own := NewControl(t)
	defer own.Close()
	for {
		armed := own.ArmPoll()
		if armed != nil && !errors.Is(armed, ErrUnsupported) && !errors.Is(armed, ErrInvalid) {
			return Info{}, armed
		}
		info, err := own.Status(dev, StatusOptions{})
		if err != nil || info.EventNr != eventNr {
			return info, err
		}
		if err := own.pause(ctx, armed == nil); err != nil {
			return Info{}, err
		}
	}
}

func (c *Control) pause(ctx context.Context, armed bool) error {
	if armed {
		return c.t.Poll(ctx)
	}
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ProbePaths makes a multipath device try its paths (DM_MPATH_PROBE_PATHS,
// Linux 6.16) and mark those that fail. node is the device's open node. It
// fails with [ErrNoPath] if none is usable, and with [ErrUnsupported] if the
// device or the kernel does not know the command.
func ProbePaths(node *os.File) error {
	_, err := ioctl(node, iocNone<<dirShift|ioctlType<<8|uintptr(CmdMpathProbePaths), unsafe.Pointer(nil))
	if err != nil {
		r := request{cmd: CmdMpathProbePaths, newName: node.Name()}
		return r.refused(err)
	}
	return nil
}
