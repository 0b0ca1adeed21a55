package reshape

import (
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// TestTakenOver changes the level of arrays as the kernel does.
func TestTakenOver(t *testing.T) {
	const mib = 2048 // sectors
	type shape struct {
		level  md.Level
		disks  int32
		layout int32
		chunk  int32 // bytes
	}
	for _, c := range []struct {
		now     shape
		sectors uint64
		to      shape
		no      bool
	}{
		{now: shape{0, 2, 0, 65536}, to: shape{4, 3, md.LayoutParityLast, 65536}},
		{now: shape{0, 2, 0, 65536}, to: shape{5, 3, md.LayoutParityLast, 65536}},
		{now: shape{0, 3, 0, 65536}, to: shape{10, 6, 0x102, 65536}},
		{now: shape{0, 3, 0, 65536}, to: shape{level: 6}, no: true},
		{now: shape{1, 2, 0, 0}, sectors: 64 * mib, to: shape{5, 2, md.LayoutLeftSymmetric, 65536}},
		{now: shape{1, 2, 0, 0}, sectors: 64*mib + 24, to: shape{5, 2, md.LayoutLeftSymmetric, 4096}},
		{now: shape{1, 3, 0, 0}, sectors: 64 * mib, to: shape{0, 1, 0, 65536}},
		{now: shape{10, 4, 0x102, 65536}, to: shape{0, 2, 0, 65536}},
		{now: shape{4, 4, 0, 65536}, to: shape{0, 3, 0, 65536}},
		{now: shape{5, 4, md.LayoutParityLast, 65536}, to: shape{0, 3, 0, 65536}},
		{now: shape{5, 2, md.LayoutLeftSymmetric, 65536}, to: shape{1, 2, 0, 0}},
		{now: shape{5, 3, md.LayoutLeftSymmetric, 65536}, to: shape{6, 4, md.LayoutLeftSymmetric6, 65536}},
		{now: shape{5, 3, md.LayoutParityLast, 65536}, to: shape{6, 4, md.LayoutParityLast, 65536}},
		{now: shape{6, 5, md.LayoutRightAsymmetric6, 65536}, to: shape{5, 4, md.LayoutRightAsymmetric, 65536}},
		{now: shape{6, 5, md.LayoutParityLast, 65536}, to: shape{5, 4, md.LayoutParityLast, 65536}},
		{now: shape{5, 3, md.LayoutParityLast, 65536}, to: shape{4, 3, md.LayoutParityLast, 65536}},
		{now: shape{4, 3, md.LayoutParityLast, 65536}, to: shape{5, 3, md.LayoutParityLast, 65536}},
	} {
		info, ok := takenOver(mdctl.ArrayInfo{
			Level: mdctl.Level(c.now.level), RaidDisks: c.now.disks, Layout: c.now.layout, ChunkSize: c.now.chunk,
		}, c.sectors, c.to.level)
		got := shape{md.Level(info.Level), info.RaidDisks, info.Layout, info.ChunkSize}
		if ok == c.no || ok && got != c.to {
			t.Errorf("%+v to %v: %+v, %v; want %+v", c.now, c.to.level, got, ok, c.to)
		}
	}
}
