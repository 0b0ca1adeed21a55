package block

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FileExtent is a run of a file's bytes that is contiguous on its device
// (struct fiemap_extent of <linux/fiemap.h>). All fields are in bytes.
type FileExtent struct {
	Logical  uint64 // where in the file
	Physical uint64 // where on the device
	Length   uint64
	Flags    uint32
}

// Flags of an extent (FIEMAP_EXTENT_*).
const (
	extentLast    = 0x1 // there are no more
	extentUnknown = 0x2 // its location is not known yet
	extentDelayed = 0x4 // it has no location yet
)

// Placed reports whether the extent has a location on the device yet.
func (e FileExtent) Placed() bool { return e.Flags&(extentUnknown|extentDelayed) == 0 }

// fiemapRequest is FS_IOC_FIEMAP, which has the same value everywhere, and
// fiemapSync FIEMAP_FLAG_SYNC.
const (
	fiemapRequest = 0xc020660b
	fiemapSync    = 0x1
)

// fiemap is struct fiemap with room for some extents.
type fiemap struct {
	start, length uint64
	flags         uint32
	mapped        uint32
	room          uint32
	_             uint32
	extents       [64]struct {
		logical, physical, length uint64
		_                         [2]uint64
		flags                     uint32
		_                         [3]uint32
	}
}

// FileExtents returns where the bytes of a file are, in the order of the file,
// after writing out pending data (FS_IOC_FIEMAP). File systems that cannot tell
// answer EOPNOTSUPP.
func FileExtents(f *os.File) ([]FileExtent, error) {
	var list []FileExtent
	var m fiemap
	for {
		m.length, m.flags, m.room, m.mapped = ^uint64(0), fiemapSync, uint32(len(m.extents)), 0
		if m.start > 0 {
			m.length -= m.start
		}
		if err := ioctl(f, "FS_IOC_FIEMAP", fiemapRequest, unsafe.Pointer(&m)); err != nil {
			return nil, err
		}
		if m.mapped > m.room {
			return nil, &Error{Op: "FS_IOC_FIEMAP", Device: f.Name(), Errno: unix.EPROTO}
		}
		if m.mapped == 0 {
			return list, nil
		}
		for _, e := range m.extents[:m.mapped] {
			list = append(list, FileExtent{e.logical, e.physical, e.length, e.flags})
			if e.flags&extentLast != 0 || e.logical+e.length <= m.start {
				return list, nil
			}
			m.start = e.logical + e.length
		}
	}
}
