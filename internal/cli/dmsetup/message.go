package dmsetup

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// message is the command message.
func (dr *drivers) message(ctx context.Context, c dmtask.Call) error {
	d, words, err := dr.DeviceAside(c)
	if err != nil {
		return err
	}
	sector, rest, overflow := dmopt.Strtoull(words[0])
	if overflow || rest != "" {
		return dr.Refuse("Invalid sector.")
	}
	if words = words[1:]; len(words) == 0 {
		dr.Warn("No message supplied.")
	}
	m, err := dr.manager(false)
	if err != nil {
		return err
	}
	text := strings.Join(words, " ")
	message := m.PlanMessage(d.Selector(), sector, text)
	applied, err := dr.Run(ctx, d.String(), &message.Plan)
	if err != nil {
		return dr.messageRefused(d, sector, text, refusal(err))
	}
	if !applied {
		for _, why := range dr.WhyRefused(d, sector, text, 0) {
			dr.Warn("WARNING: %s", why)
		}
		return nil
	}
	reply, replied := message.Reply, message.Replied
	if dr.Line.Has(dmopt.JSON) {
		dr.Show(replyJSON{Device: d.String(), Replied: replied, Reply: reply})
		return nil
	}
	dr.Out.WriteString(reply)
	if reply != "" && !strings.HasSuffix(reply, "\n") {
		dr.Out.WriteByte('\n')
	}
	return nil
}

type replyJSON struct {
	Device  string `json:"device"`
	Replied bool   `json:"replied"`
	Reply   string `json:"reply"`
}

// messageRefused returns the error for a refused message: why, as far as that can be
// told from the target, comes before what the kernel has logged.
func (dr *drivers) messageRefused(d dmtask.Device, sector uint64, text string, err error) error {
	if errors.Is(err, dm.ErrNoTable) && dmtask.Errno(err) == 0 { // as kernels after 6.1 answer
		err = &dmtask.TaskError{Task: dmtask.TaskMessage, Label: d.Label(), Errno: unix.EINVAL, Err: errors.Join(err, dm.ErrInvalid)}
	}
	out := dmtask.Failed(dmtask.TaskMessage, d, err)
	var refused *dmtask.TaskError
	if errors.As(out, &refused) {
		refused.More = append(dr.WhyRefused(d, sector, text, refused.Errno), refused.More...)
	}
	return out
}
