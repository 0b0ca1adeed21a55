package mapper

import (
	"context"
	"fmt"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// Message is a planned message to a target of a device.
type Message struct {
	plan.Plan
	Reply   string // set once the plan has been applied
	Replied bool   // the target has sent a reply, which may be empty
}

// PlanMessage plans to send a message to the target at a sector of a device. If the
// message contains a key, the plan's text does not show it, and the kernel wipes its
// copy. If it is refused, the error is an [*Error] with what the kernel logged meanwhile.
func (m *Mapper) PlanMessage(dev dm.Device, sector uint64, text string) *Message {
	p := &Message{}
	p.Steps = append(p.Steps, plan.NewStep(
		plan.StepInfo{Kind: plan.KindIoctl, Target: dev.String(), What: "message", Value: fmt.Sprintf("%d %s", sector, table.MaskMessage(text))},
		func(ctx context.Context) error {
			return m.Explained(dev, func() (err error) {
				p.Reply, p.Replied, err = m.Over(ctx, dev).Message(dev, sector, text, dm.MessageOptions{Secure: table.MessageHasKeys(text)})
				return err
			})
		},
		func(context.Context) error { return plan.ErrNoUndo },
	))
	return p
}

// PlanSetGeometry plans to set the cylinders, heads and sectors that a device reports.
func (m *Mapper) PlanSetGeometry(dev dm.Device, g dm.Geometry) *Change {
	c := m.change(0)
	c.add(
		plan.StepInfo{
			Kind: plan.KindIoctl, Target: dev.String(), What: "setgeometry",
			Value: fmt.Sprintf("%d %d %d %d", g.Cylinders, g.Heads, g.Sectors, g.Start),
		},
		func(context.Context) error {
			return m.Explained(dev, func() error { return m.Control.SetGeometry(dev, g) })
		},
		func() error { return plan.ErrNoUndo },
	)
	return c
}
