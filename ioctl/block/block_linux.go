// Package block binds the ioctl(2) requests of Linux block devices
// (include/uapi/linux/fs.h BLK*, block/ioctl.c): sizes, limits, flags, discard
// and zeroing. Offsets and lengths are bytes.
package block

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Classes of failure. An [*Error] matches one of them under errors.Is, and the
// errno as well.
var (
	ErrBusy        = errors.New("busy")                         // EBUSY
	ErrNotBlock    = errors.New("not a block device")           // ENOTBLK, ENOTTY
	ErrNotExist    = errors.New("no such device")               // ENOENT, ENXIO, ENODEV
	ErrPermission  = errors.New("permission denied")            // EACCES, EPERM
	ErrInvalid     = errors.New("range or value not allowed")   // EINVAL
	ErrReadOnly    = errors.New("read-only")                    // EROFS
	ErrIO          = errors.New("i/o error")                    // EIO
	ErrUnsupported = errors.New("not supported by this device") // EOPNOTSUPP
)

// Error is a refused request. It prints as one line: the request, the device,
// what the errno means for this request, and the errno.
type Error struct {
	Op     string        // "open", or the kernel's name of the request, "BLKDISCARD"
	Device string        // path of the device
	Errno  syscall.Errno // what the kernel returned
}

// Error returns the one line.
func (e *Error) Error() string {
	name := unix.ErrnoName(e.Errno)
	if name == "" {
		name = fmt.Sprintf("errno %d", int(e.Errno))
	}
	return fmt.Sprintf("%s %s: %s (%s)", e.Op, e.Device, e.Meaning(), name)
}

type opErrno struct {
	op string // "" for every request
	no syscall.Errno
}

// meanings says why block/ioctl.c, block/bdev.c and block/fops.c refuse a
// request.
var meanings = map[opErrno]string{
	{"", unix.ENOTTY}:  "not a block device",
	{"", unix.ENOTBLK}: "not a block device",
	{"", unix.EACCES}:  "needs root, or the device opened for writing",
	{"", unix.EPERM}:   "not permitted",
	{"", unix.EBADF}:   "the device is not opened for writing",
	{"", unix.EROFS}:   "the device is read-only",

	{"open", unix.EBUSY}:     "in use: mounted, swapped to, or held by another device",
	{"open", unix.ENOENT}:    "no such device node",
	{"open", unix.ENXIO}:     "no device has this number",
	{"open", unix.ENODEV}:    "no device has this number",
	{"open", unix.ENOMEDIUM}: "no medium in the device",
	{"open", unix.EACCES}:    "permission denied",

	{"BLKRRPART", unix.EBUSY}:       "a partition is in use",
	{"BLKRRPART", unix.EINVAL}:      "the device cannot have partitions",
	{"BLKDISCARD", unix.EINVAL}:     "the range is not in whole logical blocks, or not inside the device",
	{"BLKDISCARD", unix.EOPNOTSUPP}: "the device does not discard",
	{"BLKDISCARD", unix.EBUSY}:      "the device is in use",
	{"BLKZEROOUT", unix.EINVAL}:     "the range is not in whole logical blocks, or not inside the device",
	{"BLKZEROOUT", unix.EBUSY}:      "the device is in use",
	{"BLKROSET", unix.EBUSY}:        "the device is in use",
}

// Meaning says what the errno means for this request.
func (e *Error) Meaning() string {
	if m, ok := meanings[opErrno{e.Op, e.Errno}]; ok {
		return m
	}
	if m, ok := meanings[opErrno{"", e.Errno}]; ok {
		return m
	}
	return e.Errno.Error()
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error { return e.Errno }

var classes = map[syscall.Errno]error{
	unix.EBUSY:      ErrBusy,
	unix.ENOTBLK:    ErrNotBlock,
	unix.ENOTTY:     ErrNotBlock,
	unix.ENOENT:     ErrNotExist,
	unix.ENXIO:      ErrNotExist,
	unix.ENODEV:     ErrNotExist,
	unix.EACCES:     ErrPermission,
	unix.EPERM:      ErrPermission,
	unix.EBADF:      ErrPermission,
	unix.EINVAL:     ErrInvalid,
	unix.EROFS:      ErrReadOnly,
	unix.EIO:        ErrIO,
	unix.EOPNOTSUPP: ErrUnsupported,
}

// Is matches the classes.
func (e *Error) Is(target error) bool {
	class, ok := classes[e.Errno]
	return ok && target == class
}

// Open opens a block device with the given open(2) flags, and refuses anything
// else with [ErrNotBlock].
func Open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	fi, err := f.Stat()
	if err == nil && !isBlock(fi) {
		err = unix.ENOTBLK
	}
	if err != nil {
		f.Close()
		return nil, openError(path, err)
	}
	return f, nil
}

// OpenExclusive opens a block device for reading or, if write is set, for
// reading and writing, and claims it: while it is open, nobody can mount it or
// make it a member. It fails with [ErrBusy] if somebody has already done so;
// package sysfs/block finds out who.
func OpenExclusive(path string, write bool) (*os.File, error) {
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	return Open(path, flags|unix.O_EXCL)
}

func openError(path string, err error) error {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return &Error{Op: "open", Device: path, Errno: no}
}

func isBlock(fi fs.FileInfo) bool {
	return fi.Mode()&(fs.ModeDevice|fs.ModeCharDevice) == fs.ModeDevice
}

// Number returns the device number of an open block device.
func Number(f *os.File) (major, minor uint32, err error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !isBlock(fi) {
		return 0, 0, &Error{Op: "stat", Device: f.Name(), Errno: unix.ENOTBLK}
	}
	dev := uint64(st.Rdev)
	return unix.Major(dev), unix.Minor(dev), nil
}

// ioctl issues one request with an argument in memory.
func ioctl(f *os.File, op string, code uint, arg unsafe.Pointer) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, f.Name(), err)
	}
	var no syscall.Errno
	err = rc.Control(func(fd uintptr) {
		_, _, no = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(code), uintptr(arg))
	})
	runtime.KeepAlive(f)
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, f.Name(), err)
	}
	if no != 0 {
		return &Error{Op: op, Device: f.Name(), Errno: no}
	}
	return nil
}
