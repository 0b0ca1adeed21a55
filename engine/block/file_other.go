//go:build !linux

package block

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// exclusiveOpenBit refuses: every system claims devices differently, and a
// claim that has no effect would be a lie.
func exclusiveOpenBit(bool) (int, error) {
	return 0, fmt.Errorf("exclusive access: %w on this system", errors.ErrUnsupported)
}

// directOpenBit is zero: no flag bypasses the cache here.
const directOpenBit = 0

// directAlign leaves reads as they are.
func directAlign(*os.File) (int, error) { return 0, nil }

// lockFile is never reached, since exclusiveOpenBit refuses first.
func lockFile(*os.File) error { return errors.ErrUnsupported }

// fileSize asks by seeking. A block device whose size reads as 0 (darwin) is
// refused, because an empty device is never what was meant.
func fileSize(f *os.File, special bool) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && special && size == 0 {
		return 0, fmt.Errorf("%w: this system does not tell the size of block devices", ErrNotDevice)
	}
	return size, err
}

// punchHole leaves it to the caller to write zeroes.
func punchHole(*os.File, int64, int64) error { return errors.ErrUnsupported }
