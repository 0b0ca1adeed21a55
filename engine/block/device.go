// Package block is what everything in the engine stands on: a device is an
// interface, and files, partitions, RAM, overlays, fault injectors, assembled
// arrays and device-mapper targets are all devices, so they stack in the engine
// as they stack in the kernel.
//
// Offsets and sizes in this package are bytes. The package knows no format and
// no kernel interface beyond opening a file and asking for its size.
package block

import (
	"errors"
	"fmt"
	"io"
)

// SectorSize is the unit the kernel's block layer counts in, in bytes
// (include/linux/blk_types.h, SECTOR_SIZE). It is not the logical block size
// of a device.
const SectorSize = 512

// Device is a randomly addressable array of bytes with a fixed size.
//
// ReadAt and WriteAt follow io.ReaderAt and io.WriterAt, and may be called from
// many goroutines at once. A read or write that reaches past Size fails with
// ErrOutOfRange (a read that begins inside returns the bytes there are and
// io.EOF, as io.ReaderAt asks). Nothing is durable before Sync returns nil.
type Device interface {
	io.ReaderAt
	io.WriterAt

	// Size is the device's length in bytes. It does not change.
	Size() int64

	// Sync makes every write that returned before the call durable.
	Sync() error
}

// Discarder is implemented by devices that can drop the contents of a range.
// What a discarded range reads as afterwards is up to the device; every device
// of this package reads zeroes there.
type Discarder interface {
	// Discard drops length bytes from off.
	Discard(off, length int64) error
}

// Namer is implemented by devices that know the name people use for them.
type Namer interface {
	// Name is the path or other name to use in messages.
	Name() string
}

// Name returns the name of d for messages, and "device" if it has none.
func Name(d Device) string {
	if n, ok := d.(Namer); ok {
		return n.Name()
	}
	return "device"
}

// Classes of failure. Errors of this package match one of them with errors.Is.
var (
	// ErrOutOfRange marks an access outside [0, Size).
	ErrOutOfRange = errors.New("outside of the device")
	// ErrReadOnly marks a write to a device that was opened for reading.
	ErrReadOnly = errors.New("device is read-only")
	// ErrMedium marks a place that cannot be read or written, as EIO does.
	ErrMedium = errors.New("medium error")
	// ErrNotDevice marks a path that is neither a regular file nor a block device.
	ErrNotDevice = errors.New("not a regular file or block device")
	// ErrClosed marks use after Close, or after a power cut of a crash device.
	ErrClosed = errors.New("device is closed")
)

// Error says which operation failed on which device and where.
type Error struct {
	Op     string // "open", "read", "write", "sync", "discard", "close"
	Device string // path or name
	Off    int64  // bytes; -1 where an offset means nothing
	Len    int64  // bytes; 0 where a length means nothing
	Err    error  // never nil; matches one of the classes above or an errno
}

// Error returns one line: operation, device, place, reason.
func (e *Error) Error() string {
	if e.Off < 0 {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Device, e.Err)
	}
	return fmt.Sprintf("%s %s: %d bytes at offset %d: %v", e.Op, e.Device, e.Len, e.Off, e.Err)
}

// Unwrap returns the reason, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// CheckRange returns an *Error matching ErrOutOfRange unless [off, off+length)
// lies inside a device of the given size (all in bytes).
func CheckRange(op, name string, size, off, length int64) error {
	if off < 0 || length < 0 || off > size || length > size-off {
		return &Error{Op: op, Device: name, Off: off, Len: length, Err: ErrOutOfRange}
	}
	return nil
}

// ReadFull reads exactly len(p) bytes at off, or fails with an *Error that
// names the device and the place.
func ReadFull(d Device, p []byte, off int64) error {
	if err := CheckRange("read", Name(d), d.Size(), off, int64(len(p))); err != nil {
		return err
	}
	n, err := d.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Op: "read", Device: Name(d), Off: off, Len: int64(len(p)), Err: err}
}
