package mapper

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/sysfs"
)

// ReadAhead is a device's read-ahead. The zero value leaves it to the kernel.
type ReadAhead struct {
	Set     bool   // set the read-ahead
	Sectors uint32 // of 512 bytes; the kernel counts KiB, so odd numbers are rounded up
	AtLeast bool   // do not change it if it is already as large
}

// String returns auto, none, a number of sectors, or "+" and the minimum number.
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

// GetReadAhead returns a device's read-ahead in sectors of 512 bytes.
func GetReadAhead(fs sysfs.FS, num dm.Number) (uint32, error) {
	kib, err := bdi(fs, num).ReadUint(readAheadAttr)
	return uint32(2 * kib), err
}

// FindReadAhead is [GetReadAhead], except that if sysfs does not know the device, it
// asks the device's node, as libdevmapper does: a device is in sysfs only once it has a
// table. The error is then an [*os.PathError], with Op "open" or "BLKRAGET".
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

// SetReadAhead sets a device's read-ahead.
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
