package array

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// bitmap adds or removes the write-intent bitmap (Grow.c, Grow_addbitmap).
func (g *grower) bitmap(ctx context.Context) error {
	file, err := g.dev.BitmapFile()
	if err != nil {
		return g.refuse("bitmaps not supported by this kernel.")
	}
	remove := g.Bitmap == "none"
	switch {
	case file != "" && remove:
		step := NewStep(StepInfo{Kind: KindIoctl, Target: g.Array, What: "SET_BITMAP_FILE", Value: "none"},
			func(context.Context) error { return g.dev.RemoveBitmapFile() }, nil)
		if err := g.do(ctx, step); err != nil {
			return g.failed(ctx, err, "failed to remove bitmap %s", file)
		}
		return nil
	case file != "":
		return g.refuse("%s already has a bitmap (%s)", g.Array, file)
	case g.live.hasBitmap() && remove:
		if err := g.do(ctx, g.dropBitmap()); err != nil {
			return g.failed(ctx, err, "failed to remove internal bitmap.")
		}
		return nil
	case g.live.hasBitmap():
		return g.refuse("bitmap already present on %s", g.Array)
	case remove:
		return g.refuse("no bitmap found on %s", g.Array)
	}
	return g.addBitmap(ctx)
}

// dropBitmap removes an internal bitmap. The kernel refuses while it looks
// whether there is something to recover, so it is asked for a while.
func (g *grower) dropBitmap() Step {
	m := &manager{ManageRequest: ManageRequest{Force: true}}
	return NewStep(StepInfo{Kind: KindIoctl, Target: g.Array, What: "SET_ARRAY_INFO", Value: "no bitmap"},
		func(context.Context) error {
			return m.patiently(func() error {
				info, err := g.dev.ArrayInfo()
				if err != nil {
					return err
				}
				info.State &^= mdctl.ArrayBitmapPresent
				return g.dev.SetArrayInfo(&info)
			})
		},
		func(context.Context) error { return ErrNoUndo })
}

// addBitmap writes a bitmap with every bit set to each member in sync, and
// then tells the kernel where it is.
func (g *grower) addBitmap(ctx context.Context) error {
	l := g.live
	level := md.Level(l.Info.Level)
	if level <= 0 {
		return g.refuse("Bitmaps not meaningful with level %s", level)
	}
	if l.Size == 0 {
		return g.refuse("Cannot reliably determine size of array to create bitmap - sorry.")
	}
	syncSize := l.Size
	if level == md.LevelRAID10 {
		syncSize = syncSize * uint64(l.Info.RaidDisks) / uint64(max(md.ParseRAID10Layout(l.Info.Layout).Copies(), 1))
	}
	if !l.HasFormat {
		return g.refuse("Cannot understand version %d.%d", l.Info.MajorVersion, l.Info.MinorVersion)
	}
	if policy, err := l.Dir.Read("consistency_policy"); err == nil && policy == "ppl" {
		return g.refuse("Cannot add bitmap to array with PPL")
	}
	writes, location, err := g.bitmapWrites(syncSize)
	if err != nil {
		return err
	}
	set := NewStep(StepInfo{
		Kind: KindSysfs, Target: l.Dir.Path("bitmap/location"), What: "bitmap/location", Value: fmt.Sprintf("%+d", location),
	}, func(context.Context) error { return l.Dir.Write("bitmap/location", fmt.Sprintf("%+d", location)) }, nil)
	if err := g.do(ctx, append(writes, set)...); err != nil {
		if errors.Is(err, unix.EBUSY) {
			g.Report.say(Always, "Cannot add bitmap while array is resyncing or reshaping etc.")
		}
		return g.failed(ctx, err, "failed to set internal bitmap.")
	}
	return nil
}

// bitmapWrites plans the bitmap on every member in sync; location is where the
// last of them has it, in sectors from the superblock.
func (g *grower) bitmapWrites(syncSize uint64) (writes []Step, location int32, err error) {
	for i := range g.live.Disks {
		disk := &g.live.Disks[i]
		if disk.State&mdctl.DiskSync == 0 {
			continue
		}
		d, err := openDevice(devNumber(disk), block.ForReading)
		if err != nil {
			continue // as mdadm does: the kernel brings it up to date
		}
		step, off, err := g.bitmapWrite(d, disk, syncSize)
		if err := errors.Join(err, d.Close()); err != nil {
			return nil, 0, err
		}
		writes, location = append(writes, step), off
	}
	return writes, location, nil
}

func (g *grower) bitmapWrite(d *device, disk *mdctl.DiskInfo, syncSize uint64) (Step, int32, error) {
	m, bad := loadSuper(d, g.live.Version)
	if bad != nil {
		g.Report.extra(Always, "%v", bad)
		return nil, 0, g.refuse("failed to load super-block.")
	}
	place, err := md.PlaceBitmap(m, syncSize, g.BitmapChunk)
	if err != nil {
		g.Report.extra(Chatty, "%v", err)
		return nil, 0, g.refuse("failed to create internal bitmap - chunksize problem.")
	}
	b := &md.Bitmap{
		Magic: md.BitmapMagic, Version: 4, UUID: m.NativeUUID(), SyncSize: syncSize,
		ChunkSize: uint32(place.Chunk), DaemonSleep: g.Delay, WriteBehind: g.WriteBehind,
	}
	at := m.Offset + int64(place.Offset)*md.SectorSize
	length := place.Room
	if length == 0 {
		length = int64(b.CopyLen())
		if place.Offset&7 != 0 {
			length = (int64(b.Len()) + md.SectorSize - 1) &^ (md.SectorSize - 1)
		}
	}
	raw := bytes.Repeat([]byte{0xff}, int(length))
	copy(raw, b.AppendTo(nil))
	name, err := kernelNameOf(uint32(disk.Major), uint32(disk.Minor))
	if err != nil {
		return nil, 0, err
	}
	path := devicePath(uint32(disk.Major), uint32(disk.Minor), name)
	return newSharedWrite(path, "bitmap", at, raw), place.Offset, nil
}
