package md

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// Super0Size is the size of a 0.90 superblock in bytes (md_p.h, MD_SB_BYTES).
const Super0Size = 4096

// Super0Disks is how many disks a 0.90 superblock describes (md_p.h,
// MD_SB_DISKS).
const Super0Disks = 27

// Super0State holds the array state bits of a 0.90 superblock (md_p.h, MD_SB_*).
type Super0State uint32

// Array states.
const (
	Super0Clean         Super0State = 1 << 0
	Super0Errors        Super0State = 1 << 1
	Super0Clustered     Super0State = 1 << 5
	Super0BitmapPresent Super0State = 1 << 8
	super0StateAll                  = Super0Clean | Super0Errors | Super0Clustered | Super0BitmapPresent
)

// DiskState holds the state bits of a 0.90 disk descriptor; the GET_DISK_INFO
// ioctl uses the same (md_p.h, MD_DISK_*).
type DiskState uint32

// Disk states.
const (
	DiskFaulty      DiskState = 1 << 0
	DiskActive      DiskState = 1 << 1
	DiskSync        DiskState = 1 << 2
	DiskRemoved     DiskState = 1 << 3
	DiskClusterAdd  DiskState = 1 << 4
	DiskCandidate   DiskState = 1 << 5
	DiskWriteMostly DiskState = 1 << 9
	DiskFailFast    DiskState = 1 << 10
	DiskReplacement DiskState = 1 << 17
	DiskJournal     DiskState = 1 << 18
)

// Disk0 is struct mdp_device_descriptor_s: one device of a 0.90 array.
type Disk0 struct {
	Number   uint32 // its place in the table
	Major    uint32 // device number when last assembled
	Minor    uint32
	RaidDisk uint32 // its slot, if active
	State    DiskState
	Reserved [27 * 4]byte
}

// Super0 is struct mdp_superblock_s, metadata 0.90 and 0.91 (reshaping): 1024
// words of 32 bits in the byte order of the machine that wrote it.
type Super0 struct {
	// Order is the byte order on disk.
	Order binary.ByteOrder

	MDMagic       uint32 // SuperMagic
	MajorVersion  uint32 // 0
	MinorVersion  uint32 // 90, or 91 during a reshape
	PatchVersion  uint32
	GValidWords   uint32 // unused
	SetUUID0      uint32 // with SetUUID1 to 3; see UUID
	CTime         uint32 // seconds
	Level         Level
	Size          uint32 // KiB used on each member
	NrDisks       uint32 // devices in the array
	RaidDisks     uint32 // slots
	MDMinor       uint32 // preferred minor number
	NotPersistent uint32 // 0
	SetUUID1      uint32
	SetUUID2      uint32
	SetUUID3      uint32
	ConstReserved [16 * 4]byte // gstate_creserved

	UTime        uint32 // seconds
	State        Super0State
	ActiveDisks  uint32
	WorkingDisks uint32
	FailedDisks  uint32
	SpareDisks   uint32
	SBCsum       uint32 // as found on disk; AppendTo computes its own
	Events       uint64 // events_hi and events_lo; their order on disk follows Order
	CPEvents     uint64 // Events when RecoveryCP was taken
	RecoveryCP   uint32 // sectors known to be in sync, if CPEvents equals Events

	// The fields of a reshape count only with MinorVersion 91.
	ReshapePosition uint64 // array sectors
	NewLevel        Level
	DeltaDisks      int32
	NewLayout       int32
	NewChunk        uint32       // bytes
	StateReserved   [14 * 4]byte // gstate_sreserved

	Layout              int32
	ChunkSize           uint32 // bytes
	RootPV              uint32 // unused
	RootBlock           uint32 // unused
	PersonalityReserved [60 * 4]byte

	Disks    [Super0Disks]Disk0
	ThisDisk Disk0 // a copy of the descriptor of the device with this superblock
}

const (
	super0CsumOff  = 38 * 4
	super0DisksOff = 128 * 4
	super0ThisOff  = 992 * 4
	disk0Size      = 32 * 4
)

