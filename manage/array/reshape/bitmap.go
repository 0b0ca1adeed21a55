package reshape

import (
	"bytes"
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// bitmap adds or removes the write-intent bitmap (Grow.c, Grow_addbitmap).
func (g *Grower) bitmap(ctx context.Context) error {
	file, err := g.dev.BitmapFile()
	if err != nil {
		return g.refuse("reshape.bitmaps-not-supported-by-this-kernel")
	}
	remove := g.Bitmap == "none"
	switch {
	case file != "" && remove:
		step := plan.NewIoctl(g.Array, "SET_BITMAP_FILE", "none", g.dev.RemoveBitmapFile, nil)
		if err := g.do(ctx, step); err != nil {
			return g.failed(ctx, err, "reshape.failed-remove-bitmap", file)
		}
		return nil
	case file != "":
		return g.refuse("reshape.already-has-bitmap", g.Array, file)
	case g.live.HasBitmap() && remove:
		if err := g.do(ctx, g.dropBitmap()); err != nil {
			return g.notDropped(ctx, err)
		}
		return nil
	case g.live.HasBitmap():
		g.Report.Say(note.Always, "reshape.bitmap-already-present", g.Array)
		g.Report.Extra(note.Always, "reshape.remove-it-with-bitmap-none-first")
		return errGrow
	case remove:
		return g.refuse("reshape.no-bitmap-found", g.Array)
	}
	return g.addBitmap(ctx)
}

// dropBitmap removes an internal bitmap. The kernel refuses while it checks whether
// there is something to recover, so the request is repeated for a while.
func (g *Grower) dropBitmap() plan.Step {
	m := &member.Manager{ManageRequest: member.ManageRequest{Force: true}}
	return plan.NewIoctl(g.Array, "SET_ARRAY_INFO", "no bitmap", func() error {
		return m.Patiently(func() error {
			info, err := g.dev.ArrayInfo()
			if err != nil {
				return err
			}
			info.State &^= mdctl.ArrayBitmapPresent
			return g.dev.SetArrayInfo(&info)
		})
	}, plan.NoUndo)
}

// addBitmap writes a bitmap with all bits set to each in-sync member, and then tells the
// kernel where it is.
func (g *Grower) addBitmap(ctx context.Context) error {
	l := g.live
	level := md.Level(l.Info.Level)
	if level <= 0 {
		return g.refuse("reshape.bitmaps-not-meaningful-with-level", level)
	}
	if l.Size == 0 {
		return g.refuse("reshape.cannot-reliably-determine-size-array-create-bitmap-sorry")
	}
	syncSize := l.Size
	if level == md.LevelRAID10 {
		syncSize = syncSize * uint64(l.Info.RaidDisks) / uint64(max(md.ParseRAID10Layout(l.Info.Layout).Copies(), 1))
	}
	if !l.HasFormat {
		return g.refuse("reshape.cannot-understand-version", l.Info.MajorVersion, l.Info.MinorVersion)
	}
	if policy, err := l.Sysfs.ConsistencyPolicy(); err == nil && policy == sysmd.PolicyPPL {
		return g.refuse("reshape.cannot-add-bitmap-array-with-ppl")
	}
	if g.Bitmap == Clustered {
		if err := g.mayShare(syncSize); err != nil {
			return err
		}
	}
	writes, location, err := g.bitmapWrites(syncSize)
	if err != nil {
		return err
	}
	announce := set(l.Sysfs.BitmapLocationTo(sysmd.BitmapPlace{Offset: int64(location)}))
	if err := g.do(ctx, append(writes, announce)...); err != nil {
		if errors.Is(err, unix.EBUSY) {
			g.Report.Say(note.Always, "reshape.cannot-add-bitmap-while-array-resyncing-or-reshaping")
		}
		return g.failed(ctx, err, "reshape.failed-set-internal-bitmap")
	}
	return nil
}

// bitmapWrites plans to write the bitmap to every in-sync member; location is where the
// last of them has it, in sectors from the superblock.
func (g *Grower) bitmapWrites(syncSize uint64) (writes []plan.Step, location int32, err error) {
	for i := range g.live.Disks {
		disk := &g.live.Disks[i]
		if disk.State&mdctl.DiskSync == 0 {
			continue
		}
		d, err := device.Open(live.DevNumber(disk), block.ForReading)
		if err != nil {
			continue // as in mdadm: the kernel will update this member
		}
		step, off, err := g.bitmapWrite(d, disk, syncSize)
		if err := errors.Join(err, d.Close()); err != nil {
			return nil, 0, err
		}
		writes, location = append(writes, step), off
	}
	return writes, location, nil
}

func (g *Grower) bitmapWrite(d *device.Device, disk *mdctl.DiskInfo, syncSize uint64) (plan.Step, int32, error) {
	m, bad := md.LoadSuper(d, g.live.Version)
	if bad != nil {
		g.Report.Extra(note.Always, note.Reason, bad)
		return nil, 0, g.refuse("reshape.failed-load-super-block")
	}
	place, err := fresh.PlaceBitmap(m, syncSize, g.BitmapChunk)
	if err != nil {
		g.Report.Extra(note.Chatty, note.Reason, err)
		return nil, 0, g.refuse("reshape.failed-create-internal-bitmap-chunksize-problem")
	}
	b := &md.Bitmap{
		Magic: md.BitmapMagic, Version: 4, UUID: m.NativeUUID(), SyncSize: syncSize,
		ChunkSize: uint32(place.Chunk), DaemonSleep: g.Delay, WriteBehind: g.WriteBehind,
	}
	at := m.Offset + int64(place.Offset)*md.SectorSize
	raw := g.bitmapBytes(b, place)
	name, err := live.KernelNameOf(uint32(disk.Major), uint32(disk.Minor))
	if err != nil {
		return nil, 0, err
	}
	path := device.DevicePath(uint32(disk.Major), uint32(disk.Minor), name)
	return plan.NewSharedWrite(path, "bitmap", at, raw), place.Offset, nil
}

// bitmapBytes returns the bitmap with all bits set, or, for a cluster, one for each node.
func (g *Grower) bitmapBytes(b *md.Bitmap, place fresh.BitmapPlace) []byte {
	if g.Bitmap == Clustered {
		b.Version, b.Nodes = md.BitmapClustered, g.Nodes
		copy(b.ClusterName[:len(b.ClusterName)-1], g.Cluster)
		return fresh.BitmapCopies(b)
	}
	length := place.Room
	if length == 0 {
		length = int64(b.CopyLen())
		if place.Offset&7 != 0 {
			length = (int64(b.Len()) + md.SectorSize - 1) &^ (md.SectorSize - 1)
		}
	}
	raw := bytes.Repeat([]byte{0xff}, int(length))
	copy(raw, b.AppendTo(nil))
	return raw
}
