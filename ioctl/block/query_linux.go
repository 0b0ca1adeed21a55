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

// MinimumIOSize returns the smallest unit of writing without loss of speed, in
// bytes; the chunk of a RAID5 (BLKIOMIN).
func MinimumIOSize(f *os.File) (int, error) { return getInt(f, "BLKIOMIN", unix.BLKIOMIN) }

// OptimalIOSize returns the unit that streams best, in bytes; the stripe of a
// RAID5. 0 means that the device does not say (BLKIOOPT).
func OptimalIOSize(f *os.File) (int, error) { return getInt(f, "BLKIOOPT", unix.BLKIOOPT) }

// AlignmentOffset returns how far the start of the device is from a physical
// block, in bytes; -1 for a stack of devices that do not line up (BLKALIGNOFF).
func AlignmentOffset(f *os.File) (int, error) { return getInt(f, "BLKALIGNOFF", unix.BLKALIGNOFF) }

// ReadOnly says whether the device refuses writes (BLKROGET).
func ReadOnly(f *os.File) (bool, error) {
	n, err := getInt(f, "BLKROGET", unix.BLKROGET)
	return n != 0, err
}

// Rotational says whether seeking costs time (BLKROTATIONAL).
func Rotational(f *os.File) (bool, error) {
	var n uint16
	err := ioctl(f, "BLKROTATIONAL", unix.BLKROTATIONAL, unsafe.Pointer(&n))
	return n != 0, err
}

// DiscardZeroes says whether discarded ranges read as zeroes
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
