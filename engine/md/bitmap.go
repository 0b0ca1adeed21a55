package md

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// BitmapMagic is the magic number of a write-intent bitmap: "bitm"
// (drivers/md/md-bitmap.h, BITMAP_MAGIC).
const BitmapMagic = 0x6d746962

// Bitmap versions (md-bitmap.h, BITMAP_MAJOR_*).
const (
	BitmapHostEndian   = 3 // bits are in machine words of the host's byte order
	BitmapLittleEndian = 4
	BitmapClustered    = 5 // one copy for each node
	BitmapLockless     = 6 // one byte for each chunk, Linux 6.18+
)

// BitmapState holds the state bits of a bitmap superblock (md-bitmap.h, enum
// bitmap_state).
type BitmapState uint32

// Bitmap states.
const (
	BitmapStale      BitmapState = 1 << 1 // bits mean nothing: everything is to be resynced
	BitmapWriteError BitmapState = 1 << 2
	BitmapFirstUse   BitmapState = 1 << 3 // lockless: the kernel is to set it up
	BitmapClean      BitmapState = 1 << 4 // lockless: set up as clean
	BitmapDaemonBusy BitmapState = 1 << 5
	BitmapHostOrder  BitmapState = 1 << 15
	// bitmapActive was kept in bit 0 by kernels before 2.6.30.
	bitmapActive   BitmapState = 1 << 0
	bitmapStateAll             = bitmapActive | BitmapStale | BitmapWriteError | BitmapFirstUse |
		BitmapClean | BitmapDaemonBusy | BitmapHostOrder
)

// String returns the words for the bits that are set, separated by blanks; "ok" if
// there are none.
func (s BitmapState) String() string {
	if s == 0 {
		return "ok"
	}
	var words []string
	for _, w := range []struct {
		bit  BitmapState
		word string
	}{
		{bitmapActive, "active"},
		{BitmapStale, "stale"},
		{BitmapWriteError, "write_error"},
		{BitmapFirstUse, "first_use"},
		{BitmapClean, "clean"},
		{BitmapDaemonBusy, "daemon_busy"},
		{BitmapHostOrder, "hostendian"},
	} {
		if s&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	if u := s &^ bitmapStateAll; u != 0 {
		words = append(words, fmt.Sprintf("%#x", uint32(u)))
	}
	return strings.Join(words, " ")
}

// Bitmap is struct bitmap_super_s, the 256 bytes before the bits. All fields
// are little-endian, in version 3 too.
type Bitmap struct {
	Magic           uint32 // BitmapMagic
	Version         uint32 // 3 to 6
	UUID            UUID   // the array's, as bytes; see UUID.Native for 0.90
	Events          uint64 // equal to the superblock's, or one ahead
	EventsCleared   uint64 // Events when bits were last cleared
	SyncSize        uint64 // sectors that the bits cover
	State           BitmapState
	ChunkSize       uint32 // bytes for each bit; in version 6 sectors for each byte
	DaemonSleep     uint32 // seconds between cleanings
	WriteBehind     uint32 // the most outstanding writes on write-mostly members
	SectorsReserved uint32 // space for the whole bitmap; 0 if not recorded
	Nodes           uint32 // version 5: copies
	ClusterName     [64]byte
	Pad             [120]byte

	// Offset is where ReadBitmap found it, in bytes from the device's start.
	Offset int64
	// order is the byte order of the machine that wrote a version 3 bitmap.
	order binary.ByteOrder
}

// BitmapSuperSize is the size of the bitmap's superblock in bytes.
const BitmapSuperSize = 256

// llbitmapDataOffset is where the bytes of a lockless bitmap begin
// (md-llbitmap.c, BITMAP_DATA_OFFSET).
const llbitmapDataOffset = 1024

// BitmapLayout is the field table of a bitmap's superblock, also for errors that
// name one of its fields (drivers/md/md-bitmap.h, bitmap_super_s).
var BitmapLayout = sync.OnceValue(func() *binfmt.Layout[Bitmap] {
	type s = Bitmap
	return binfmt.New("md-bitmap", BitmapSuperSize,
		binfmt.U32("magic", 0, func(v *s) *uint32 { return &v.Magic }, binfmt.Hex),
		binfmt.U32("version", 4, func(v *s) *uint32 { return &v.Version }),
		binfmt.Raw("uuid", 8, 16, func(v *s) []byte { return v.UUID[:] }, uuidText),
		binfmt.U64("events", 24, func(v *s) *uint64 { return &v.Events }),
		binfmt.U64("events_cleared", 32, func(v *s) *uint64 { return &v.EventsCleared }),
		binfmt.U64("sync_size", 40, func(v *s) *uint64 { return &v.SyncSize }, binfmt.Sectors),
		binfmt.U32("state", 48, func(v *s) *BitmapState { return &v.State }),
		binfmt.U32("chunksize", 52, func(v *s) *uint32 { return &v.ChunkSize }),
		binfmt.U32("daemon_sleep", 56, func(v *s) *uint32 { return &v.DaemonSleep }),
		binfmt.U32("write_behind", 60, func(v *s) *uint32 { return &v.WriteBehind }),
		binfmt.U32("sectors_reserved", 64, func(v *s) *uint32 { return &v.SectorsReserved }, binfmt.Sectors),
		binfmt.U32("nodes", 68, func(v *s) *uint32 { return &v.Nodes }),
		binfmt.Raw("cluster_name", 72, 64, func(v *s) []byte { return v.ClusterName[:] }, binfmt.Text),
		binfmt.Raw("pad", 136, 120, func(v *s) []byte { return v.Pad[:] }),
	)
})

// ParseBitmap reads a bitmap superblock from the first 256 bytes of b.
//
// Without one it returns nil and an error of class binfmt.ErrTruncated or
// binfmt.ErrMagic. If it finds a superblock that the kernel would not use, it
// returns both: the superblock to look at, and the reason, of class
//   - binfmt.ErrUnsupported for another version,
//   - binfmt.ErrCorrupt for a chunk size that is not a power of two from 512
//     bytes up, and for more nodes than a cluster has.
//
// SyncSize and SectorsReserved are not checked here, because the kernel does not
// use them: it takes the array's own size. CheckDevice has rules about them, and
// reading the bits fails if they do not fit on the device.
func ParseBitmap(b []byte) (*Bitmap, error) {
	l := BitmapLayout()
	v := &Bitmap{order: binary.LittleEndian}
	if err := l.Decode(v, b, binary.LittleEndian); err != nil {
		return nil, err
	}
	if v.Magic != BitmapMagic {
		return nil, l.Errorf(binfmt.ErrMagic, v, "magic", "%#x", uint32(BitmapMagic))
	}
	if v.Version < BitmapHostEndian || v.Version > BitmapLockless {
		return v, l.Errorf(binfmt.ErrUnsupported, v, "version", "3 to 6")
	}
	if v.Version == BitmapLockless && v.State&BitmapFirstUse != 0 {
		return v, nil // the kernel chooses the chunk size
	}
	if c := v.ChunkSectors(); c == 0 || c&(c-1) != 0 {
		return v, l.Errorf(binfmt.ErrCorrupt, v, "chunksize", "a power of two from 512 bytes up")
	}
	if v.Version == BitmapClustered && v.Nodes > bitmapMaxNodes {
		return v, l.Errorf(binfmt.ErrCorrupt, v, "nodes", "at most %d", bitmapMaxNodes)
	}
	return v, nil
}

// bitmapMaxNodes is more than any cluster has nodes; a larger number is damage,
// and would be a long loop.
const bitmapMaxNodes = 1024

// AppendTo appends the 256 bytes of the superblock.
func (v *Bitmap) AppendTo(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, BitmapSuperSize)...)
	BitmapLayout().Encode(v, b[at:], binary.LittleEndian)
	return b
}

