package md

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// SuperMagic is the magic number of every md superblock (md_p.h, MD_SB_MAGIC).
const SuperMagic = 0xa92b4efc

// MaxSector stands for "to the end" in sector fields: as a resync_offset it means
// clean (linux/blkdev.h).
const MaxSector = ^uint64(0)

// Super1MaxDevs is how many dev_roles a 1.x superblock has room for (md.c,
// super_1_load).
const Super1MaxDevs = (Super1Size - Super1Fixed) / 2

// Super1Size is the size of the space for a 1.x superblock, in bytes.
const Super1Size = 4096

// Super1Fixed is the size of a 1.x superblock without its dev_roles, in bytes.
const Super1Fixed = 256

// Super1 is struct mdp_superblock_1, metadata 1.0, 1.1 and 1.2: all fields are
// little-endian on disk. Sizes and offsets are in sectors unless stated
// otherwise; offsets on members count from the start of the device.
type Super1 struct {
	Magic        uint32     // SuperMagic
	MajorVersion uint32     // 1
	FeatureMap   FeatureMap // which of the optional fields count
	Pad0         uint32     // 0; the kernel refuses anything else

	SetUUID   UUID     // the array's
	SetName   [32]byte // the array's name, often "host:name", up to the first NUL
	CTime     uint64   // when the array was made: seconds in bits 0-39, microseconds above; see Time1
	Level     Level
	Layout    int32  // see LayoutName
	Size      uint64 // sectors used on each member; 0 for linear and raid0
	ChunkSize uint32 // sectors; for linear the rounding
	RaidDisks uint32 // slots; during a reshape, the number after it
	// BitmapOffset is where the bitmap starts, in sectors from the superblock, if
	// FeatureBitmapOffset is set. With a PPL feature, the same bytes are the log's
	// place and size; see PPL.
	BitmapOffset int32

	// The fields of a reshape count only with FeatureReshapeActive.
	NewLevel        Level
	ReshapePosition uint64 // array sectors
	DeltaDisks      int32  // change of RaidDisks
	NewLayout       int32
	NewChunk        uint32 // sectors
	NewOffset       int32  // added to DataOffset by the reshape, if FeatureNewOffset is set

	DataOffset  uint64 // where data starts
	DataSize    uint64 // sectors usable for data
	SuperOffset uint64 // where this superblock is
	// RecoveryOffset is how many sectors from DataOffset have been recovered, if
	// FeatureRecoveryOffset is set. On a journal device it is the journal's
	// tail; see JournalTail.
	RecoveryOffset   uint64
	DevNumber        uint32 // index in DevRoles; not the slot
	CntCorrectedRead uint32 // read errors cured by rewriting
	DeviceUUID       UUID
	DevFlags         DevFlags
	BblogShift       uint8  // entries of the bad block log count 1<<BblogShift sectors
	BblogSize        uint16 // sectors reserved for the bad block log, 0 if there is none
	BblogOffset      int32  // where the log starts, in sectors from the superblock

	UTime            uint64   // time of the last update, in the format of CTime
	Events           uint64   // counts updates
	ResyncOffset     uint64   // sectors known to be in sync; MaxSector means clean
	SBCsum           uint32   // as found on disk; AppendTo computes its own
	MaxDev           uint32   // as found on disk; AppendTo writes len(DevRoles)
	LogicalBlockSize uint32   // bytes; kernels before Linux 6.19 insist on 0
	Pad3             [28]byte // 0; the kernel refuses anything else

	DevRoles []Role // indexed by DevNumber
}

