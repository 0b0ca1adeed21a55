package md

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Device is an open md device node. It must be closed; while it is open its
// array is in use and cannot be stopped through another Device. Methods may be
// called from several goroutines.
type Device struct {
	f     *os.File
	name  string
	gone  atomic.Bool // the array was stopped through this Device
	ioctl func(f *os.File, code uintptr, arg unsafe.Pointer, val uintptr) error
}

// goingAway is how long Open waits for the remains of a stopped array.
const goingAway = time.Second

// Open opens an md device node, such as /dev/md0, with the given open(2) flags
// (os.O_RDONLY or os.O_RDWR, and unix.O_EXCL to claim it). Opening the node of
// a minor number that is not in use creates an empty array there, if the module
// parameter create_on_open allows that. No ioctl needs O_RDWR. Open waits up to
// a second for the remains of an array that was just stopped.
//
// The error is an [*Error] that matches [ErrNotExist], [ErrBusy] (with O_EXCL,
// if somebody else holds it), [ErrPermission], or [ErrNotArray] for a node that
// is not a block device.
func Open(path string, flags int) (*Device, error) {
	f, err := os.OpenFile(path, flags, 0)
	// The device of a stopped array goes away by itself some time after its
	// last close, and cannot be opened until then (md.c md_open).
	for deadline := time.Now().Add(goingAway); errors.Is(err, unix.ENODEV) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		f, err = os.OpenFile(path, flags, 0)
	}
	if err != nil {
		return nil, openError(path, err)
	}
	fi, err := f.Stat()
	if err == nil && fi.Mode()&(fs.ModeDevice|fs.ModeCharDevice) != fs.ModeDevice {
		err = unix.ENOTBLK
	}
	if err != nil {
		f.Close()
		return nil, openError(path, err)
	}
	return &Device{f: f, name: path, ioctl: sysIoctl}, nil
}

// OpenNumber opens the device with that number through a temporary node, which
// is removed at once, so it works even if /dev has no node yet. Number and
// flags are as for [Open]. It needs CAP_MKNOD.
func OpenNumber(major, minor uint32, flags int) (*Device, error) {
	name := fmt.Sprintf("%d:%d", major, minor)
	var first error
	for _, parent := range []string{"/dev", os.TempDir()} {
		d, err := openTemporary(parent, unix.Mkdev(major, minor), flags)
		if err == nil {
			d.name = name
			return d, nil
		}
		if first == nil {
			first = err
		}
		// Another folder helps only if this one refuses nodes because it is
		// read-only or mounted nodev.
		if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EROFS) {
			break
		}
	}
	return nil, openError(name, first)
}

func openTemporary(parent string, dev uint64, flags int) (*Device, error) {
	dir, err := os.MkdirTemp(parent, ".mdkit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	node := filepath.Join(dir, "node")
	if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(dev)); err != nil {
		return nil, err
	}
	return Open(node, flags)
}

// Name returns the path the device was opened by, or its major:minor.
func (d *Device) Name() string { return d.name }

// File returns the open node, for requests from other packages. It is closed
// with the Device.
func (d *Device) File() *os.File { return d.f }

// Close releases the node. The array stays as it is.
func (d *Device) Close() error { return d.f.Close() }

// call issues a request whose argument is memory, or nothing.
func (d *Device) call(r request, arg unsafe.Pointer, about string) error {
	return d.result(r, d.ioctl(d.f, r.code(), arg, 0), about)
}

// callValue issues a request whose argument is a number.
func (d *Device) callValue(r request, val uintptr, about string) error {
	return d.result(r, d.ioctl(d.f, r.code(), nil, val), about)
}

func (d *Device) result(r request, err error, about string) error {
	if err == nil {
		return nil
	}
	var no syscall.Errno
	if !errors.As(err, &no) {
		return fmt.Errorf("%s %s: %w", r.name, d.name, err)
	}
	return &Error{Op: r.name, Device: d.name, Subject: about, Errno: no}
}

// sysIoctl is the real ioctl(2). It goes through SyscallConn so that a
// concurrent Close cannot hand the descriptor number to another file meanwhile.
func sysIoctl(f *os.File, code uintptr, arg unsafe.Pointer, val uintptr) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var no syscall.Errno
	err = rc.Control(func(fd uintptr) {
		if arg != nil {
			_, _, no = unix.Syscall(unix.SYS_IOCTL, fd, code, uintptr(arg))
		} else {
			_, _, no = unix.Syscall(unix.SYS_IOCTL, fd, code, val)
		}
	})
	runtime.KeepAlive(f)
	if err != nil {
		return err
	}
	if no != 0 {
		return no
	}
	return nil
}