// ChunkSectors is how many sectors a bit (in version 6, a byte) stands for; 0 if
// the field is less than one sector, or not a whole number of sectors.
func (v *Bitmap) ChunkSectors() uint64 {
	if v.Version == BitmapLockless {
		return uint64(v.ChunkSize)
	}
	if v.ChunkSize%SectorSize != 0 {
		return 0
	}
	return uint64(v.ChunkSize) / SectorSize
}

// Chunks is how many bits (in version 6, bytes) the bitmap has: SyncSize
// divided by the chunk, rounded up. A lockless bitmap that is yet to be set up
// has none: the kernel uses neither its chunk size nor the bytes that follow
// (md-llbitmap.c, llbitmap_read_sb).
func (v *Bitmap) Chunks() uint64 {
	c := v.ChunkSectors()
	if c == 0 || v.Version == BitmapLockless && v.State&BitmapFirstUse != 0 {
		return 0
	}
	n := v.SyncSize / c
	if v.SyncSize%c != 0 {
		n++
	}
	return n
}

// DataOffset is where the bits begin, in bytes from the superblock's start.
func (v *Bitmap) DataOffset() int64 {
	if v.Version == BitmapLockless {
		return llbitmapDataOffset
	}
	return BitmapSuperSize
}

// bitmapMaxLen bounds lengths, so that their sums do not overflow: no device is
// that large.
const bitmapMaxLen = 1 << 62

// Len is the length in bytes of the superblock and its bits, or of one copy if
// there are several.
func (v *Bitmap) Len() uint64 {
	n := v.Chunks()
	if v.Version != BitmapLockless {
		n = n/8 + min(n%8, 1)
	}
	return uint64(v.DataOffset()) + min(n, bitmapMaxLen)
}

// CopyLen is Len rounded up to 4096: how far apart the copies of a clustered
// bitmap are (md-bitmap.c, md_bitmap_read_sb).
func (v *Bitmap) CopyLen() uint64 { return (v.Len() + 4095) &^ 4095 }

// Copies is how many copies there are: Nodes for a clustered bitmap, else 1. A
// number that ParseBitmap refuses is reduced to the largest that it accepts.
func (v *Bitmap) Copies() int {
	if v.Version == BitmapClustered && v.Nodes > 0 {
		return int(min(v.Nodes, bitmapMaxNodes))
	}
	return 1
}

// Cluster is ClusterName up to the first NUL.
func (v *Bitmap) Cluster() string { return binfmt.CString(v.ClusterName[:]) }