var super1Layout = sync.OnceValue(func() *binfmt.Layout[Super1] {
	type s = Super1
	return binfmt.New("md1", Super1Fixed,
		binfmt.U32("magic", 0, func(v *s) *uint32 { return &v.Magic }, binfmt.Hex),
		binfmt.U32("major_version", 4, func(v *s) *uint32 { return &v.MajorVersion }),
		binfmt.U32("feature_map", 8, func(v *s) *FeatureMap { return &v.FeatureMap }),
		binfmt.U32("pad0", 12, func(v *s) *uint32 { return &v.Pad0 }, binfmt.Hex),
		binfmt.Raw("set_uuid", 16, 16, func(v *s) []byte { return v.SetUUID[:] }, uuidText),
		binfmt.Raw("set_name", 32, 32, func(v *s) []byte { return v.SetName[:] }, binfmt.Text),
		binfmt.U64("ctime", 64, func(v *s) *uint64 { return &v.CTime }, time1Text),
		binfmt.U32("level", 72, func(v *s) *Level { return &v.Level }),
		binfmt.U32("layout", 76, func(v *s) *int32 { return &v.Layout }, binfmt.Hex32),
		binfmt.U64("size", 80, func(v *s) *uint64 { return &v.Size }, binfmt.Sectors),
		binfmt.U32("chunksize", 88, func(v *s) *uint32 { return &v.ChunkSize }, binfmt.Sectors),
		binfmt.U32("raid_disks", 92, func(v *s) *uint32 { return &v.RaidDisks }),
		binfmt.U32("bitmap_offset", 96, func(v *s) *int32 { return &v.BitmapOffset }, binfmt.Sectors),
		binfmt.U32("new_level", 100, func(v *s) *Level { return &v.NewLevel }),
		binfmt.U64("reshape_position", 104, func(v *s) *uint64 { return &v.ReshapePosition }, binfmt.Sectors),
		binfmt.U32("delta_disks", 112, func(v *s) *int32 { return &v.DeltaDisks }),
		binfmt.U32("new_layout", 116, func(v *s) *int32 { return &v.NewLayout }, binfmt.Hex32),
		binfmt.U32("new_chunk", 120, func(v *s) *uint32 { return &v.NewChunk }, binfmt.Sectors),
		binfmt.U32("new_offset", 124, func(v *s) *int32 { return &v.NewOffset }, binfmt.Sectors),
		binfmt.U64("data_offset", 128, func(v *s) *uint64 { return &v.DataOffset }, binfmt.Sectors),
		binfmt.U64("data_size", 136, func(v *s) *uint64 { return &v.DataSize }, binfmt.Sectors),
		binfmt.U64("super_offset", 144, func(v *s) *uint64 { return &v.SuperOffset }, binfmt.Sectors),
		binfmt.U64("recovery_offset", 152, func(v *s) *uint64 { return &v.RecoveryOffset }, sectorText),
		binfmt.U32("dev_number", 160, func(v *s) *uint32 { return &v.DevNumber }),
		binfmt.U32("cnt_corrected_read", 164, func(v *s) *uint32 { return &v.CntCorrectedRead }),
		binfmt.Raw("device_uuid", 168, 16, func(v *s) []byte { return v.DeviceUUID[:] }, uuidText),
		binfmt.U8("devflags", 184, func(v *s) *DevFlags { return &v.DevFlags }),
		binfmt.U8("bblog_shift", 185, func(v *s) *uint8 { return &v.BblogShift }),
		binfmt.U16("bblog_size", 186, func(v *s) *uint16 { return &v.BblogSize }, binfmt.Sectors),
		binfmt.U32("bblog_offset", 188, func(v *s) *int32 { return &v.BblogOffset }, binfmt.Sectors),
		binfmt.U64("utime", 192, func(v *s) *uint64 { return &v.UTime }, time1Text),
		binfmt.U64("events", 200, func(v *s) *uint64 { return &v.Events }),
		binfmt.U64("resync_offset", 208, func(v *s) *uint64 { return &v.ResyncOffset }, sectorText),
		binfmt.U32("sb_csum", super1CsumOff, func(v *s) *uint32 { return &v.SBCsum }, binfmt.Hex),
		binfmt.U32("max_dev", 220, func(v *s) *uint32 { return &v.MaxDev }),
		binfmt.U32("logical_block_size", 224, func(v *s) *uint32 { return &v.LogicalBlockSize }),
		binfmt.Raw("pad3", 228, 28, func(v *s) []byte { return v.Pad3[:] }),
	)
})

const super1CsumOff = 216

// ParseSuper1 reads a 1.x superblock from b, which begins where the superblock
// does; 4096 bytes (Super1Size) are enough for any.
//
// Without a superblock it returns nil and an error of class binfmt.ErrTruncated
// or binfmt.ErrMagic. If it finds a superblock that the kernel would not load, it
// returns both: the superblock to look at, and the reason, of class
//   - binfmt.ErrUnsupported for another major version or unknown feature bits,
//   - binfmt.ErrCorrupt for a max_dev above Super1MaxDevs (DevRoles is nil then),
//   - binfmt.ErrTruncated for a max_dev beyond the end of b (likewise),
//   - binfmt.ErrChecksum.
//
// ReadMember and Check look at what depends on the place of the superblock.
func ParseSuper1(b []byte) (*Super1, error) {
	l := super1Layout()
	s := new(Super1)
	if err := l.Decode(s, b, binary.LittleEndian); err != nil {
		return nil, err
	}
	if s.Magic != SuperMagic {
		return nil, l.Errorf(binfmt.ErrMagic, s, "magic", "%#x", uint32(SuperMagic))
	}
	if s.MajorVersion != 1 {
		return s, l.Errorf(binfmt.ErrUnsupported, s, "major_version", "1")
	}
	if s.MaxDev > Super1MaxDevs {
		return s, l.Errorf(binfmt.ErrCorrupt, s, "max_dev", "at most %d", Super1MaxDevs)
	}
	n := Super1Fixed + 2*int(s.MaxDev)
	if len(b) < n {
		return s, &binfmt.Error{
			Format: l.Format, Field: "dev_roles", Off: Super1Fixed, Err: binfmt.ErrTruncated,
			Got: strconv.Itoa(len(b)) + " bytes", Want: strconv.Itoa(n) + " bytes",
		}
	}
	s.DevRoles = make([]Role, s.MaxDev)
	for i := range s.DevRoles {
		s.DevRoles[i] = Role(binary.LittleEndian.Uint16(b[Super1Fixed+2*i:]))
	}
	if u := s.FeatureMap.Unknown(); u != 0 {
		e := l.Errorf(binfmt.ErrUnsupported, s, "feature_map", "")
		e.Got = fmt.Sprintf("unknown bits %#x in %v", uint32(u), s.FeatureMap)
		return s, e
	}
	if want := s.Checksum(); s.SBCsum != want {
		return s, l.Errorf(binfmt.ErrChecksum, s, "sb_csum", "%#x", want)
	}
	return s, nil
}

