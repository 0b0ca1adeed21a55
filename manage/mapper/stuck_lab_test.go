package mapper

import (
	"context"
	"errors"
	"fmt"
	"os"
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
		cause error // nil: the limit ends it
	}{
		{"time over", 300 * time.Millisecond, nil},
		{"called off", time.Hour, context.Canceled},
	} {
		m := open(t)
		m.Patience = c.limit
		low := create(t, m, CreateRequest{Name: "low", Table: table.Table{{Length: 8192, Type: "linear", Params: g.Disks[0] + " 0"}}})
		apply(t, m.PlanSuspend(dm.ByName("low"), dm.SuspendOptions{}), nil)
		legs := fmt.Sprintf("core 1 1024 2 %v 0 %s 0", low.Info().Number, g.Disks[1])
		create(t, m, CreateRequest{Name: "twice", Table: table.Table{{Length: 8192, Type: "mirror", Params: legs}}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.PlanRemoveAll(false).Apply(ctx, nil) }()
		if c.cause != nil {
			lab.Until(t, "the command to wait", func() bool { return lab.HasChild(os.Getpid()) })
			cancel()
		}
		err := lab.Receive(t, "the command to end", ended)
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
			return len(list) == 0 && !lab.HasChild(os.Getpid())
		})
		_, err = makeNodes(m)
		must(t, err)
	}
}
