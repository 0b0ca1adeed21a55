package block

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// exclusiveOpenBit returns the open(2) flag that claims a block device. Without
// O_CREAT, O_EXCL means just that for block devices (block/fops.c,
// blkdev_open), and nothing for files, which are locked after opening.
func exclusiveOpenBit(special bool) (int, error) {
	if special {
		return unix.O_EXCL, nil
	}
	return 0, nil
}

// directOpenBit is the open(2) flag that bypasses the page cache.
const directOpenBit = unix.O_DIRECT

// directAlign is the unit of direct reads of a block device: its logical block
// size (block/fops.c, blkdev_dio_unaligned).
func directAlign(f *os.File) (int, error) {
	return unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
}

// lockFile takes the advisory lock of a regular file, without waiting.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w: another process holds its lock", ErrBusy)
	}
	return err
}

// fileSize asks by seeking, which Linux answers for block devices from the
// size of their inode (block/fops.c, blkdev_llseek).
func fileSize(f *os.File, _ bool) (int64, error) {
	return f.Seek(0, io.SeekEnd)
}

// punchHole frees a range and leaves zeroes. For block devices this is
// BLKDEV_ZERO_NOFALLBACK (block/fops.c, blkdev_fallocate): it must be aligned
// to the logical block size, and the device must be able to zero by itself.
// errors.ErrUnsupported tells the caller to write zeroes instead.
func punchHole(f *os.File, off, length int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, length)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}
