package fresh

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mdkit/mdkit/engine/md"
)

// Extent is a run of bytes at a place on a device.
type Extent struct {
	What string // what the bytes are, such as "superblock 1.2"
	Off  int64  // bytes from the start of the device
	Data []byte
}

// NewArray describes an array to be made. Every choice has been made; the
// defaults are in geometry.go or, where they depend on a set of devices, with
// the caller.
type NewArray struct {
	Version   md.Version
	Level     md.Level
	Layout    int32
	Chunk     uint32 // sectors; 0 if the level has none; for linear the rounding
	Size      uint64 // sectors in use on each member; 0 where members may differ
	RaidDisks int
	Name      string // set_name of 1.x in full, with the host's name
	UUID      md.UUID
	CTime     time.Time
	Minor     uint32 // of the md device; kept by 0.90
	Clean     bool   // nothing is to be resynced when it starts

	// The numbers of devices as mdadm counts them when it makes the array: 0.90
	// stores them all, 1.x sizes its table of roles by them.
	ActiveDisks, WorkingDisks, SpareDisks, FailedDisks int

	Bitmap      *NewBitmap // nil for none
	PPL         bool       // keep a partial parity log on each member
	NoBadBlocks bool       // keep no bad block log

	// RecordRAID0Layout records the layout of a raid0 whose members are equal, too. Linux
	// before 5.4 does not know the feature, and refuses such an array.
	RecordRAID0Layout bool
}

// NewBitmap describes the internal bitmap of a new array.
type NewBitmap struct {
	Chunk       uint64 // bytes that one bit stands for; 0 for the default
	SyncSize    uint64 // sectors it covers
	Delay       uint32 // seconds between updates
	WriteBehind uint32 // writes that may be outstanding
	Nodes       uint32 // copies, one for each node of a cluster; 0 if no cluster shares the array
	Cluster     string // the cluster's name, at most 63 bytes
}

// NewMember describes a device of an array to be made.
type NewMember struct {
	Sectors     uint64 // size of the device
	Bytes       uint64 // the same size in bytes
	Number      int    // its place in the order of devices
	RaidDisk    int    // its slot; from RaidDisks up for spares
	Journal     bool   // holds the write journal
	WriteMostly bool
	FailFast    bool
	DataOffset  uint64  // sectors, or DefaultDataOffset
	UUID        md.UUID // of the device; 1.x only
	JournalSeq  uint64  // first sequence number of the journal; a random number
	Major       uint32  // device number, which 0.90 stores
	Minor       uint32
}

// spare reports whether the member starts as a spare.
func (a *NewArray) spare(m NewMember) bool { return !m.Journal && m.RaidDisk >= a.RaidDisks }

// Format returns what has to be written to each member, in the order in which
// mdadm writes it. dataOffset is the array's, in sectors, for members with
// DefaultDataOffset. It fails if this version of superblock cannot describe the
// array, with ErrBitmapChunk, or with a *TooSmallError.
func (a *NewArray) Format(members []NewMember, dataOffset uint64) ([][]Extent, error) {
	if a.Version == md.V090 {
		return a.format0(members)
	}
	return a.format1(members, dataOffset)
}

// ErrTooManyDevices marks an array with more devices than its superblock has
// room for.
var ErrTooManyDevices = errors.New("too many devices requested")

// ErrSize marks a size that the superblock cannot hold.
var ErrSize = errors.New("size does not fit into the superblock")

// bitmapSuper makes the bitmap's superblock.
func (a *NewArray) bitmapSuper(uuid md.UUID, chunk uint64) *md.Bitmap {
	b := &md.Bitmap{
		Magic: md.BitmapMagic, Version: md.BitmapLittleEndian, UUID: uuid,
		SyncSize: a.Bitmap.SyncSize, ChunkSize: uint32(chunk),
		DaemonSleep: a.Bitmap.Delay, WriteBehind: a.Bitmap.WriteBehind,
	}
	if a.Bitmap.Nodes > 0 {
		b.Version, b.Nodes = md.BitmapClustered, a.Bitmap.Nodes
		copy(b.ClusterName[:], a.Bitmap.Cluster)
	}
	return b
}

// bitmapBytes is a bitmap of size bytes with every bit set.
func bitmapBytes(super *md.Bitmap, size uint64) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = 0xff
	}
	copy(b, super.AppendTo(nil))
	return b
}

// BitmapCopies is a bitmap for each node, one behind the other. Only the first has its
// bits set: the node that starts the array first is to resync it, and no other
// (super1.c, write_bitmap1).
func BitmapCopies(super *md.Bitmap) []byte {
	size := super.CopyLen()
	b := bitmapBytes(super, size)
	for range super.Copies() - 1 {
		b = append(super.AppendTo(b), make([]byte, size-md.BitmapSuperSize)...)
	}
	return b
}

// TooManyNodesError says that an array has no room for a bitmap for each node.
type TooManyNodesError struct {
	Most uint64 // nodes for which there is room
}

// Error returns the sentence.
func (e *TooManyNodesError) Error() string {
	return fmt.Sprintf("there is room for the bitmaps of %d nodes before the data", e.Most)
}

