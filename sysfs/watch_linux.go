package sysfs

import (
	"context"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Watcher waits for the kernel to announce changes of one attribute. The kernel
// announces them by the poll(2) events POLLPRI and POLLERR (fs/kernfs/file.c
// kernfs_generic_poll, drivers/md/md.c mdstat_poll); plain files announce
// nothing. A Watcher is for one goroutine.
type Watcher struct {
	f     *os.File
	path  string
	toEnd bool
}

// Watch opens the sysfs attribute at path and returns the watcher along with
// the current text. Changes after that read wake [Watcher.Wait].
func Watch(path string) (*Watcher, string, error) { return watch(path, false) }

// WatchProc is [Watch] for a file of /proc, such as /proc/mdstat.
func WatchProc(path string) (*Watcher, string, error) { return watch(path, true) }

func watch(path string, toEnd bool) (*Watcher, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", &Error{Op: "watch", Path: path, Err: err}
	}
	w := &Watcher{f: f, path: path, toEnd: toEnd}
	text, err := w.read()
	if err != nil {
		f.Close()
		return nil, "", err
	}
	return w, text, nil
}

// Wait blocks until the kernel announces a change and returns the new text, or
// until ctx ends and returns its error. The text can equal the previous one: an
// attribute may change and change back.
func (w *Watcher) Wait(ctx context.Context) (string, error) {
	if err := WaitAny(ctx, w); err != nil {
		return "", err
	}
	return w.read()
}

// WaitAny blocks until the kernel announces a change of one of the attributes,
// or until ctx ends and returns its error. It reads nothing: a watcher that is
// not read before the next call may miss a further change.
func WaitAny(ctx context.Context, watchers ...*Watcher) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return &Error{Op: "watch", Path: pathOf(watchers), Err: err}
	}
	defer unix.Close(wake)
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		// This can fail only if the counter is full, and then it is readable
		// anyway.
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	err = poll([]unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}, watchers)
	if !stop() {
		<-fired // wake must stay open until the function has used it
	}
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	if err != nil {
		return &Error{Op: "watch", Path: pathOf(watchers), Err: err}
	}
	return nil
}

// pathOf names the first of the attributes, for errors.
func pathOf(watchers []*Watcher) string {
	if len(watchers) == 0 {
		return "nothing"
	}
	return watchers[0].path
}

// poll waits on fds and the watchers, whose descriptors stay open meanwhile.
func poll(fds []unix.PollFd, watchers []*Watcher) error {
	if len(watchers) > 0 {
		return watchers[0].control(func(fd int) error {
			return poll(append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLPRI | unix.POLLERR}), watchers[1:])
		})
	}
	for {
		_, err := unix.Poll(fds, -1)
		if err != unix.EINTR {
			return err
		}
	}
}

func (w *Watcher) read() (string, error) {
	var text string
	err := w.control(func(fd int) (err error) {
		text, err = readAll(func(p []byte, off int64) (int, error) { return unix.Pread(fd, p, off) }, w.toEnd)
		return err
	})
	if err != nil {
		return "", &Error{Op: "watch", Path: w.path, Err: err}
	}
	return strings.TrimSuffix(text, "\n"), nil
}

// control runs fn with the descriptor, which stays open meanwhile.
func (w *Watcher) control(fn func(fd int) error) error {
	rc, err := w.f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := rc.Control(func(fd uintptr) { ferr = fn(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

// Close releases the attribute.
func (w *Watcher) Close() error { return w.f.Close() }
