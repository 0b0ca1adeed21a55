package mapper

import (
	"context"
	"iter"
	"time"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// Event is a change to one device, and when it was seen.
type Event struct {
	dm.Change
	Time time.Time
}

// Events reports changes to all devices, through one descriptor, from now on until ctx
// ends, which ends the stream without an error. It fails with [dm.ErrUnsupported] on
// kernels before 4.13.
func (m *Mapper) Events(ctx context.Context) (iter.Seq2[Event, error], error) {
	p, err := m.Control.Poller()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { p.Close() })
	return func(yield func(Event, error) bool) {
		defer func() {
			if stop() {
				p.Close()
			}
		}()
		for {
			changes, err := p.Next(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
			now := time.Now()
			for _, c := range changes {
				if !yield(Event{Change: c, Time: now}, nil) {
					return
				}
			}
		}
	}, nil
}