var super0Layout = sync.OnceValue(func() *binfmt.Layout[Super0] {
	type s = Super0
	fields := []binfmt.Field[s]{
		binfmt.U32("md_magic", 0, func(v *s) *uint32 { return &v.MDMagic }, binfmt.Hex),
		binfmt.U32("major_version", 4, func(v *s) *uint32 { return &v.MajorVersion }),
		binfmt.U32("minor_version", 8, func(v *s) *uint32 { return &v.MinorVersion }),
		binfmt.U32("patch_version", 12, func(v *s) *uint32 { return &v.PatchVersion }),
		binfmt.U32("gvalid_words", 16, func(v *s) *uint32 { return &v.GValidWords }),
		binfmt.U32("set_uuid0", 20, func(v *s) *uint32 { return &v.SetUUID0 }, binfmt.Hex),
		binfmt.U32("ctime", 24, func(v *s) *uint32 { return &v.CTime }, time0Text),
		binfmt.U32("level", 28, func(v *s) *Level { return &v.Level }),
		binfmt.U32("size", 32, func(v *s) *uint32 { return &v.Size }, kibText),
		binfmt.U32("nr_disks", 36, func(v *s) *uint32 { return &v.NrDisks }),
		binfmt.U32("raid_disks", 40, func(v *s) *uint32 { return &v.RaidDisks }),
		binfmt.U32("md_minor", 44, func(v *s) *uint32 { return &v.MDMinor }),
		binfmt.U32("not_persistent", 48, func(v *s) *uint32 { return &v.NotPersistent }),
		binfmt.U32("set_uuid1", 52, func(v *s) *uint32 { return &v.SetUUID1 }, binfmt.Hex),
		binfmt.U32("set_uuid2", 56, func(v *s) *uint32 { return &v.SetUUID2 }, binfmt.Hex),
		binfmt.U32("set_uuid3", 60, func(v *s) *uint32 { return &v.SetUUID3 }, binfmt.Hex),
		binfmt.Raw("gstate_creserved", 64, 64, func(v *s) []byte { return v.ConstReserved[:] }),
		binfmt.U32("utime", 128, func(v *s) *uint32 { return &v.UTime }, time0Text),
		binfmt.U32("state", 132, func(v *s) *Super0State { return &v.State }, binfmt.Hex),
		binfmt.U32("active_disks", 136, func(v *s) *uint32 { return &v.ActiveDisks }),
		binfmt.U32("working_disks", 140, func(v *s) *uint32 { return &v.WorkingDisks }),
		binfmt.U32("failed_disks", 144, func(v *s) *uint32 { return &v.FailedDisks }),
		binfmt.U32("spare_disks", 148, func(v *s) *uint32 { return &v.SpareDisks }),
		binfmt.U32("sb_csum", super0CsumOff, func(v *s) *uint32 { return &v.SBCsum }, binfmt.Hex),
		// events_hi and events_lo change places with the byte order, which
		// makes the pair one 64-bit number of that order.
		binfmt.U64("events", 156, func(v *s) *uint64 { return &v.Events }),
		binfmt.U64("cp_events", 164, func(v *s) *uint64 { return &v.CPEvents }),
		binfmt.U32("recovery_cp", 172, func(v *s) *uint32 { return &v.RecoveryCP }, recovery0Text),
		binfmt.U64("reshape_position", 176, func(v *s) *uint64 { return &v.ReshapePosition }, sectorText),
		binfmt.U32("new_level", 184, func(v *s) *Level { return &v.NewLevel }),
		binfmt.U32("delta_disks", 188, func(v *s) *int32 { return &v.DeltaDisks }),
		binfmt.U32("new_layout", 192, func(v *s) *int32 { return &v.NewLayout }, binfmt.Hex32),
		binfmt.U32("new_chunk", 196, func(v *s) *uint32 { return &v.NewChunk }, bytesText),
		binfmt.Raw("gstate_sreserved", 200, 56, func(v *s) []byte { return v.StateReserved[:] }),
		binfmt.U32("layout", 256, func(v *s) *int32 { return &v.Layout }, binfmt.Hex32),
		binfmt.U32("chunk_size", 260, func(v *s) *uint32 { return &v.ChunkSize }, bytesText),
		binfmt.U32("root_pv", 264, func(v *s) *uint32 { return &v.RootPV }),
		binfmt.U32("root_block", 268, func(v *s) *uint32 { return &v.RootBlock }),
		binfmt.Raw("pstate_reserved", 272, 240, func(v *s) []byte { return v.PersonalityReserved[:] }),
	}
	for i := range Super0Disks {
		fields = append(fields, disk0Fields(fmt.Sprintf("disks[%d]", i), super0DisksOff+i*disk0Size,
			func(v *s) *Disk0 { return &v.Disks[i] })...)
	}
	fields = append(fields, disk0Fields("this_disk", super0ThisOff,
		func(v *s) *Disk0 { return &v.ThisDisk })...)
	return binfmt.New("md0.90", Super0Size, fields...)
})

func disk0Fields(name string, off int, at func(*Super0) *Disk0) []binfmt.Field[Super0] {
	type s = Super0
	return []binfmt.Field[s]{
		binfmt.U32(name+".number", off, func(v *s) *uint32 { return &at(v).Number }),
		binfmt.U32(name+".major", off+4, func(v *s) *uint32 { return &at(v).Major }),
		binfmt.U32(name+".minor", off+8, func(v *s) *uint32 { return &at(v).Minor }),
		binfmt.U32(name+".raid_disk", off+12, func(v *s) *uint32 { return &at(v).RaidDisk }),
		binfmt.U32(name+".state", off+16, func(v *s) *DiskState { return &at(v).State }, binfmt.Hex),
		binfmt.Raw(name+".reserved", off+20, 108, func(v *s) []byte { return at(v).Reserved[:] }),
	}
}

