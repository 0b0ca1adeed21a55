package report

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// ErrNoBitmap marks a member without an internal bitmap.
var ErrNoBitmap = errors.New("no write-intent bitmap")

// NoBitmapError is the error of ExamineBitmap for a device that is neither a member nor
// a bitmap. It has what was read in place of a bitmap's superblock.
type NoBitmapError struct {
	Device  string
	Magic   uint32
	Version uint32
	Array   bool // the device is itself an md array, so its members were meant
	Table   bool // the device has a partition table
}

// Error returns a single line.
func (e *NoBitmapError) Error() string {
	switch {
	case e.Table:
		return "No bitmap possible with mbr metadata" // mdadm says mbr for all partition tables
	case e.Array:
		return fmt.Sprintf("%s is an md array: its bitmap is on its members", e.Device)
	}
	return fmt.Sprintf("No bitmap and no md superblock detected on %s.", e.Device)
}

// BitmapReport is a report of a write-intent bitmap.
type BitmapReport struct {
	Bitmap *md.Bitmap // the superblock of the first copy
	UUID   md.UUID    // the array's uuid, as mdadm prints it
	Copies []BitmapCopy
}

// BitmapCopy is one copy of a bitmap; a clustered bitmap has one for each node.
type BitmapCopy struct {
	Bitmap *md.Bitmap // nil if it could not be read
	Count  md.BitmapCount
	// Err says why the superblock is unusable, or the count incomplete.
	Err error
}

// ExamineBitmap reads the bitmap on d: the internal bitmap of a member or, if there is
// no md superblock, a bitmap at the start of the device or file. It fails with
// ErrNoBitmap for a member without one, and with a *NoBitmapError for a device that is
// neither.
func ExamineBitmap(d block.Device, want ...md.Version) (*BitmapReport, error) {
	m, err := md.ReadMember(d, want...)
	if errors.Is(err, md.ErrNoSuper) {
		return bitmapFile(d)
	}
	if err != nil {
		return nil, err
	}
	x := &Examined{Member: m}
	x.readBitmap(d)
	switch {
	case x.BitmapLost != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoBitmap, x.BitmapLost)
	case x.Bitmap == nil:
		return nil, ErrNoBitmap
	}
	r := &BitmapReport{Bitmap: x.Bitmap, UUID: m.UUID()}
	for node := range min(x.Bitmap.Copies(), maxNodes) {
		r.Copies = append(r.Copies, readCopy(d, m, x.Bitmap, node))
	}
	return r, nil
}

func openBitmap(name string) (*BitmapReport, error) {
	d, err := block.OpenFile(name, block.Direct)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return ExamineBitmap(d)
}

// maxNodes is more nodes than any cluster has: a larger number must be damage.
const maxNodes = 256

func readCopy(d block.Device, m *md.Member, first *md.Bitmap, node int) BitmapCopy {
	var c BitmapCopy
	if node == 0 {
		c.Bitmap = first
	} else if c.Bitmap, c.Err = m.ReadBitmapNode(d, first, node); c.Bitmap == nil {
		return c
	}
	c.count(d)
	return c
}

func (c *BitmapCopy) count(d block.Device) {
	var err error
	c.Count, err = c.Bitmap.Count(d)
	if c.Err == nil {
		c.Err = err
	}
}

// bitmapFile reads a bitmap at the start of d, as in the bitmap files of the past.
func bitmapFile(d block.Device) (*BitmapReport, error) {
	none := &NoBitmapError{Device: block.Name(d), Array: IsArray(block.Name(d))}
	head := make([]byte, md.BitmapSuperSize)
	if err := block.ReadFull(d, head, 0); err != nil {
		return nil, none
	}
	b, err := md.ParseBitmap(head)
	if b == nil {
		_, tableErr := node.Partitioned(d)
		none.Table = tableErr == nil
		none.Magic, none.Version = binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
		return nil, none
	}
	c := BitmapCopy{Bitmap: b, Err: err}
	c.count(d)
	return &BitmapReport{Bitmap: b, UUID: b.UUID, Copies: []BitmapCopy{c}}, nil
}

// IsArray reports whether path is the node of an md array.
func IsArray(path string) bool {
	_, err := live.ArrayAt(sysfs.Host, path)
	return err == nil
}

// IsIdleArray reports whether path is the node of an md array that is not running and
// has no external metadata: its size is 0, so there is nothing to look for (util.c,
// must_be_container).
func IsIdleArray(path string) bool {
	a, err := live.ArrayAt(sysfs.Host, path)
	if err != nil {
		return false
	}
	m, err := a.Metadata()
	if err != nil || m.Kind == sysmd.MetadataExternal {
		return false
	}
	b, err := a.Block()
	if err != nil {
		return false
	}
	sectors, err := b.Sectors()
	return err == nil && sectors == 0
}
