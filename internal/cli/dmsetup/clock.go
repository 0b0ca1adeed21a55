package dmsetup

import (
	"context"
	"math"
	"time"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/report"
)

// forever is the count for a command that is repeated until it is stopped.
const forever = 0

// count returns how often to run the command. It also refuses invalid units, as the
// original does at this point.
func (p *program) count() (int, error) {
	a := p.Line
	if a.Has(dmopt.Units) {
		if _, _, ok := report.ParseUnits(a.Text[dmopt.Units]); !ok {
			return 0, p.Refuse("Invalid --units argument.")
		}
	}
	switch {
	case a.Command == "events":
		return 1, nil // for events, --count counts events
	case a.Has(dmopt.Count) && a.Number[dmopt.Count] > 0:
		return a.Number[dmopt.Count], nil
	case a.Has(dmopt.Count), a.Has(dmopt.Interval):
		return forever, nil
	}
	return 1, nil
}

// clock keeps reports at regular intervals, however long each takes.
type clock struct {
	every time.Duration
	next  time.Time
}

func newClock(every time.Duration) *clock { return &clock{every: every, next: time.Now().Add(every)} }

// wait waits for the next interval to begin. If it has missed one entirely, it warns.
func (c *clock) wait(ctx context.Context, warn func(string, ...any)) error {
	t := time.NewTimer(time.Until(c.next))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	late := math.Floor(float64(time.Since(c.next)) / float64(c.every))
	c.next = c.next.Add(time.Duration(late+1) * c.every)
	if late > 0 {
		warn("WARNING: Try increasing --interval (%d missed timer events).", int(late))
	}
	return nil
}
