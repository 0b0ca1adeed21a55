package block

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetReadOnly makes the device refuse writes, or accept them again (BLKROSET).
// It needs CAP_SYS_ADMIN.
func SetReadOnly(f *os.File, readOnly bool) error {
	var n int32
	if readOnly {
		n = 1
	}
	return ioctl(f, "BLKROSET", unix.BLKROSET, unsafe.Pointer(&n))
}

// FlushBuffers writes out the device's cached blocks and drops them
// (BLKFLSBUF). It needs CAP_SYS_ADMIN.
func FlushBuffers(f *os.File) error { return ioctl(f, "BLKFLSBUF", unix.BLKFLSBUF, nil) }

// RereadPartitions makes the kernel read the partition table again (BLKRRPART).
// It fails with [ErrBusy] while a partition is in use.
func RereadPartitions(f *os.File) error { return ioctl(f, "BLKRRPART", unix.BLKRRPART, nil) }

// ForgetPartition makes the kernel forget the partition with that number; the
// table on the device stays as it is (BLKPG, BLKPG_DEL_PARTITION). It fails
// with [ErrNotExist] if there is no such partition, and with [ErrBusy] while it
// is in use.
func ForgetPartition(f *os.File, number int) error {
	p := unix.BlkpgPartition{Pno: int32(number)}
	arg := unix.BlkpgIoctlArg{
		Op: unix.BLKPG_DEL_PARTITION, Datalen: int32(unsafe.Sizeof(p)), Data: (*byte)(unsafe.Pointer(&p)),
	}
	return ioctl(f, "BLKPG", unix.BLKPG, unsafe.Pointer(&arg))
}

// Discard tells the device that a range of bytes is no longer needed; what it
// reads as afterwards is undefined (BLKDISCARD). The range must be a whole
// number of logical blocks, and f open for writing.
func Discard(f *os.File, off, length int64) error {
	return blockRange(f, "BLKDISCARD", unix.BLKDISCARD, off, length)
}

// ZeroOut makes a range of bytes read as zeroes, by the fastest means there is
// (BLKZEROOUT). The range must be a whole number of logical blocks, and f open
// for writing.
func ZeroOut(f *os.File, off, length int64) error {
	return blockRange(f, "BLKZEROOUT", unix.BLKZEROOUT, off, length)
}

func blockRange(f *os.File, op string, code uint, off, length int64) error {
	if off < 0 || length < 0 {
		return &Error{Op: op, Device: f.Name(), Errno: unix.EINVAL}
	}
	r := [2]uint64{uint64(off), uint64(length)}
	return ioctl(f, op, code, unsafe.Pointer(&r))
}