// EncodedLen is how many bytes AppendTo appends: 256, plus 2 for each role.
func (s *Super1) EncodedLen() int { return Super1Fixed + 2*len(s.DevRoles) }

// AppendTo appends the superblock as it is on disk, with max_dev and sb_csum
// computed from DevRoles and the other fields. A caller that writes it must leave
// or clear the rest of the last sector.
func (s *Super1) AppendTo(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, s.EncodedLen())...)
	raw := b[at:]
	super1Layout().Encode(s, raw, binary.LittleEndian)
	binary.LittleEndian.PutUint32(raw[220:], uint32(len(s.DevRoles)))
	for i, r := range s.DevRoles {
		binary.LittleEndian.PutUint16(raw[Super1Fixed+2*i:], uint16(r))
	}
	binary.LittleEndian.PutUint32(raw[super1CsumOff:], super1Sum(raw))
	return b
}

// Checksum computes what sb_csum should be (md.c, calc_sb_1_csum).
func (s *Super1) Checksum() uint32 {
	return binary.LittleEndian.Uint32(s.AppendTo(nil)[super1CsumOff:])
}

// super1Sum adds the 32-bit words of raw as if the checksum field were zero,
// and an odd half word at the end by itself.
func super1Sum(raw []byte) uint32 {
	var sum uint64
	for i := 0; i+4 <= len(raw); i += 4 {
		if i != super1CsumOff {
			sum += uint64(binary.LittleEndian.Uint32(raw[i:]))
		}
	}
	if len(raw)%4 == 2 {
		sum += uint64(binary.LittleEndian.Uint16(raw[len(raw)-2:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

// Clone returns a copy that shares nothing with s.
func (s *Super1) Clone() *Super1 {
	c := *s
	c.DevRoles = slices.Clone(s.DevRoles)
	return &c
}

// Name is SetName up to the first NUL.
func (s *Super1) Name() string { return binfmt.CString(s.SetName[:]) }

// SetNameString sets SetName; names longer than 32 bytes are cut there.
func (s *Super1) SetNameString(name string) {
	s.SetName = [32]byte{}
	copy(s.SetName[:], name)
}

// Role is the role of this device in the superblock's own table; a spare if
// DevNumber is outside the table (super1.c, role_from_sb).
func (s *Super1) Role() Role {
	if uint64(s.DevNumber) < uint64(len(s.DevRoles)) {
		return s.DevRoles[s.DevNumber]
	}
	return RoleSpare
}

// JournalTail is where the replay of a journal device begins, in sectors from
// DataOffset. It shares its field with RecoveryOffset.
func (s *Super1) JournalTail() uint64 { return s.RecoveryOffset }

// HasPPL reports whether one of the PPL features is set.
func (s *Super1) HasPPL() bool {
	return s.FeatureMap&(FeaturePPL|FeatureMultiplePPLs) != 0
}

// PPL returns the place of the partial parity log, in sectors from the superblock,
// and its size in sectors. They mean something only if HasPPL is true.
func (s *Super1) PPL() (offset int16, size uint16) {
	return int16(uint32(s.BitmapOffset)), uint16(uint32(s.BitmapOffset) >> 16)
}

// SetPPL sets the place and size that PPL returns. It overwrites BitmapOffset, and
// sets no feature.
func (s *Super1) SetPPL(offset int16, size uint16) {
	s.BitmapOffset = int32(uint32(uint16(offset)) | uint32(size)<<16)
}

// Clean reports whether the array was clean: nothing was left to resync.
func (s *Super1) Clean() bool { return s.ResyncOffset == MaxSector }

const time1Mask = 1<<40 - 1 // MD_SUPERBLOCK_1_TIME_SEC_MASK

// Time1 is the time in a 1.x time field: seconds in the low 40 bits, microseconds
// in the others.
func Time1(v uint64) time.Time {
	return time.Unix(int64(v&time1Mask), int64(v>>40)*1000).UTC()
}

func time1Text(v uint64) string {
	return fmt.Sprintf("%d (%s)", v, Time1(v).Format(time.RFC3339))
}

func sectorText(v uint64) string {
	if v == MaxSector {
		return "end"
	}
	return binfmt.Sectors(v)
}

func uuidText(b []byte) string { return UUID(b).String() }

// Lacks returns how many sectors a device of that many lacks for the data that the
// superblock places on it; 0 if it is large enough.
func (s *Super1) Lacks(sectors uint64) uint64 {
	if s.DataSize > MaxSector-s.DataOffset {
		return 0
	}
	return max(s.DataOffset+s.DataSize, sectors) - sectors
}
