package report

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// Examined is what the metadata of one device says, as it is reported: the
// superblock found, and what follows from it for this device.
type Examined struct {
	*md.Member

	// Bitmap is the superblock of the internal bitmap, nil if there is none.
	Bitmap *md.Bitmap
	// BitmapLost is why a bitmap the superblock promises is not there: it could
	// not be read, is no bitmap, or belongs to another array. Its feature bit is
	// then taken away, as mdadm does before it shows or uses the superblock;
	// nil otherwise.
	BitmapLost error
	// Checksum is what the superblock's checksum should be. A lost bitmap
	// changes it.
	Checksum uint32
	// SpaceBefore and SpaceAfter are the sectors by which the data of a 1.x
	// member could grow or move towards the start and the end of the device.
	// SpaceAfter wraps around on a device that is shorter than its superblock
	// says; see Truncated.
	SpaceBefore, SpaceAfter uint64
}

// ExamineMember reads the metadata of d: of the given versions only, or, with
// none given, the one mdadm would choose. Errors are those of md.ReadMember.
func ExamineMember(d block.Device, want ...md.Version) (*Examined, error) {
	m, err := md.ReadMember(d, want...)
	if err != nil {
		return nil, err
	}
	x := &Examined{Member: m}
	x.readBitmap(d)
	if m.Super0 != nil {
		x.Checksum = m.Super0.Checksum()
		return x, nil
	}
	x.Checksum = m.Super1.Checksum()
	x.SpaceBefore, x.SpaceAfter = x.space()
	return x, nil
}

// readBitmap looks for the bitmap, and takes the promise of one away if it is
// not there (super1.c, load_super1; super0.c, load_super0).
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

// ClusterNodes is how many nodes a clustered bitmap has room for, 0 if there
// is none.
func (x *Examined) ClusterNodes() uint32 {
	if x.Bitmap == nil {
		return 0
	}
	return x.Bitmap.Nodes
}

// ClusterName is the name of the cluster of a clustered bitmap.
func (x *Examined) ClusterName() string {
	if x.Bitmap == nil {
		return ""
	}
	return x.Bitmap.Cluster()
}

// NoSpace is the SpaceAfter of a member that has no room on either side; it
// stands for "none, but the data offset may still change" (super1.c,
// getinfo_super1).
const NoSpace = 1

// SpaceKnown reports whether SpaceBefore and SpaceAfter are worth showing:
// there is room, and no reshape is using it.
func (x *Examined) SpaceKnown() bool {
	return x.Super1 != nil && x.SpaceAfter != NoSpace && x.Super1.FeatureMap&md.FeatureNewOffset == 0
}

// deviceSectors is the size of the device in whole sectors.
func (x *Examined) deviceSectors() uint64 { return uint64(x.Size) / md.SectorSize }

// Truncated returns by how many sectors the device is too short for the data
// its superblock places on it; 0 if it is long enough.
func (x *Examined) Truncated() uint64 {
	s := x.Super1
	if s == nil || s.DataSize > md.MaxSector-s.DataOffset {
		return 0
	}
	if end := s.DataOffset + s.DataSize; end > x.deviceSectors() {
		return end - x.deviceSectors()
	}
	return 0
}

// space works out the room around the data of a 1.x member exactly as mdadm
// does (super1.c, getinfo_super1), with the same arithmetic modulo 2^64.
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
		after = (x.deviceSectors() - s.DataOffset) % 8 // journals use whole 4 KiB blocks
	}
	return before, after
}

// listedRole is Role, except that a device number outside of the role table is
// a faulty device here.
func (x *Examined) listedRole() md.Role {
	if uint64(x.Super1.DevNumber) >= uint64(len(x.Super1.DevRoles)) {
		return md.RoleFaulty
	}
	return x.Super1.Role()
}

// dataSectors is how much of the device the array uses: all of it for levels
// whose members differ.
func (x *Examined) dataSectors() uint64 {
	if x.Super1.Level <= 0 {
		return x.Super1.DataSize
	}
	return x.Super1.Size
}

// places gives what lies around the superblock, in sectors from it: the bitmap
// or the partial parity log, whichever there is.
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

// spaceBeforeSuper is the room between data and what comes first behind it:
// the superblock, or what lies before that.
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

// headSectors is what mdadm leaves to a superblock at the start of a device:
// 32 KiB and a page, as the kernel does.
const headSectors = (32 + 4) * 2

// spaceBehindSuper is the room between the end of the metadata and the data.
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
