package dm

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StuckError is a command that the kernel has not ended in time. It matches [ErrStuck],
// and EINTR, which is what the kernel returns for a wait that is broken off.
type StuckError struct {
	After time.Duration
	Ended bool  // broken off; otherwise it still waits in the kernel, and may yet take effect
	Cause error // why the context ended; nil if the time was over
}

// Error returns a single line.
func (e *StuckError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%v %v: %v", ErrStuck, e.After, e.Cause)
	}
	return fmt.Sprintf("%v %v", ErrStuck, e.After)
}

// Unwrap returns the classes, and the context's error.
func (e *StuckError) Unwrap() []error {
	classes := []error{ErrStuck, unix.EINTR}
	if e.Cause != nil {
		classes = append(classes, e.Cause)
	}
	return classes
}

// Bounded returns a Control whose commands end after that time, or with ctx, with a
// [*StuckError], even if the kernel does not end them: each runs in a process of its own.
// It is for a single command or a few: it keeps ctx, shares the Transport of c, and must
// not be closed. With a Transport other than the kernel's, and without a limit, it is c
// itself.
//
// A process with a thread in an uninterruptible wait does not go when it exits, and
// whoever waits for it hangs too. What waits for I/O that a suspended device holds back
// can be interrupted in most cases (dm.c, dm_wait_for_completion), but not while a
// filesystem is frozen, or metadata is read or written.
func (c *Control) Bounded(ctx context.Context, limit time.Duration) *Control {
	k, ok := c.t.(*kernel)
	if !ok || limit <= 0 {
		return c
	}
	return NewControl(&bounded{kernel: k, ctx: ctx, limit: limit})
}

// bounded is a Transport that issues each command from a process of its own.
type bounded struct {
	*kernel
	ctx   context.Context //nolint:containedctx // Transport has none, and this one serves one command
	limit time.Duration
}

// grace is how long a process has to end once it is killed.
const grace = time.Second

// exchange begins the memory that is shared with that process; the request follows.
type exchange struct {
	done   atomic.Uint32
	result uintptr
	errno  uintptr
}

const exchangeSize = int(unsafe.Sizeof(exchange{}))

// Do copies the request to shared memory and waits for the process that sends it.
func (b *bounded) Do(cmd Command, buf []byte) (int, error) {
	memory, err := unix.Mmap(-1, 0, exchangeSize+len(buf), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		return 0, err
	}
	copy(memory[exchangeSize:], buf)
	x := (*exchange)(unsafe.Pointer(unsafe.SliceData(memory)))
	sender := &sender{f: b, code: iocReadWrite<<dirShift | uintptr(headerSize)<<16 | ioctlType<<8 | uintptr(cmd), x: x, started: make(chan error, 1), ended: make(chan struct{})}
	go sender.run()
	if err := <-sender.started; err != nil {
		return 0, err
	}
	began := time.Now()
	stuck := &StuckError{Ended: true}
	if !within(b.ctx, b.limit, sender.ended) {
		stuck.After, stuck.Cause = b.limit, context.Cause(b.ctx)
		if stuck.Cause != nil {
			stuck.After = time.Since(began).Round(time.Millisecond)
		}
		_ = unix.Kill(sender.pid, unix.SIGKILL)
		if !within(context.Background(), grace, sender.ended) {
			stuck.Ended = false
			return 0, stuck // the memory is still in use
		}
	}
	defer unix.Munmap(memory) //nolint:errcheck // it is mapped
	defer clear(memory)       // it may hold a key
	if x.done.Load() == 0 {
		return 0, stuck
	}
	copy(buf, memory[exchangeSize:])
	if x.errno != 0 {
		return 0, syscall.Errno(x.errno)
	}
	return int(x.result), nil
}

// within reports whether something ends in time, and before ctx does.
func within(ctx context.Context, limit time.Duration, ended <-chan struct{}) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-ended:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// sender runs the process that sends a command.
type sender struct {
	f       *bounded
	code    uintptr
	x       *exchange
	pid     int
	started chan error
	ended   chan struct{}
}

// run keeps its thread until the process has ended, which dies with this thread.
func (s *sender) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.ended)
	rc, err := s.f.f.SyscallConn()
	if err == nil {
		var no syscall.Errno
		err = rc.Control(func(fd uintptr) { s.pid, no = forked(fd, s.code, s.x) })
		if err == nil && no != 0 {
			err = no
		}
	}
	s.started <- err
	if err != nil {
		return
	}
	for {
		if _, err := unix.Wait4(s.pid, nil, 0, nil); err != unix.EINTR { //nolint:errorlint // a bare errno
			return
		}
	}
}

// forked starts a process that sends the command and ends. All signals are blocked in it,
// since the handlers of the runtime are of no use there.
func forked(fd, code uintptr, x *exchange) (int, syscall.Errno) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, unix.EINVAL
	}
	pid, no := forkAndSend(fd, code, x)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil && no == 0 {
		no = unix.EINVAL
	}
	return int(pid), no
}

// forkAndSend forks. The child has one thread and no scheduler: it may do nothing but raw
// system calls, and must not grow its stack. It closes what others may wait for the end
// of, such as pipes.
//
//go:norace
//go:nosplit
func forkAndSend(fd, code uintptr, x *exchange) (uintptr, syscall.Errno) {
	var pid uintptr
	var no syscall.Errno
	if runtime.GOARCH == "s390x" { // the stack comes before the flags there
		pid, _, no = syscall.RawSyscall6(unix.SYS_CLONE, 0, uintptr(unix.SIGCHLD), 0, 0, 0, 0)
	} else {
		pid, _, no = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	}
	if no != 0 || pid != 0 {
		return pid, no
	}
	syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	if fd > 0 {
		syscall.RawSyscall(unix.SYS_CLOSE_RANGE, 0, fd-1, 0)
	}
	syscall.RawSyscall(unix.SYS_CLOSE_RANGE, fd+1, 1<<32-1, 0)
	for i := uintptr(0); i < 3 && i < fd; i++ { // before Linux 5.9
		syscall.RawSyscall(unix.SYS_CLOSE, i, 0, 0)
	}
	r, _, no := syscall.RawSyscall(unix.SYS_IOCTL, fd, code, uintptr(unsafe.Pointer(x))+unsafe.Sizeof(*x))
	x.result, x.errno = r, uintptr(no)
	if no != 0 {
		x.result = 0
	}
	x.done.Store(1)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}
