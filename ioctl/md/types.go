package md

import (
	"fmt"
	"strconv"
	"strings"
	"structs"
)

// Version is the version of the interface: 0.90.3 since Linux 2.6.15
// (md_u.h mdu_version_t).
type Version struct {
	_          structs.HostLayout
	Major      int32 // incompatible interfaces differ here
	Minor      int32 // newer is compatible with older
	Patchlevel int32 // newer and older are compatible
}

// String returns major.minor.patchlevel.
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patchlevel)
}

// ArrayInfo describes a whole array (md_u.h mdu_array_info_t).
type ArrayInfo struct {
	_             structs.HostLayout
	MajorVersion  int32      // metadata format: 0 or 1
	MinorVersion  int32      // 90 for format 0; 0, 1 or 2 for format 1
	PatchVersion  int32      // revision of the format
	CTime         uint32     // creation, in seconds since 1970
	Level         Level      // personality
	Size          int32      // space used on each member, in KiB; -1 if it does not fit in 32 bits
	NrDisks       int32      // devices bound to the array, including failed ones and spares
	RaidDisks     int32      // slots of the array; in SetArrayInfo, 0 means that the members bring metadata
	MDMinor       int32      // minor number of the device; ignored when set
	NotPersistent int32      // 1 if the kernel keeps no metadata for it
	UTime         uint32     // last metadata update, in seconds since 1970
	State         ArrayState // clean, bitmap present, clustered
	ActiveDisks   int32      // members in sync
	WorkingDisks  int32      // members not failed
	FailedDisks   int32      // members failed
	SpareDisks    int32      // members neither failed nor in sync, except the journal
	Layout        int32      // layout number of the personality
	ChunkSize     int32      // chunk, in bytes
}

// DiskInfo describes one member (md_u.h mdu_disk_info_t).
type DiskInfo struct {
	_        structs.HostLayout
	Number   int32     // the kernel's number of the member, as shown in brackets in mdstat
	Major    int32     // device number; 0 if no member has this Number
	Minor    int32     // device number; 0 if no member has this Number
	RaidDisk int32     // slot in the array; -1 for a spare
	State    DiskState // faulty, in sync, write-mostly and so on
}

// Param is the argument of RUN_ARRAY, which the kernel has ignored since 2.6
// (md_u.h mdu_param_t).
type Param struct {
	_           structs.HostLayout
	Personality int32 // unused
	ChunkSize   int32 // bytes; unused
	MaxFault    int32 // unused
}

// BitmapFile is the answer of GET_BITMAP_FILE (md_u.h mdu_bitmap_file_t).
type BitmapFile struct {
	_        structs.HostLayout
	Pathname [4096]byte // path that ends at the first 0; empty if there is no bitmap file
}

// String returns the path.
func (f *BitmapFile) String() string {
	s, _, _ := strings.Cut(string(f.Pathname[:]), "\x00")
	return s
}

// Level is a personality by number (md_u.h LEVEL_*).
type Level int32

// Levels that are not plain RAID numbers. The others are 0, 1, 4, 5, 6 and 10.
const (
	LevelLinear    Level = -1       // members one after the other
	LevelMultipath Level = -4       // several paths to one device; removed in Linux 6.8
	LevelFaulty    Level = -5       // fault injection; removed in Linux 6.8
	LevelNone      Level = -1000000 // no level set
)

// String returns the personality's name as the kernel spells it, "raid5" or
// "linear".
func (l Level) String() string {
	switch l {
	case LevelLinear:
		return "linear"
	case LevelMultipath:
		return "multipath"
	case LevelFaulty:
		return "faulty"
	case LevelNone:
		return "none"
	}
	if l < 0 {
		return "level(" + strconv.Itoa(int(l)) + ")"
	}
	return "raid" + strconv.Itoa(int(l))
}

// ArrayState is the state word of an array: bits of the 0.90 superblock
// (md_p.h MD_SB_*).
type ArrayState uint32

// Bits of [ArrayState].
const (
	ArrayClean         ArrayState = 1 << 0 // no writes outstanding, redundancy is consistent
	ArrayErrors        ArrayState = 1 << 1 // never set by current kernels
	ArrayClustered     ArrayState = 1 << 5 // shared by the nodes of a cluster
	ArrayBitmapPresent ArrayState = 1 << 8 // has a bitmap beside its metadata
)

var arrayStateNames = []bitName{
	{uint32(ArrayClean), "clean"},
	{uint32(ArrayErrors), "errors"},
	{uint32(ArrayClustered), "clustered"},
	{uint32(ArrayBitmapPresent), "bitmap"},
}

// String names the bits, joined by commas, and prints unknown ones as a number.
// If no bits are set it gives "-".
func (s ArrayState) String() string { return bitString(uint32(s), arrayStateNames) }

// DiskState is the state word of one member (md_p.h MD_DISK_*).
type DiskState uint32

// Bits of [DiskState].
const (
	DiskFaulty      DiskState = 1 << 0  // failed
	DiskActive      DiskState = 1 << 1  // takes part in the array
	DiskSync        DiskState = 1 << 2  // in sync; in AddNewDisk on a running array: put it back in its old slot
	DiskRemoved     DiskState = 1 << 3  // no member has this number
	DiskClusterAdd  DiskState = 1 << 4  // AddNewDisk: begin to add it on every node
	DiskCandidate   DiskState = 1 << 5  // AddNewDisk: spare on this node until the cluster agrees
	DiskWriteMostly DiskState = 1 << 9  // RAID1 reads from it only when it must
	DiskFailFast    DiskState = 1 << 10 // requests to it are not retried
	DiskJournal     DiskState = 1 << 18 // write journal of RAID4, 5 or 6
)

var diskStateNames = []bitName{
	{uint32(DiskFaulty), "faulty"},
	{uint32(DiskActive), "active"},
	{uint32(DiskSync), "sync"},
	{uint32(DiskRemoved), "removed"},
	{uint32(DiskClusterAdd), "cluster-add"},
	{uint32(DiskCandidate), "candidate"},
	{uint32(DiskWriteMostly), "write-mostly"},
	{uint32(DiskFailFast), "failfast"},
	{uint32(DiskJournal), "journal"},
}

// String names the bits, joined by commas, and prints unknown ones as a number.
// If no bits are set it gives "-", which is what a spare shows.
func (s DiskState) String() string { return bitString(uint32(s), diskStateNames) }

type bitName struct {
	bit  uint32
	name string
}

func bitString(v uint32, names []bitName) string {
	var words []string
	for _, n := range names {
		if v&n.bit != 0 {
			words = append(words, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		words = append(words, "0x"+strconv.FormatUint(uint64(v), 16))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ",")
}

// encodeDev packs a device number the way the kernel takes it in an ioctl
// argument (include/linux/kdev_t.h new_encode_dev): 12 bits of major, 20 of
// minor.
func encodeDev(major, minor uint32) uint32 {
	return minor&0xff | major<<8 | minor&^0xff<<12
}
