package dlm

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/sysfs"
)

// Space is an open lockspace: the locks taken through it belong to it, and all that
// are not [Persistent] are gone when it is closed, or its process ends.
type Space struct {
	Name string

	f       *os.File
	answers *answers

	mu     sync.Mutex
	locks  map[uint64]*Lock // by cookie
	last   uint64           // cookie given out last
	ended  error            // why nothing is received any more
	closed bool
}

// Open opens a lockspace that this node has joined and that user space knows: one made
// by [Control.Create], here or in another program.
func Open(root sysfs.FS, name string) (*Space, error) {
	fail := func(class error, meaning string, err error) (*Space, error) {
		return nil, &Error{Op: "open lockspace", Space: name, Mode: ModeNone, Class: class, Meaning: meaning, Err: err}
	}
	if err := CheckLockspaceName(name); err != nil {
		return nil, err
	}
	minor, err := miscMinor(root, devicePrefix+name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(ErrNoLockspace, "no program has made one of that name on this node", nil)
	case err != nil:
		return fail(nil, "", err)
	}
	f, err := openMisc(devicePrefix+name, minor, unix.O_RDWR)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fail(ErrPermission, "", err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fail(ErrNoLockspace, "it was removed just now", err)
	case err != nil:
		return fail(nil, "", err)
	}
	s := &Space{Name: name, f: f, locks: map[uint64]*Lock{}}
	if s.answers, err = receiveAnswers(f, s.deliver, s.end); err != nil {
		return fail(nil, "", errors.Join(err, f.Close()))
	}
	return s, nil
}

// Close gives all locks up that are not [Persistent], and those that wait.
func (s *Space) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return &Error{Op: "close lockspace", Space: s.Name, Mode: ModeNone, Class: ErrClosed}
	}
	err := s.answers.close()
	s.end(ErrClosed)
	return errors.Join(err, s.f.Close())
}

func (s *Space) deliver(a *answer) {
	s.mu.Lock()
	l := s.locks[a.cookie]
	s.mu.Unlock()
	if l != nil { // else a blocking AST that has crossed with the lock's end
		l.take(a)
	}
}

// end tells everybody who waits that no answer will come.
func (s *Space) end(err error) {
	s.mu.Lock()
	if s.closed {
		err = ErrClosed
	}
	s.ended = err
	locks := slices.Collect(maps.Values(s.locks))
	s.mu.Unlock()
	for _, l := range locks {
		l.finish(&answer{status: 0}, err)
	}
}

// add registers a lock, so that its answers find it.
func (s *Space) add(l *Lock) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil || s.closed {
		return ErrClosed
	}
	s.last++
	l.cookie = s.last
	s.locks[l.cookie] = l
	return nil
}

func (s *Space) drop(l *Lock) {
	s.mu.Lock()
	_, had := s.locks[l.cookie]
	delete(s.locks, l.cookie)
	s.mu.Unlock()
	if had && l.listens() {
		s.answers.unneeded()
	}
}

// Purge drops orphaned locks, those [Persistent] ones whose descriptor is closed: on a
// node (0: this one) all that the thread pid has taken, or with pid 0 all. The kernel
// knows who has taken a lock by its thread, not its process (lkb_ownpid).
func (s *Space) Purge(ctx context.Context, node, pid uint32) error {
	err := await(ctx, "purge orphans of", s.Name, func() error {
		_, err := writeRequest(s.answers.raw, purgeRequest(node, pid))
		return err
	})
	if err == nil || errors.Is(err, ErrStillWaiting) {
		return err
	}
	e := &Error{Op: "purge orphans of", Space: s.Name, Mode: ModeNone, Err: err}
	var errno unix.Errno
	if errors.As(err, &errno) {
		e.Class = classOf(errno)
	}
	return e
}
