//go:build !linux

package block

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// exclusiveOpenBit refuses: how to claim a device differs everywhere, and a
// claim that claims nothing would be a lie.
func exclusiveOpenBit(bool) (int, error) {
	return 0, fmt.Errorf("exclusive access: %w on this system", errors.ErrUnsupported)
}

// directOpenBit is nothing: there is no way past the cache by a flag.
const directOpenBit = 0

// directAlign keeps reads as they are.
func directAlign(*os.File) (int, error) { return 0, nil }

// lockFile is never reached, since exclusiveOpenBit refuses first.
func lockFile(*os.File) error { return errors.ErrUnsupported }

// fileSize asks by seeking. Systems that answer 0 for a block device (darwin)
// are refused, because an empty device is never what was meant.
func fileSize(f *os.File, special bool) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && special && size == 0 {
		return 0, fmt.Errorf("%w: this system does not tell the size of block devices", ErrNotDevice)
	}
	return size, err
}

// punchHole leaves the work to writing zeroes.
func punchHole(*os.File, int64, int64) error { return errors.ErrUnsupported }
