package reshape

import (
	"context"
	"math"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// changesSize reports whether the request changes how much of each member is
// used.
func (g *Grower) changesSize() bool {
	return g.Size == GrowMax || g.Size > 0 && g.Size != int64(uint32(g.live.Info.Size))
}

// size changes how much of each member is used.
func (g *Grower) size(ctx context.Context) error {
	before := g.live.Size / 2
	if before == 0 {
		return g.failed(ctx, unix.EINVAL, "reshape.cannot-set-device-size-this-type-array")
	}
	want := g.Size
	if want == GrowMax {
		want = 0 // the kernel's value for that
	}
	members, err := g.live.Members()
	if err != nil {
		return err
	}
	for _, m := range members {
		// The devices may have grown. The kernel refuses a size that is too small or too
		// large; the array itself is asked next.
		if err := g.do(ctx, attr(m.Sysfs.SizeTo(uint64(want)))); ctx.Err() != nil {
			return err
		}
	}
	step := g.change("size "+strconv.FormatInt(want, 10)+" KiB", func(i *mdctl.ArrayInfo) { i.Size = int32(want) })
	if kib := g.blockSize() >> 10; want == 0 && kib > 1 && g.live.Info.ChunkSize == 0 {
		step = g.wholeBlocks(kib)
	} else if want > math.MaxInt32 {
		step = attr(g.live.Sysfs.ComponentSizeTo(uint64(want)))
	}
	if err := g.do(ctx, step); err != nil {
		id := note.ID("reshape.cannot-set-device-size")
		if md.Level(g.live.Info.Level) == md.LevelRAID0 {
			id = "reshape.cannot-set-device-size-of-raid0"
		}
		g.Report.Say(note.Always, id, g.Array, note.Errno{Err: err})
		g.busyWithBitmap(err, "size", "")
		g.Report.KernelSaid(g.log, g.live.Name)
		g.undo(ctx)
		return &note.Reported{Err: err}
	}
	if g.AssumeClean {
		if err := g.do(ctx, set(g.live.Sysfs.ResyncStartTo(sysmd.None))); err != nil {
			g.Report.Say(note.Always, "reshape.assume-clean-not-supported-with-grow-on-this")
		}
	}
	return g.do(ctx, plan.AsideStep(func(context.Context) error {
		if err := g.followed(before, uint64(want)); err != nil {
			return err
		}
		return g.tellSize(before)
	}))
}

// followed fails if a cluster shares the array and another node has not taken the new
// size: the kernel then goes back to the old one, and does not say so (md-cluster.c,
// update_size).
func (g *Grower) followed(before, want uint64) error {
	if !g.shared() {
		return nil
	}
	after, err := g.live.Sysfs.ComponentSize()
	if err != nil || after != before || want == before {
		return err
	}
	if want == 0 && !g.hasRoom(before) {
		return nil
	}
	g.Report.Say(note.Always, "reshape.cannot-set-device-size", g.Array, note.Errno{Err: unix.EAGAIN})
	g.Report.Extra(note.Always, "reshape.another-node-did-not-follow", g.Array, before)
	return errGrow
}

// hasRoom reports whether every member could be used beyond so many KiB.
func (g *Grower) hasRoom(kib uint64) bool {
	members, err := g.live.Members()
	if err != nil {
		return false
	}
	for _, m := range members {
		if size, err := m.Sysfs.Size(); err != nil || size <= kib {
			return false
		}
	}
	return true
}

// tellSize reports how much of each member is used now, and was before, in KiB.
func (g *Grower) tellSize(before uint64) error {
	after, err := g.live.Sysfs.ComponentSize()
	if err != nil {
		return err
	}
	if after == before {
		g.Report.Say(note.Normal, "reshape.component-size-unchanged-at-k", g.Array, after)
	} else {
		g.Report.Say(note.Normal, "reshape.component-size-has-been-set-k", g.Array, after)
	}
	return nil
}
