package mapper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// labStuck removes all devices while a mirror is resynchronised from a suspended one: the
// kernel takes the mirror away, and waits for its resynchronisation where no signal
// reaches (dm-raid1.c, mirror_presuspend). The change ends all the same, and says so.
func labStuck(t *testing.T, g *lab.Guest) {
	for _, c := range []struct {
		name  string
		limit time.Duration
		ctx   func() (context.Context, context.CancelFunc)
		cause error
	}{
		{"time over", 300 * time.Millisecond, func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }, nil},
		{"called off", time.Hour, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 300*time.Millisecond)
		}, context.DeadlineExceeded},
	} {
		m := open(t)
		m.Patience = c.limit
		low := create(t, m, CreateRequest{Name: "low", Table: table.Table{{Length: 8192, Type: "linear", Params: g.Disks[0] + " 0"}}})
		apply(t, m.PlanSuspend(dm.ByName("low"), dm.SuspendOptions{}), nil)
		legs := fmt.Sprintf("core 1 1024 2 %v 0 %s 0", low.Info().Number, g.Disks[1])
		ctx, cancel := c.ctx()
		create(t, m, CreateRequest{Name: "twice", Table: table.Table{{Length: 8192, Type: "mirror", Params: legs}}})
		err := m.PlanRemoveAll(false).Apply(ctx, nil)
		cancel()
		var full *Error
		var late *dm.StuckError
		if !errors.As(err, &late) || late.Ended || !errors.Is(err, c.cause) && c.cause != nil || c.cause == nil && late.Cause != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !errors.As(err, &full) || !slices.ContainsFunc(full.Below, func(i dm.Info) bool { return i.Name == "low" }) {
			t.Errorf("%s: the suspended device is not named: %v", c.name, err)
		}
		_, err = m.Control.Resume(dm.ByName("low"), dm.ResumeOptions{})
		must(t, err)
		lab.Until(t, "what the kernel goes on with to end", func() bool {
			list, err := m.Control.List(dm.ListOptions{})
			must(t, err)
			return len(list) == 0
		})
		_, err = makeNodes(m)
		must(t, err)
	}
}
