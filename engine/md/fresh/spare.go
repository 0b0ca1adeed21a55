package fresh

import (
	"bytes"
	"crypto/rand"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// NewSpare is a device that becomes a spare.
type NewSpare struct {
	Number       int // in the array
	Major, Minor uint32
	WriteMostly  bool
	FailFast     bool
}

// Prepare makes d a spare of the sample's array: it removes every superblock and
// writes one like the sample's and, if the array has a bitmap, one that asks for
// a full resync (add_to_super and write_init_super in super0.c and super1.c). Use
// it on an overlay: the difference is the plan.
func (s *Sample) Prepare(d block.Device, n NewSpare) error {
	if err := wipeSupers(d); err != nil {
		return err
	}
	if s.Member.Super0 != nil {
		return s.prepare0(d, n)
	}
	return s.prepare1(d, n)
}

// wipeSupers zeroes every superblock on the device.
func wipeSupers(d block.Device) error {
	for {
		m, err := md.GuessSuper(d)
		if err != nil {
			return nil // none is left, or none can be read
		}
		if err := WipeSuper(d, m); err != nil {
			return err
		}
	}
}

// wiped is how many bytes of a superblock are zeroed: as many as mdadm writes for
// a superblock without devices.
func wiped(v md.Version) int {
	if v == md.V090 {
		return md.Super0Size
	}
	return md.SectorSize
}

// WipeSuper zeroes as much of the superblock that m was read from as mdadm does.
func WipeSuper(d block.Device, m *md.Member) error {
	_, err := d.WriteAt(make([]byte, wiped(m.Version)), m.Offset)
	return err
}

func (s *Sample) prepare0(d block.Device, n NewSpare) error {
	off, _ := md.V090.SuperOffset(d.Size())
	super := s.Member.Super0.Clone()
	disk := md.Disk0{
		Number: uint32(n.Number), Major: n.Major, Minor: n.Minor,
		RaidDisk: ^uint32(0), // no slot
	}
	super.Disks[n.Number] = disk
	super.ThisDisk = disk
	if _, err := d.WriteAt(super.AppendTo(nil), off); err != nil {
		return err
	}
	if s.Bitmap == nil {
		return nil
	}
	// Everything up to the end of the reserved 64 KiB belongs to the bitmap.
	return writeBitmap(d, s.Bitmap, off+md.Super0Size, md.MinSize0-md.Super0Size)
}

// Sizes and places on a 1.x member, in sectors (super1.c, write_init_super1).
const (
	BblogSectors  = 8
	bitmapDefault = 8
)

func (s *Sample) prepare1(d block.Device, n NewSpare) error {
	off, _ := s.Member.Version.SuperOffset(d.Size())
	super := s.Member.Super1.Clone()
	for len(super.DevRoles) <= n.Number {
		super.DevRoles = append(super.DevRoles, md.RoleSpare)
	}
	super.DevRoles[n.Number] = md.RoleSpare
	super.DevNumber = uint32(n.Number)
	super.DevFlags = 0
	if n.WriteMostly {
		super.DevFlags |= md.DevWriteMostly
	}
	if n.FailFast {
		super.DevFlags |= md.DevFailFast
	}
	if _, err := rand.Read(super.DeviceUUID[:]); err != nil {
		return err
	}
	super.Events = 0
	// These are about the sample's device only. mdadm 4.2 copies the flag for bad
	// blocks, and the kernel then reads a log that was never written.
	super.FeatureMap &^= md.FeatureBadBlocks | md.FeatureRecoveryOffset | md.FeatureRecoveryBitmap | md.FeatureReplacement
	super.RecoveryOffset = 0
	super.CntCorrectedRead = 0
	if s.Bitmap == nil {
		super.FeatureMap &^= md.FeatureBitmapOffset
	}
	s.place(super, d.Size()/md.SectorSize, off/md.SectorSize)

	raw := super.AppendTo(nil)
	raw = append(raw, make([]byte, -len(raw)&(md.SectorSize-1))...)
	if _, err := d.WriteAt(raw, off); err != nil {
		return err
	}
	switch {
	case s.Bitmap != nil:
		at := off + int64(super.BitmapOffset)*md.SectorSize
		length := int64(s.Bitmap.CopyLen())
		if super.BitmapOffset&7 != 0 { // not on a 4 KiB boundary: write as little as possible
			length = (int64(s.Bitmap.Len()) + md.SectorSize - 1) &^ (md.SectorSize - 1)
		}
		if s.clustered() {
			_, err := d.WriteAt(BitmapCopies(s.Bitmap), at)
			return err
		}
		return writeBitmap(d, s.Bitmap, at, length)
	case super.HasPPL():
		return writeEmptyPPL(d, super, off)
	}
	return nil
}

// clustered reports whether a cluster shares the array: there is a bitmap for each node.
func (s *Sample) clustered() bool { return s.Bitmap != nil && s.Bitmap.Version == md.BitmapClustered }

// place sets where data, logs and superblock lie on a device of the given size in
// sectors.
func (s *Sample) place(super *md.Super1, sectors, superAt int64) {
	space, start := bitmapSpace(super.Size), int64(bitmapDefault)
	switch {
	case s.Bitmap != nil:
		space, start = int64(s.Bitmap.CopyLen())/md.SectorSize, int64(super.BitmapOffset)
	case super.HasPPL():
		space = PPLSectors
		if s.Member.Version == md.V10 {
			start = -space - BblogSectors
		}
		super.SetPPL(int16(start), uint16(space))
	}
	super.SuperOffset = uint64(superAt)
	if s.Member.Version == md.V10 {
		space += BblogSectors
		if superAt < int64(super.Size)+space {
			space = superAt - int64(super.Size)
		}
		super.DataSize = uint64(superAt - space)
		if space >= BblogSectors {
			super.BblogSize, super.BblogOffset = BblogSectors, -BblogSectors
		}
		return
	}
	data := int64(super.DataOffset)
	super.DataSize = uint64(sectors - data)
	switch {
	case s.clustered(): // nodes do not share the log, which would lie in the second node's bitmap
		super.BblogSize, super.BblogOffset = 0, 0
	case data >= superAt+start+space+BblogSectors:
		super.BblogSize, super.BblogOffset = BblogSectors, int32(start+space)
	case data >= superAt+2*BblogSectors:
		super.BblogSize, super.BblogOffset = BblogSectors, int32(data-BblogSectors-superAt)
	}
}

// bitmapSpace is how many sectors mdadm leaves for a bitmap that may be added
// later, on members of the given size (super1.c, choose_bm_space).
func bitmapSpace(size uint64) int64 {
	const mib = 2048 // sectors
	switch {
	case size < 64*2:
		return 0
	case size-64*2 >= 200*1024*mib:
		return 128 * 2
	case size-4*2 > 8*1024*mib:
		return 64 * 2
	}
	return 4 * 2
}

// writeBitmap writes a bitmap of length bytes with every bit set.
func writeBitmap(d block.Device, b *md.Bitmap, off, length int64) error {
	raw := bytes.Repeat([]byte{0xff}, int(length))
	copy(raw, b.AppendTo(nil))
	_, err := d.WriteAt(raw, off)
	return err
}

// PPLSectors is the space for partial parity logs in sectors (super1.c,
// MULTIPLE_PPL_AREA_SIZE_SUPER1).
const PPLSectors = 1 << 20 / md.SectorSize

// writeEmptyPPL clears the partial parity log and writes a header without
// entries (super1.c, write_init_ppl1).
func writeEmptyPPL(d block.Device, super *md.Super1, superAt int64) error {
	start, _ := super.PPL()
	_, err := d.WriteAt(EmptyPPL(super), superAt+int64(start)*md.SectorSize)
	return err
}

// EmptyPPL is a partial parity log without entries, of the size that the
// superblock states.
func EmptyPPL(super *md.Super1) []byte {
	_, sectors := super.PPL()
	raw := make([]byte, int(sectors)*md.SectorSize)
	header := md.PPLHeader{Signature: md.PPLSignature(super.SetUUID)}
	copy(header.Reserved[:], bytes.Repeat([]byte{0xff}, len(header.Reserved)))
	copy(raw, header.AppendTo(nil))
	return raw
}

// Sample is the superblock of a member in sync of a running array, from which the
// superblocks of new members are made.
type Sample struct {
	Member *md.Member
	Bitmap *md.Bitmap // nil if the array has no internal bitmap that can be used
}

// UsableBitmap reads the superblock of a member's bitmap. It returns nil if there
// is none or the kernel would not use it for this array.
func UsableBitmap(m *md.Member, d block.Device) *md.Bitmap {
	b, err := m.ReadBitmap(d)
	if err != nil || b == nil || b.UUID != m.NativeUUID() {
		return nil
	}
	return b
}

// Room is how many sectors a device of the given size in bytes could contribute
// to the array (avail_size in super0.c and super1.c). It is negative if the
// device cannot even hold the metadata.
func (s *Sample) Room(deviceSize int64) int64 {
	sectors := deviceSize / md.SectorSize
	if s.Member.Super0 != nil {
		const reserved = md.MinSize0 / md.SectorSize
		return sectors&^(reserved-1) - reserved
	}
	super := s.Member.Super1
	if deviceSize < md.Super1MinSize {
		return 0
	}
	left := sectors - int64(super.DataOffset)
	if s.Member.Version == md.V10 {
		left -= 16 + int64(super.BblogSize)
	}
	return left
}
