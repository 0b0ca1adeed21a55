package block

import (
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Size returns the size of a block device in bytes (BLKGETSIZE64).
func Size(f *os.File) (int64, error) {
	var n uint64
	if err := ioctl(f, "BLKGETSIZE64", unix.BLKGETSIZE64, unsafe.Pointer(&n)); err != nil {
		return 0, err
	}
	if n > math.MaxInt64 {
		return 0, &Error{Op: "BLKGETSIZE64", Device: f.Name(), Errno: unix.EOVERFLOW}
	}
	return int64(n), nil
}

// LogicalBlockSize returns the smallest unit of reading and writing, in bytes
// (BLKSSZGET).
func LogicalBlockSize(f *os.File) (int, error) { return getInt(f, "BLKSSZGET", unix.BLKSSZGET) }

// PhysicalBlockSize returns the smallest unit the device writes without
// reading first, in bytes (BLKPBSZGET).
func PhysicalBlockSize(f *os.File) (int, error) { return getInt(f, "BLKPBSZGET", unix.BLKPBSZGET) }

// MinimumIOSize returns the smallest unit that is written at full speed, in
// bytes; for a RAID5 the chunk (BLKIOMIN).
func MinimumIOSize(f *os.File) (int, error) { return getInt(f, "BLKIOMIN", unix.BLKIOMIN) }

// OptimalIOSize returns the best unit for streaming, in bytes; for a RAID5 the
// stripe. 0 means that the device does not say (BLKIOOPT).
func OptimalIOSize(f *os.File) (int, error) { return getInt(f, "BLKIOOPT", unix.BLKIOOPT) }

// AlignmentOffset returns the distance from the start of the device to a
// physical block, in bytes; -1 for stacked devices that are not aligned
// (BLKALIGNOFF).
func AlignmentOffset(f *os.File) (int, error) { return getInt(f, "BLKALIGNOFF", unix.BLKALIGNOFF) }

// ReadOnly reports whether the device refuses writes (BLKROGET).
func ReadOnly(f *os.File) (bool, error) {
	n, err := getInt(f, "BLKROGET", unix.BLKROGET)
	return n != 0, err
}

// Rotational reports whether seeking takes time (BLKROTATIONAL).
func Rotational(f *os.File) (bool, error) {
	var n uint16
	err := ioctl(f, "BLKROTATIONAL", unix.BLKROTATIONAL, unsafe.Pointer(&n))
	return n != 0, err
}

// DiscardZeroes reports whether discarded ranges read as zeroes
// (BLKDISCARDZEROES). Kernels since 4.12 answer false for every device.
func DiscardZeroes(f *os.File) (bool, error) {
	n, err := getInt(f, "BLKDISCARDZEROES", unix.BLKDISCARDZEROES)
	return n != 0, err
}

func getInt(f *os.File, op string, code uint) (int, error) {
	var n int32
	err := ioctl(f, op, code, unsafe.Pointer(&n))
	return int(n), err
}
