package dlm

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answers receives what the kernel has to say on a lockspace's descriptor. A resource that
// this node masters is granted while its request is written, so that whoever has written
// it finds the answer at once; somebody waits for answers only as long as one is to come.
// Were the descriptor always waited for, each answer would wake a thread that finds nothing.
type answers struct {
	raw     syscall.RawConn
	deliver func(*answer)
	failed  func(error) // told once why nothing more is received

	reading sync.Mutex // held from the reading of an answer until it is delivered
	buf     []byte     // for one answer

	mu      sync.Mutex
	needs   int  // how many requests and locks wait for an answer
	waiting bool // somebody waits for answers
	closed  bool
	waiters sync.WaitGroup
	wake    int // an eventfd
}

// receiveAnswers prepares to receive. The descriptor does not block from then on.
func receiveAnswers(f *os.File, deliver func(*answer), failed func(error)) (*answers, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var nonblock error
	if err := raw.Control(func(fd uintptr) { nonblock = unix.SetNonblock(int(fd), true) }); err != nil || nonblock != nil {
		return nil, errors.Join(err, nonblock)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	return &answers{raw: raw, deliver: deliver, failed: failed, buf: make([]byte, fullAnswerSize), wake: wake}, nil
}

// needed makes sure that answers are waited for, until unneeded has been called as often.
func (a *answers) needed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.needs++
	if a.waiting || a.closed {
		return
	}
	a.waiting = true
	a.waiters.Go(a.wait)
}

func (a *answers) unneeded() {
	a.mu.Lock()
	a.needs--
	a.mu.Unlock()
}

// close ends the waiting. Nothing is received any more.
func (a *answers) close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	_, err := unix.Write(a.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	a.waiters.Wait()
	return errors.Join(err, unix.Close(a.wake))
}

// wait receives until no answer is needed.
func (a *answers) wait() {
	err := a.raw.Control(func(fd uintptr) {
		for a.more() {
			polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(a.wake), Events: unix.POLLIN}}
			if _, err := unix.Poll(polled, -1); err != nil && !errors.Is(err, unix.EINTR) {
				a.failed(err)
				return
			}
			if err := a.drain(fd, nil); err != nil {
				a.failed(err)
				return
			}
		}
	})
	if err != nil {
		a.failed(err)
	}
}

// more reports whether an answer is needed; if not, waiting has ended.
func (a *answers) more() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = a.needs > 0 && !a.closed
	return a.waiting
}

// take receives the answers that are there, or those until over is set.
func (a *answers) take(over *atomic.Bool) {
	var err error
	if cerr := a.raw.Control(func(fd uintptr) { err = a.drain(fd, over) }); cerr == nil && err != nil {
		a.failed(err)
	}
}

// drain receives until over is set, or no answer is left.
func (a *answers) drain(fd uintptr, over *atomic.Bool) error {
	for {
		if over != nil && over.Load() {
			return nil
		}
		switch err := a.next(fd); {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

// next reads an answer and delivers it. Answers are delivered in the kernel's order,
// whoever reads them. The descriptor does not block, so the scheduler need not hear of the
// call, which costs more than the call.
func (a *answers) next(fd uintptr) error {
	a.reading.Lock()
	defer a.reading.Unlock()
	n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&a.buf[0])), uintptr(len(a.buf)))
	if errno != 0 {
		return errno
	}
	one, err := parseAnswer(a.buf[:n])
	if err == nil {
		a.deliver(&one)
	}
	return err
}
