package report

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/partition"
)

// Examined is a report of the metadata of one device: the superblock, and what follows
// from it for this device.
type Examined struct {
	*md.Member

	// Bitmap is the superblock of the internal bitmap, nil if there is none.
	Bitmap *md.Bitmap
	// BitmapLost says why the bitmap that the superblock announces is missing: it could
	// not be read, is not a bitmap, or belongs to another array. Its feature bit is then
	// cleared, as mdadm does before it shows or uses the superblock. Otherwise it is
	// nil.
	BitmapLost error
	// Checksum is what the superblock's checksum should be. A lost bitmap
	// changes it.
	Checksum uint32
	// SpaceBefore and SpaceAfter are the sectors by which the data of a 1.x member could
	// grow or move towards the start and the end of the device. SpaceAfter wraps around
	// on a device that is shorter than its superblock says; see Truncated.
	SpaceBefore, SpaceAfter uint64
	// Shared is the partition of the device whose superblock this is as well; nil if
	// there is none.
	Shared *partition.Partition
}

// ExamineMember reads the metadata of d: only of the given versions or, if there are
// none, of the version that mdadm would choose. Errors are those of md.ReadMember.
func ExamineMember(d block.Device, want ...md.Version) (*Examined, error) {
	m, err := md.ReadMember(d, want...)
	if err != nil {
		return nil, err
	}
	x := &Examined{Member: m}
	// Without a table that can be read there are no partitions to share with.
	x.Shared, _ = m.SharedWith(d)
	x.readBitmap(d)
	if m.Super0 != nil {
		x.Checksum = m.Super0.Checksum()
		return x, nil
	}
	x.Checksum = m.Super1.Checksum()
	x.SpaceBefore, x.SpaceAfter = x.space()
	return x, nil
}

// readBitmap looks for the bitmap. If it is missing, readBitmap clears the feature bit
// (super1.c, load_super1; super0.c, load_super0).
func (x *Examined) readBitmap(d block.Device) {
	b, err := x.ReadBitmap(d)
	if b == nil && err == nil {
		return
	}
	if b != nil && b.UUID == x.NativeUUID() {
		x.Bitmap = b
		return
	}
	if err == nil {
		err = errForeignBitmap
	}
	x.BitmapLost = err
	if x.Super0 != nil {
		x.Super0.State &^= md.Super0BitmapPresent
	} else {
		x.Super1.FeatureMap &^= md.FeatureBitmapOffset
	}
}

// ClusterNodes returns the number of nodes that a clustered bitmap has room for, or 0.
func (x *Examined) ClusterNodes() uint32 {
	if x.Bitmap == nil {
		return 0
	}
	return x.Bitmap.Nodes
}

// ClusterName returns the cluster's name from a clustered bitmap.
func (x *Examined) ClusterName() string {
	if x.Bitmap == nil {
		return ""
	}
	return x.Bitmap.Cluster()
}

// NoSpace is the SpaceAfter of a member that has no room on either side; it means "none,
// but the data offset can still change" (super1.c, getinfo_super1).
const NoSpace = 1

// SpaceKnown reports whether SpaceBefore and SpaceAfter should be shown: there is space,
// and no reshape is using it.
func (x *Examined) SpaceKnown() bool {
	return x.Super1 != nil && x.SpaceAfter != NoSpace && x.Super1.FeatureMap&md.FeatureNewOffset == 0
}

// deviceSectors returns the size of the device in whole sectors.
func (x *Examined) deviceSectors() uint64 { return uint64(x.Size) / md.SectorSize }

// Truncated returns how many sectors the device lacks for the data that its superblock
// places on it; 0 if it is large enough.
func (x *Examined) Truncated() uint64 {
	if x.Super1 == nil {
		return 0
	}
	return x.Super1.Lacks(x.deviceSectors())
}

// space computes the space around the data of a 1.x member exactly as mdadm does
// (super1.c, getinfo_super1), with the same arithmetic modulo 2^64.
func (x *Examined) space() (before, after uint64) {
	s := x.Super1
	if s.DataOffset < s.SuperOffset {
		before, after = s.DataOffset, x.spaceBeforeSuper()
	} else {
		before, after = x.spaceBehindSuper(), x.deviceSectors()-x.dataSectors()-s.DataOffset
	}
	if before == 0 && after == 0 {
		after = NoSpace
	}
	if x.listedRole() == md.RoleJournal {
		after = (x.deviceSectors() - s.DataOffset) % 8 // journals consist of whole 4 KiB blocks
	}
	return before, after
}

// listedRole returns the role, except that a device number outside the role table makes
// the device faulty.
func (x *Examined) listedRole() md.Role {
	if uint64(x.Super1.DevNumber) >= uint64(len(x.Super1.DevRoles)) {
		return md.RoleFaulty
	}
	return x.Super1.Role()
}

// dataSectors returns how much of the device the array uses: all of it at levels whose
// members may differ in size.
func (x *Examined) dataSectors() uint64 {
	if x.Super1.Level <= 0 {
		return x.Super1.DataSize
	}
	return x.Super1.Size
}

// places returns what is around the superblock, in sectors relative to it: the bitmap or
// the partial parity log, whichever exists.
func (x *Examined) places() (bitmap, ppl int64, pplSize uint16) {
	s := x.Super1
	switch {
	case s.FeatureMap&md.FeatureBitmapOffset != 0:
		return int64(s.BitmapOffset), 0, 0
	case s.HasPPL():
		offset, size := s.PPL()
		return 0, int64(offset), size
	}
	return 0, 0, 0
}

// spaceBeforeSuper returns the space between the data and what follows it first: the
// superblock, or what is before the superblock.
func (x *Examined) spaceBeforeSuper() uint64 {
	s := x.Super1
	bitmap, ppl, _ := x.places()
	end := s.SuperOffset
	if s.BblogOffset != 0 && s.BblogSize != 0 {
		end = min(end, s.SuperOffset+uint64(int64(s.BblogOffset)))
	}
	end = min(end, s.SuperOffset+uint64(bitmap+ppl))
	if used := s.DataOffset + x.dataSectors(); used < end {
		return end - used
	}
	return 0
}

// headSectors is what mdadm and the kernel reserve for a superblock at the start of a
// device: 32 KiB and a page.
const headSectors = (32 + 4) * 2

// spaceBehindSuper returns the space between the end of the metadata and the data.
func (x *Examined) spaceBehindSuper() uint64 {
	s := x.Super1
	bitmap, ppl, pplSize := x.places()
	earliest := s.SuperOffset + headSectors
	switch {
	case bitmap > 0:
		earliest = max(earliest, uint64(bitmap)+x.bitmapSectors())
	case ppl > 0:
		earliest = max(earliest, uint64(ppl)+uint64(pplSize))
	}
	if s.BblogOffset != 0 && s.BblogSize != 0 {
		earliest = max(earliest, s.SuperOffset+uint64(int64(s.BblogOffset))+uint64(s.BblogSize))
	}
	if earliest < s.DataOffset {
		return s.DataOffset - earliest
	}
	return 0
}

func (x *Examined) bitmapSectors() uint64 {
	if x.Bitmap == nil {
		return 0
	}
	return x.Bitmap.CopyLen() / md.SectorSize
}
