package dm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctlType is DM_IOCTL of dm-ioctl.h.
const ioctlType = 0xfd

// kernel is the Transport to /dev/mapper/control.
type kernel struct {
	f    *os.File
	path string
	open func() (*os.File, error)
}

func (k *kernel) Do(cmd Command, buf []byte) (int, error) {
	code := iocReadWrite<<dirShift | uintptr(headerSize)<<16 | ioctlType<<8 | uintptr(cmd)
	return ioctl(k.f, code, unsafe.Pointer(unsafe.SliceData(buf)))
}

// ioctl goes through SyscallConn so that a concurrent Close cannot hand the
// descriptor's number to another file meanwhile.
func ioctl(f *os.File, code uintptr, arg unsafe.Pointer) (int, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var res uintptr
	var no syscall.Errno
	err = rc.Control(func(fd uintptr) {
		res, _, no = unix.Syscall(unix.SYS_IOCTL, fd, code, uintptr(arg))
	})
	runtime.KeepAlive(f)
	switch {
	case err != nil:
		return 0, err
	case no != 0:
		return 0, no
	}
	return int(res), nil
}

// Poll leaves the waiting to the runtime's poller: no thread is blocked.
func (k *kernel) Poll(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rc, err := k.f.SyscallConn()
	if err != nil {
		return err
	}
	if err := k.f.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%s: %w: %w", k.path, ErrPoll, err)
	}
	stop := context.AfterFunc(ctx, func() { k.f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var failed error
	err = rc.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = err
			return true
		}
		return n > 0
	})
	switch {
	case failed != nil:
		return fmt.Errorf("wait for %s: %w", k.path, failed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("wait for %s: %w", k.path, err)
	}
	return nil
}

func (k *kernel) Another() (Transport, error) {
	f, err := k.open()
	if err != nil {
		return nil, err
	}
	return &kernel{f: f, path: k.path, open: k.open}, nil
}

func (k *kernel) Close() error { return k.f.Close() }
