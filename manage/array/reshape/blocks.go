package reshape

import (
	"context"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/plan"
)

// fitBlocks refuses a size or a data offset that lies across the array's logical blocks,
// which are the largest of its members (disk_stack_limits). mdadm takes it, and the
// kernel then fails the member at the first access there.
func (g *Grower) fitBlocks() error {
	size := g.blockSize()
	if kib := int64(size >> 10); kib > 1 {
		if g.ArraySize > 0 && g.ArraySize%kib != 0 {
			return g.refuse("reshape.array-size-in-blocks", g.ArraySize, g.Array, size, g.ArraySize-g.ArraySize%kib)
		}
		// The kernel cuts off what is no whole chunk (raid5_resize, raid10_size).
		if g.live.Info.ChunkSize == 0 && g.Size > 0 && g.Size%kib != 0 {
			return g.refuse("reshape.size-in-blocks", g.Size, g.Array, size, g.Size-g.Size%kib)
		}
	}
	if g.DataOffset != nil && size > 0 && *g.DataOffset*md.SectorSize%size != 0 {
		return g.refuse("reshape.offset-in-blocks", *g.DataOffset, g.Array, size)
	}
	return nil
}

// blockSize is that of the array in bytes, 0 if it cannot be told.
func (g *Grower) blockSize() uint64 {
	d, err := device.Open(g.Array, block.ForReading)
	if err != nil {
		return 0
	}
	defer d.Close()
	return uint64(d.SectorSize())
}

// wholeBlocks replaces the kernel's own choice of the largest size, which may end within
// a block (raid1_resize). It comes after the members have been told to use all they have.
func (g *Grower) wholeBlocks(kib uint64) plan.Step {
	a := g.live.Sysfs
	return plan.NewStep(plan.SettingInfo(a.ComponentSizeTo(0)), func(context.Context) error {
		members, err := g.live.Members()
		if err != nil {
			return err
		}
		var most uint64
		for _, m := range members {
			if has, err := m.Sysfs.Size(); err == nil && (most == 0 || has < most) {
				most = has
			}
		}
		return a.SetComponentSize(most - most%kib)
	}, nil)
}