// split separates the first page of an area, which holds a header, from the
// rest, which is filled with one value.
func split(what string, off int64, data []byte) []Extent {
	const page = 4096
	list := []Extent{{What: what, Off: off, Data: data[:min(page, len(data))]}}
	if len(data) > page {
		list = append(list, Extent{What: what, Off: off + page, Data: data[page:]})
	}
	return list
}

// emptyPPL is an area for partial parity logs that holds no entries: an empty
// header, then zeroes (super1.c, write_init_ppl1).
func emptyPPL(uuid md.UUID) []byte {
	h := md.PPLHeader{Signature: md.PPLSignature(uuid)}
	for i := range h.Reserved {
		h.Reserved[i] = 0xff
	}
	b := h.AppendTo(make([]byte, 0, pplArea*md.SectorSize))
	return b[:pplArea*md.SectorSize]
}

// NewArrayName is the set_name of a new 1.x array: "host:name" if the host is
// known, the name has no host yet, and both fit (super1.c, init_super1).
func NewArrayName(host, name string) string {
	for i := range len(name) {
		if name[i] == ':' {
			host = ""
		}
	}
	if host != "" && len(host)+1+len(name) < 32 {
		return host + ":" + name
	}
	return name[:min(len(name), 31)]
}

// format0 lays out a 0.90 array.
func (a *NewArray) format0(members []NewMember) ([][]Extent, error) {
	switch spares := a.WorkingDisks - a.ActiveDisks; {
	case a.RaidDisks+spares > md.Super0Disks:
		return nil, fmt.Errorf("%w: %d+%d > %d", ErrTooManyDevices, a.RaidDisks, spares, md.Super0Disks)
	case a.Size/2 > math.MaxUint32:
		return nil, ErrSize
	}
	s := &md.Super0{
		Order: binary.NativeEndian, MDMagic: md.SuperMagic, MinorVersion: 90,
		CTime: uint32(a.CTime.Unix()), UTime: uint32(a.CTime.Unix()),
		Level: a.Level, Layout: a.Layout, ChunkSize: a.Chunk * md.SectorSize,
		Size: uint32(a.Size / 2), RaidDisks: uint32(a.RaidDisks), MDMinor: a.Minor,
		NrDisks:     uint32(a.WorkingDisks + a.FailedDisks),
		ActiveDisks: uint32(a.ActiveDisks), WorkingDisks: uint32(a.WorkingDisks),
		FailedDisks: uint32(a.FailedDisks), SpareDisks: uint32(a.SpareDisks),
		Events: 1,
	}
	s.SetUUID(a.UUID)
	if a.Clean {
		s.State |= md.Super0Clean
	}
	var bitmap []byte
	if a.Bitmap != nil {
		_, chunk, err := bitmapGeometry(md.V090, a.Size, a.Bitmap.SyncSize, a.Bitmap.Chunk)
		if err != nil {
			return nil, err
		}
		s.State |= md.Super0BitmapPresent
		bitmap = bitmapBytes(a.bitmapSuper(a.UUID.Native(binary.NativeEndian), chunk), md.Super0Reserved-md.Super0Size)
	}
	for _, m := range members {
		d := md.Disk0{Number: uint32(m.Number), Major: m.Major, Minor: m.Minor, RaidDisk: uint32(m.RaidDisk)}
		if !a.spare(m) {
			d.State = md.DiskActive | md.DiskSync
		}
		s.Disks[m.Number] = d
	}
	images := make([][]Extent, len(members))
	for i, m := range members {
		off, ok := md.V090.SuperOffset(int64(m.Bytes))
		if !ok {
			return nil, &TooSmallError{Version: md.V090, Sectors: m.Sectors, Need: md.Super0Reserved / md.SectorSize}
		}
		s.ThisDisk = s.Disks[m.Number]
		images[i] = append(images[i], Extent{What: "superblock 0.90", Off: off, Data: s.AppendTo(nil)})
		if bitmap != nil {
			images[i] = append(images[i], split("bitmap", off+md.Super0Size, bitmap)...)
		}
	}
	return images, nil
}

// HomeHostUUID puts the host into the uuid of a new 0.90 array, because the
// format has no name: the second half becomes the beginning of the SHA-1 of the
// host's name (super0.c, init_super0).
func HomeHostUUID(u md.UUID, host string) md.UUID {
	hash := sha1.Sum([]byte(host))
	for i := range 2 {
		binary.BigEndian.PutUint32(u[8+4*i:], binary.NativeEndian.Uint32(hash[4*i:]))
	}
	return u
}

// SyncSize is how many sectors the bitmap of the array has to cover: the part of
// each member that is in use or, for raid10, whose bitmap counts array sectors,
// the size of the array.
func (a *NewArray) SyncSize() uint64 {
	if a.Level != md.LevelRAID10 {
		return a.Size
	}
	copies := md.ParseRAID10Layout(a.Layout).Copies()
	return a.Size / 2 * uint64(a.RaidDisks) / uint64(max(copies, 1)) * 2
}
