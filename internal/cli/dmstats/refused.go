package dmstats

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
)

// teller sends messages, and remembers of a refused one what it said, and what the kernel
// logged meanwhile. A region is made while the device is suspended from within
// (dm_stats_create), which can wait for I/O.
type teller struct{ m *mapper.Mapper }

// Message sends a message.
func (t teller) Message(dev dm.Device, sector uint64, text string, o dm.MessageOptions) (reply string, replied bool, err error) {
	err = t.m.Explained(dev, func() (err error) {
		control := t.m.Control
		if strings.HasPrefix(text, "@stats_create ") {
			control = t.m.Over(context.Background(), dev) // an interrupt ends the program
		}
		reply, replied, err = control.Message(dev, sector, text, o)
		return err
	})
	if err != nil {
		err = &messageError{text, err}
	}
	return reply, replied, err
}

// messageError is a message that was refused.
type messageError struct {
	text string
	err  error
}

// Error names the message, and gives the reason.
func (e *messageError) Error() string { return fmt.Sprintf("message %q: %v", e.text, e.err) }

// Unwrap returns the refusal.
func (e *messageError) Unwrap() error { return e.err }

// failed returns the error for a refused message, and says why as dmsetup message does.
func (hs *handles) failed(d dmtask.Device, err error) error {
	out := dmtask.Failed(dmtask.TaskMessage, d, err)
	var refused *dmtask.TaskError
	var sent *messageError
	if errors.As(out, &refused) && errors.As(err, &sent) {
		refused.More = append(hs.WhyRefused(d, 0, sent.text, refused.Errno), refused.More...)
	}
	return out
}
