package reshape

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
)

// Clustered is the word for a bitmap with a copy for each node of a cluster.
const Clustered = "clustered"

// shared reports whether a cluster shares the array.
func (g *Grower) shared() bool { return g.live.Info.State&mdctl.ArrayClustered != 0 }

// sharedAllows refuses changes that nodes which share the array do not make together: the
// kernel tells them of another size and of more members (md.c, check_sb_changes), and of
// nothing else.
func (g *Grower) sharedAllows() error {
	level := md.Level(g.live.Info.Level)
	switch {
	case !g.shared():
		return nil
	case g.ArraySize != 0: // md.c, array_size_store
		return g.refuse("reshape.shared-array-size", g.Array)
	case g.Level != nil && *g.Level != level:
		return g.refuse("reshape.shared-level", g.Array)
	case g.Layout != nil, g.Chunk != 0, g.DataOffset != nil:
		return g.refuse("reshape.shared-layout", g.Array)
	case g.Policy != "":
		return g.refuse("reshape.shared-policy", g.Array)
	case level == md.LevelRAID10 && g.RaidDisks != 0 && g.RaidDisks < int(g.live.Info.RaidDisks):
		return g.refuse("reshape.shared-fewer-devices", g.Array)
	}
	return nil
}

// mayShare refuses a clustered bitmap for an array that a cluster cannot share, before
// anything is written. mdadm looks at the level when it creates an array, and not here.
func (g *Grower) mayShare(syncSize uint64) error {
	l := g.live
	layout := md.ParseRAID10Layout(l.Info.Layout)
	switch level := md.Level(l.Info.Level); {
	case level != md.LevelRAID1 && level != md.LevelRAID10:
		return g.refuse("reshape.clustered-only-raid1-10")
	case level == md.LevelRAID10 && (layout.Far > 1 || layout.Offset): // raid10.c, raid10_run
		return g.refuse("reshape.clustered-only-near")
	case l.Version != md.V12:
		return g.refuse("reshape.clustered-only-1-2", l.Version)
	case g.Nodes < 2:
		return g.refuse("reshape.at-least-2-nodes-needed")
	case g.Cluster == "":
		return g.refuse("reshape.no-cluster-name")
	}
	for i := range l.Disks {
		if err := g.memberMayShare(&l.Disks[i], syncSize); err != nil {
			return err
		}
	}
	return nil
}

// memberMayShare refuses a member, in sync or spare, that nodes cannot share: each would
// choose for itself which one to read least, and knows nothing of the bad blocks that
// another has found.
func (g *Grower) memberMayShare(disk *mdctl.DiskInfo, syncSize uint64) error {
	if disk.State&mdctl.DiskFaulty != 0 {
		return nil
	}
	name := live.DevNumber(disk)
	if kernel, err := live.KernelNameOf(uint32(disk.Major), uint32(disk.Minor)); err == nil {
		name = device.DevicePath(uint32(disk.Major), uint32(disk.Minor), kernel)
	}
	if disk.State&mdctl.DiskWriteMostly != 0 {
		return g.refuse("reshape.clustered-no-write-mostly", g.Array, name)
	}
	d, err := device.Open(live.DevNumber(disk), block.ForReading)
	if err != nil {
		return g.Report.Fail(err, "reshape.clustered-cannot-read", name, note.Errno{Err: err})
	}
	defer d.Close()
	m, bad := md.LoadSuper(d, g.live.Version)
	if bad != nil {
		return g.Report.Fail(bad, "reshape.clustered-cannot-read", name, bad)
	}
	if m.Super1.BblogSize > 0 {
		return g.refuse("reshape.clustered-no-bad-block-log", name)
	}
	return g.roomForNodes(m, syncSize)
}

// roomForNodes checks that the bitmaps of all nodes end before the data begins. mdadm says
// that they do not, and goes on.
func (g *Grower) roomForNodes(m *md.Member, syncSize uint64) error {
	place, err := fresh.PlaceBitmap(m, syncSize, g.BitmapChunk)
	if err != nil {
		g.Report.Extra(note.Chatty, note.Reason, err)
		return g.refuse("reshape.failed-create-internal-bitmap-chunksize-problem")
	}
	b := md.Bitmap{SyncSize: syncSize, ChunkSize: uint32(place.Chunk)}
	first := m.Super1.SuperOffset + uint64(place.Offset)
	most := (m.Super1.DataOffset - min(first, m.Super1.DataOffset)) * md.SectorSize / b.CopyLen()
	if uint64(g.Nodes) > most {
		return g.refuse("reshape.too-many-nodes", most)
	}
	return nil
}

// notDropped reports that the bitmap has not been removed. The kernel takes the locks of
// all nodes' bitmaps first (md-cluster.c, lock_all_bitmaps).
func (g *Grower) notDropped(ctx context.Context, err error) error {
	if !g.shared() {
		return g.failed(ctx, err, "reshape.failed-remove-internal-bitmap")
	}
	failed := g.failed(ctx, err, "reshape.failed-remove-clustered-bitmap")
	if errors.Is(err, unix.EPERM) {
		g.Report.Extra(note.Always, "reshape.another-node-uses-it", g.Array)
	}
	return failed
}
