package mapper

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/sysfs"
)

// ReadAhead is how much a device is to be read ahead. The zero value leaves it
// to the kernel.
type ReadAhead struct {
	Set     bool   // there is something to be set
	Sectors uint32 // of 512 bytes; the kernel keeps KiB, and odd counts are rounded up
	AtLeast bool   // leave it alone where it is as much already
}

// String is auto, none, a number of sectors, or "+" and the number that it is to
// be at least.
func (r ReadAhead) String() string {
	switch {
	case !r.Set:
		return "auto"
	case r.AtLeast:
		return "+" + strconv.FormatUint(uint64(r.Sectors), 10)
	case r.Sectors == 0:
		return "none"
	}
	return strconv.FormatUint(uint64(r.Sectors), 10)
}

const readAheadAttr = "read_ahead_kb"

func bdi(fs sysfs.FS, num dm.Number) sysfs.Dir {
	return sysfs.Dir(fs.Sys("dev", "block", num.String(), "bdi"))
}

// GetReadAhead tells how many sectors of 512 bytes a device is read ahead.
func GetReadAhead(fs sysfs.FS, num dm.Number) (uint32, error) {
	kib, err := bdi(fs, num).ReadUint(readAheadAttr)
	return uint32(2 * kib), err
}

// FindReadAhead is [GetReadAhead], and asks the device's node, as libdevmapper
// does, where sysfs does not know: it has a device from its first table on. The
// error is an [*os.PathError] then, of which Op is "open" or "BLKRAGET".
func FindReadAhead(fs sysfs.FS, num dm.Number, nodes Nodes, name string) (uint32, error) {
	if sectors, err := GetReadAhead(fs, num); err == nil {
		return sectors, nil
	}
	path := nodes.Path(name)
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sectors, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKRAGET)
	if err != nil {
		return 0, &os.PathError{Op: "BLKRAGET", Path: path, Err: err}
	}
	return uint32(sectors), nil
}

// SetReadAhead sets how much a device is read ahead.
func SetReadAhead(fs sysfs.FS, num dm.Number, r ReadAhead) error {
	if !r.Set {
		return nil
	}
	if r.AtLeast {
		if now, err := GetReadAhead(fs, num); err != nil || now >= r.Sectors {
			return err
		}
	}
	kib := (uint64(r.Sectors) + 1) / 2
	return bdi(fs, num).Write(readAheadAttr, strconv.FormatUint(kib, 10))
}
