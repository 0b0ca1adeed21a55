package array

import (
	"context"
	"errors"
	"math"
	"strconv"

	"golang.org/x/sys/unix"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// changesSize reports whether the request changes how much of each member is
// used.
func (g *grower) changesSize() bool {
	return g.Size == GrowMax || g.Size > 0 && g.Size != int64(uint32(g.live.Info.Size))
}

// size changes how much of each member is used.
func (g *grower) size(ctx context.Context) error {
	before := g.live.Size / 2
	if before == 0 {
		return g.failed(ctx, unix.EINVAL, "Cannot set device size in this type of array.")
	}
	want := g.Size
	if want == GrowMax {
		want = 0 // the kernel's word for it
	}
	members, err := g.live.members()
	if err != nil {
		return err
	}
	for _, m := range members {
		// The devices may have grown; the kernel refuses what is too little or
		// too much, and the array itself is asked next.
		if err := g.do(ctx, g.attr(m.dir, "size", strconv.FormatInt(want, 10))); ctx.Err() != nil {
			return err
		}
	}
	step := g.change("size "+strconv.FormatInt(want, 10)+" KiB", func(i *mdctl.ArrayInfo) { i.Size = int32(want) })
	if want > math.MaxInt32 {
		step = g.attr(g.live.Dir, "component_size", strconv.FormatInt(want, 10))
	}
	if err := g.do(ctx, step); err != nil {
		g.Report.say(Always, "Cannot set device size for %s: %s", g.Array, errnoText(err))
		g.busyWithBitmap(err, "size", "")
		g.Report.kernelSaid(g.log, g.live.Name)
		g.undo(ctx)
		return &Said{err}
	}
	if g.AssumeClean {
		if err := g.do(ctx, g.set(g.live.Dir, "resync_start", "none")); err != nil {
			g.Report.say(Always, "--assume-clean not supported with --grow on this kernel")
		}
	}
	if g.DryRun {
		return nil
	}
	after, err := g.live.Dir.ReadUint("component_size")
	if err != nil {
		return err
	}
	if after == before {
		g.Report.say(Normal, "component size of %s unchanged at %dK", g.Array, after)
	} else {
		g.Report.say(Normal, "component size of %s has been set to %dK", g.Array, after)
	}
	return nil
}

// errNoMembers is an array that shows none.
var errNoMembers = errors.New("the array has no members")
