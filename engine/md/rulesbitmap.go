package md

import (
	"bytes"
	"fmt"

	"github.com/mdkit/mdkit/engine/finding"
)

// rulesBitmap are the rules for a bitmap's superblock, field by field
// (md-bitmap.c, md_bitmap_read_sb; md-llbitmap.c, llbitmap_read_sb). None is Fatal:
// a bitmap that the kernel does not use costs a full resync, or keeps the array
// from starting.
var rulesBitmap = []superRule[Bitmap]{
	{Rule{"md.bitmap.magic", "magic", finding.Error, "there is a bitmap where the superblock says"}, nil},
	{Rule{"md.bitmap.version", "version", finding.Error, "the version is 3 to 6"}, nil},
	{Rule{"md.bitmap.chunksize", "chunksize", finding.Error, "the chunk size is a power of two from 512 bytes up"}, nil},
	{Rule{"md.bitmap.uuid", "uuid", finding.Error, "the uuid is the array's"}, func(m *Member, b *Bitmap) string {
		if b.UUID == m.NativeUUID() {
			return ""
		}
		return fmt.Sprintf("bitmap of array %v on a member of %v", b.UUID, m.NativeUUID())
	}},
	{Rule{"md.bitmap.events", "events", finding.Warning, "the bitmap is no older than the superblock"}, func(m *Member, b *Bitmap) string {
		// The bitmap of a spare is not updated, and a clustered one is updated
		// without its event count.
		if _, ok := m.activeSlot(); !ok || b.Version == BitmapClustered || b.Events >= m.Events() {
			return badEvents(b.Events)
		}
		return fmt.Sprintf("bitmap of event %d, superblock of event %d: a full resync will follow", b.Events, m.Events())
	}},
	{Rule{"md.bitmap.events_cleared", "events_cleared", finding.Warning, "bits were cleared no later than the bitmap's last event"}, func(_ *Member, b *Bitmap) string {
		if b.EventsCleared <= b.Events {
			return ""
		}
		return fmt.Sprintf("bits cleared at event %d in a bitmap of event %d", b.EventsCleared, b.Events)
	}},
	{Rule{"md.bitmap.sync_size", "sync_size", finding.Warning, "the bitmap covers what is to be synced"}, func(m *Member, b *Bitmap) string {
		want := m.SyncSize()
		switch {
		case b.SyncSize == want, m.Reshape() != nil, b.Version == BitmapLockless && b.SyncSize == 0:
			return ""
		case m.Level() == LevelRAID10 && b.SyncSize != 0 && b.SyncSize < want:
			return "" // the kernel rounds to chunks
		}
		return fmt.Sprintf("covers %d sectors of %d", b.SyncSize, want)
	}},
	{Rule{"md.bitmap.state", "state", finding.Warning, "all state bits are known, and the bits count"}, func(_ *Member, b *Bitmap) string {
		switch {
		case b.State&^bitmapStateAll != 0:
			return fmt.Sprintf("state has unknown bits %#x", uint32(b.State&^bitmapStateAll))
		case b.State&BitmapStale != 0:
			return "the bitmap is out of date: a full resync will follow"
		}
		return ""
	}},
	{Rule{"md.bitmap.daemon_sleep", "daemon_sleep", finding.Error, "the cleaning interval is from a second to 248 days"}, func(_ *Member, b *Bitmap) string {
		// MAX_SCHEDULE_TIMEOUT on a 32-bit kernel with 100 ticks a second.
		if b.DaemonSleep >= 1 && b.DaemonSleep <= 1<<31/100 || b.Version == BitmapLockless && b.State&BitmapFirstUse != 0 {
			return ""
		}
		return fmt.Sprintf("daemon_sleep is %d seconds", b.DaemonSleep)
	}},
	{Rule{"md.bitmap.write_behind", "write_behind", finding.Error, "at most 16383 writes behind"}, func(_ *Member, b *Bitmap) string {
		if b.WriteBehind <= 16383 {
			return ""
		}
		return fmt.Sprintf("write_behind is %d", b.WriteBehind)
	}},
	{Rule{"md.bitmap.sectors_reserved", "sectors_reserved", finding.Error, "the bitmap fits into its reservation, and that is clear of everything else"}, BadReservation},
	{Rule{"md.bitmap.nodes", "nodes", finding.Error, "clustered bitmaps have nodes, others have none"}, func(_ *Member, b *Bitmap) string {
		switch {
		case b.Version == BitmapClustered && (b.Nodes == 0 || b.Nodes > bitmapMaxNodes):
			return fmt.Sprintf("a clustered bitmap of %d nodes", b.Nodes)
		case b.Version != BitmapClustered && b.Nodes != 0:
			return fmt.Sprintf("%d nodes in a bitmap of version %d", b.Nodes, b.Version)
		}
		return ""
	}},
	{Rule{"md.bitmap.cluster_name", "cluster_name", finding.Warning, "clustered bitmaps have the cluster's name, others have none"}, func(_ *Member, b *Bitmap) string {
		switch name := b.Cluster(); {
		case b.Version == BitmapClustered && name == "":
			return "a clustered bitmap without the cluster's name"
		case b.Version != BitmapClustered && len(bytes.Trim(b.ClusterName[:], "\x00")) > 0:
			return fmt.Sprintf("a bitmap of version %d with cluster name %q", b.Version, name)
		}
		return ""
	}},
	{Rule{"md.bitmap.pad", "pad", finding.Warning, "padding is zero"}, func(_ *Member, b *Bitmap) string {
		return nonZeroBytes("pad", b.Pad[:])
	}},
}

// BadReservation says what is wrong with the sectors that b reserves for itself
// on the device of m, or "".
func BadReservation(m *Member, b *Bitmap) string {
	need := (b.Len() + SectorSize - 1) / SectorSize
	switch r := uint64(b.SectorsReserved); {
	case r != 0 && r < need:
		return fmt.Sprintf("the bitmap takes %d sectors, but %d are reserved", need, r)
	case r > uint64(m.sectors()):
		return fmt.Sprintf("%d sectors are reserved on a device of %d", r, m.sectors())
	}
	if b.Version == BitmapClustered {
		need = b.CopyLen() / SectorSize
		if n := uint64(b.Copies()); need < uint64(m.Size) {
			need *= n
		}
	}
	if need > uint64(m.sectors()) {
		return fmt.Sprintf("the bitmap takes %d sectors of a device of %d", need, m.sectors())
	}
	if m.Super0 != nil {
		if room := uint64(60 << 10 / SectorSize); need > room {
			return fmt.Sprintf("the bitmap takes %d sectors, but there are %d behind a 0.90 superblock", need, room)
		}
		return ""
	}
	return m.misplaced(area{"bitmap", b.Offset / SectorSize, int64(need)})
}
