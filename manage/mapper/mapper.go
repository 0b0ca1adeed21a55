package mapper

import (
	"errors"
	"strings"
	"time"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// Mapper changes mapped devices. [Open] returns one for this system.
type Mapper struct {
	Control *dm.Control
	Nodes   Nodes
	Udev    UdevSync
	FS      sysfs.FS // where sysfs and /proc are found

	// Patience is how long a command may take if a device below is suspended, which can
	// hold up I/O that the kernel waits for; 0 is without end.
	Patience time.Duration
}

// Open opens the control device, and finds out how to work with udev.
func Open() (*Mapper, error) {
	c, err := dm.Open()
	if err != nil {
		return nil, err
	}
	return &Mapper{Control: c, Udev: DefaultUdev(), FS: sysfs.Host}, nil
}

// Close closes the control device.
func (m *Mapper) Close() error { return m.Control.Close() }

// Error is a refused change, with what is known about the reason.
type Error struct {
	Err    error     // the refusal, usually a *dm.Error
	Kernel []string  // what the kernel logged meanwhile, without time stamps
	Held   string    // what holds the device if it is busy; empty if not known
	Below  []dm.Info // suspended devices below, if the kernel did not end the command
}

// Error returns a single line.
func (e *Error) Error() string {
	s := e.Err.Error()
	if e.Held != "" {
		s += "; " + e.Held
	}
	for _, i := range e.Below {
		s += "; suspended below: " + i.Name
	}
	if len(e.Kernel) > 0 {
		s += "; kernel: " + strings.Join(e.Kernel, "; ")
	}
	return s
}

// Unwrap returns the refusal.
func (e *Error) Unwrap() error { return e.Err }

// Explained runs a command about a device, or about all, which is the zero value. If it is refused, the error is an [*Error],
// with what the kernel logged meanwhile, and what holds the device if it is busy.
func (m *Mapper) Explained(dev dm.Device, command func() error) error {
	log := note.ListenToKernel()
	defer log.Close()
	err := command()
	if err == nil {
		return nil
	}
	return m.explain(dev, err, log.Heard(aboutMapper))
}

// explain adds to a refusal what is known about the reason: the kernel's messages, and
// what holds the device if it is busy.
func (m *Mapper) explain(dev dm.Device, err error, kernel []string) error {
	full := &Error{Err: err, Kernel: kernel}
	var refused *dm.Error
	toTarget := errors.As(err, &refused) && refused.Command == dm.CmdTargetMsg // it is busy otherwise than by being open
	if errors.Is(err, dm.ErrBusy) && !errors.Is(err, dm.ErrExist) && !toTarget {
		full.Held = m.Holders(dev)
	}
	switch {
	case !errors.Is(err, dm.ErrStuck):
	case dev == dm.Device{}:
		full.Below = m.suspended()
	default:
		full.Below = m.suspendedUnder(m.uses(dev))
	}
	if len(full.Kernel) == 0 && full.Held == "" && len(full.Below) == 0 {
		return err
	}
	return full
}

// Holders says in one line what holds a device, or "" if that is not known.
func (m *Mapper) Holders(dev dm.Device) string {
	info, err := m.Control.Status(dev, dm.StatusOptions{})
	if err != nil {
		return ""
	}
	return note.HeldBy(m.FS, block.Num{Major: info.Number.Major, Minor: info.Number.Minor}, info.Name)
}

// aboutMapper reports whether a line is about the device mapper or the drivers under its
// targets.
func aboutMapper(line string) bool {
	for _, p := range []string{"device-mapper: ", "md/raid", "mdX: ", "bio: ", "dm-"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}
