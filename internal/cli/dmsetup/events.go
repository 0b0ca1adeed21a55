package dmsetup

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// eventJSON is one line of the command events.
type eventJSON struct {
	ui.Document
	Time    string `json:"time"`
	Event   string `json:"event"`
	Name    string `json:"name"`
	UUID    string `json:"uuid"`
	Major   uint32 `json:"major"`
	Minor   uint32 `json:"minor"`
	EventNr uint32 `json:"event_nr"`
	OldName string `json:"old_name,omitempty"`
}

// events is the command events: it prints a line of JSON for each existing device, and
// one for each event from then on. Words are the names of the devices to report; --count
// ends it after that many events.
func (dr *drivers) events(ctx context.Context, c dmtask.Call) error {
	dr.Streamed = true
	ctl, err := dr.Control()
	if err != nil {
		return err
	}
	p, err := ctl.Poller()
	if err != nil {
		return dmtask.Failed("armpoll", dmtask.Device{}, err)
	}
	defer p.Close()
	ctx, stop := dr.Std.Cancellable(ctx)
	defer stop()
	for _, e := range p.Devices() {
		if err := dr.event(c, "present", e, ""); err != nil {
			return err
		}
	}
	left := dr.Line.Number[dmopt.Count]
	for {
		if err := dr.Out.Flush(); err != nil {
			return err
		}
		changes, err := p.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return nil // --count has been reached
		}
		if err != nil {
			return dmtask.Failed(dmtask.TaskNames, dmtask.Device{}, err)
		}
		for _, ch := range changes {
			old := ""
			if ch.Kind == dm.Renamed {
				old = ch.Old.Name
			}
			if !dr.follows(c, ch.Name) && !dr.follows(c, old) {
				continue
			}
			if err := dr.event(c, ch.Kind.String(), ch.Entry, old); err != nil {
				return err
			}
			if left--; left == 0 {
				return nil
			}
		}
	}
}

// follows reports whether the device is one of those to report.
func (dr *drivers) follows(c dmtask.Call, name string) bool {
	_ = dr.Unmangle("name", &name)
	return len(c.Args) == 0 || slices.Contains(c.Args, name)
}

func (dr *drivers) event(c dmtask.Call, what string, e dm.Entry, old string) error {
	if !dr.follows(c, e.Name) && !dr.follows(c, old) {
		return nil
	}
	if err := errors.Join(dr.Unmangle("name", &e.Name), dr.Unmangle("UUID", &e.UUID), dr.Unmangle("name", &old)); err != nil {
		return err
	}
	enc := json.NewEncoder(dr.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(eventJSON{
		Document: ui.Schema("dmsetup.events"), Time: time.Now().UTC().Format(time.RFC3339Nano), Event: what,
		Name: e.Name, UUID: e.UUID, Major: e.Number.Major, Minor: e.Number.Minor, EventNr: e.EventNr, OldName: old,
	})
}
