package array

import (
	"errors"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// ErrNoBitmap marks a member that has no internal bitmap.
var ErrNoBitmap = errors.New("no write-intent bitmap")

// BitmapReport is a write-intent bitmap as it is reported.
type BitmapReport struct {
	Bitmap *md.Bitmap // the first copy's superblock
	UUID   md.UUID    // the array's, as mdadm prints it
	Copies []BitmapCopy
}

// BitmapCopy is one copy of a bitmap; a clustered one has one for each node.
type BitmapCopy struct {
	Bitmap *md.Bitmap // nil if it could not be read
	Count  md.BitmapCount
	// Err is why the superblock is of no use, or the count is not complete.
	Err error
}

// ExamineBitmap reads the bitmap that d holds: the internal bitmap of a member,
// or, where there is no md superblock, a bitmap that begins at the start of
// the device or file. It fails with ErrNoBitmap for a member without one, and
// with md.ErrNoSuper for a device that is neither.
func ExamineBitmap(d block.Device, want ...md.Version) (*BitmapReport, error) {
	m, err := md.ReadMember(d, want...)
	if errors.Is(err, md.ErrNoSuper) {
		if file := bitmapFile(d); file != nil {
			return file, nil
		}
	}
	if err != nil {
		return nil, err
	}
	x := &Examined{Member: m}
	x.readBitmap(d)
	switch {
	case x.BitmapLost == nil && x.Bitmap == nil:
		return nil, ErrNoBitmap
	case x.Bitmap == nil:
		return nil, x.BitmapLost
	}
	r := &BitmapReport{Bitmap: x.Bitmap, UUID: m.UUID()}
	for node := range min(x.Bitmap.Copies(), maxNodes) {
		r.Copies = append(r.Copies, readCopy(d, m, x.Bitmap, node))
	}
	return r, nil
}

// maxNodes is more nodes than any cluster has: a larger number is damage.
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

// bitmapFile reads a bitmap at the start of d, as mdadm once kept them in
// files.
func bitmapFile(d block.Device) *BitmapReport {
	head := make([]byte, md.BitmapSuperSize)
	if block.ReadFull(d, head, 0) != nil {
		return nil
	}
	b, err := md.ParseBitmap(head)
	if b == nil {
		return nil
	}
	c := BitmapCopy{Bitmap: b, Err: err}
	c.count(d)
	return &BitmapReport{Bitmap: b, UUID: b.UUID, Copies: []BitmapCopy{c}}
}