// ParseSuper0 reads a 0.90 superblock from the first 4096 bytes of b and finds
// its byte order from the magic number.
//
// Without a superblock it returns nil and an error of class binfmt.ErrTruncated
// or binfmt.ErrMagic. If it finds a superblock that the kernel would not load, it
// returns both: the superblock to look at, and the reason, of class
//   - binfmt.ErrUnsupported for a version other than 0.90 and 0.91,
//   - binfmt.ErrCorrupt if there are no slots,
//   - binfmt.ErrChecksum.
func ParseSuper0(b []byte) (*Super0, error) {
	l := super0Layout()
	s := &Super0{Order: binary.LittleEndian}
	if len(b) >= 4 && binary.BigEndian.Uint32(b) == SuperMagic {
		s.Order = binary.BigEndian
	}
	if err := l.Decode(s, b, s.Order); err != nil {
		return nil, err
	}
	if s.MDMagic != SuperMagic {
		return nil, l.Errorf(binfmt.ErrMagic, s, "md_magic", "%#x", uint32(SuperMagic))
	}
	if s.MajorVersion != 0 {
		return s, l.Errorf(binfmt.ErrUnsupported, s, "major_version", "0")
	}
	if s.MinorVersion < 90 || s.MinorVersion > 91 {
		return s, l.Errorf(binfmt.ErrUnsupported, s, "minor_version", "90 or 91")
	}
	if int32(s.RaidDisks) <= 0 {
		return s, l.Errorf(binfmt.ErrCorrupt, s, "raid_disks", "at least 1")
	}
	if want := s.Checksum(); fold16(s.SBCsum) != fold16(want) {
		return s, l.Errorf(binfmt.ErrChecksum, s, "sb_csum", "%#x", want)
	}
	return s, nil
}

// AppendTo appends the 4096 bytes of the superblock in its byte order, with a
// computed sb_csum.
func (s *Super0) AppendTo(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, Super0Size)...)
	raw := b[at:]
	super0Layout().Encode(s, raw, s.order())
	s.order().PutUint32(raw[super0CsumOff:], super0Sum(raw, s.order()))
	return b
}

func (s *Super0) order() binary.ByteOrder {
	if s.Order == nil {
		return binary.LittleEndian
	}
	return s.Order
}

// Checksum computes what sb_csum should be (md.c, calc_sb_csum). The kernel
// compares only the sums folded to 16 bits, because Alpha machines once stored
// those.
func (s *Super0) Checksum() uint32 {
	return s.order().Uint32(s.AppendTo(nil)[super0CsumOff:])
}

func super0Sum(raw []byte, o binary.ByteOrder) uint32 {
	var sum uint64
	for i := 0; i < Super0Size; i += 4 {
		if i != super0CsumOff {
			sum += uint64(o.Uint32(raw[i:]))
		}
	}
	return uint32(sum) + uint32(sum>>32)
}

// fold16 is md_csum_fold of md.c.
func fold16(sum uint32) uint32 {
	sum = sum&0xffff + sum>>16
	return sum&0xffff + sum>>16
}

// Clone returns a copy that shares nothing with s.
func (s *Super0) Clone() *Super0 {
	c := *s
	return &c
}

// UUID is the array's.
func (s *Super0) UUID() UUID {
	var u UUID
	for i, w := range []uint32{s.SetUUID0, s.SetUUID1, s.SetUUID2, s.SetUUID3} {
		binary.BigEndian.PutUint32(u[i*4:], w)
	}
	return u
}

// SetUUID sets the uuid that UUID returns.
func (s *Super0) SetUUID(u UUID) {
	for i, w := range []*uint32{&s.SetUUID0, &s.SetUUID1, &s.SetUUID2, &s.SetUUID3} {
		*w = binary.BigEndian.Uint32(u[i*4:])
	}
}

// Clean reports whether the array was clean.
func (s *Super0) Clean() bool { return s.State&Super0Clean != 0 }

// Reshaping reports whether the fields of a reshape count.
func (s *Super0) Reshaping() bool {
	return s.MinorVersion > 90 && s.ReshapePosition != MaxSector
}

// Role is the role of this device in the superblock's disk table (md.c,
// super_90_validate): an active disk in sync has its slot, a faulty one is faulty,
// any other is a spare.
func (s *Super0) Role() Role {
	if s.Level == LevelMultipath || s.ThisDisk.Number >= Super0Disks {
		return s.ThisDisk.role(s.MinorVersion)
	}
	return s.Disks[s.ThisDisk.Number].role(s.MinorVersion)
}

func (d *Disk0) role(minor uint32) Role {
	switch {
	case d.State&DiskFaulty != 0:
		return RoleFaulty
	case d.RaidDisk >= uint32(RoleMax):
		return RoleSpare
	case d.State&DiskSync != 0, d.State&DiskActive != 0 && minor >= 91:
		return Role(d.RaidDisk)
	}
	return RoleSpare
}

func time0Text(v uint32) string {
	return fmt.Sprintf("%d (%s)", v, time.Unix(int64(v), 0).UTC().Format(time.RFC3339))
}

func kibText(v uint32) string { return fmt.Sprintf("%d KiB", v) }

func bytesText(v uint32) string { return fmt.Sprintf("%d bytes", v) }

func recovery0Text(v uint32) string {
	if v == ^uint32(0) {
		return "end"
	}
	return binfmt.Sectors(v)
}
