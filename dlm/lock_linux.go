package dlm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What is done to locks, as errors name it.
const (
	locking    = "lock"
	adopting   = "adopt"
	converting = "convert"
	unlocking  = "unlock"
)

// Lock is one lock on one resource. Its methods can be called from several goroutines;
// one request at a time is with the kernel, a second is [ErrBusy].
type Lock struct {
	Resource string

	space    *Space
	cookie   uint64
	blocking func(Mode)

	mu      sync.Mutex
	id      uint32
	mode    Mode
	flags   StatusFlags
	value   [ValueSize]byte
	pending *pending
}

// pending is a request that the kernel has, or is about to have.
type pending struct {
	op    string
	mode  Mode
	value *[ValueSize]byte // what is written if the grant writes; nil if it takes no part
	over  atomic.Bool
	err   error // valid once it is over

	mu    sync.Mutex
	ended chan struct{} // closed when it is over; made when somebody waits for that
}

// done returns a channel that is closed when the request is over.
func (p *pending) done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = make(chan struct{})
		if p.over.Load() {
			close(p.ended)
		}
	}
	return p.ended
}

// end makes the request over.
func (p *pending) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	p.over.Store(true)
	if p.ended != nil {
		close(p.ended)
	}
}

// Option says how a lock is asked for.
type Option func(*order)

// order is what the options add up to.
type order struct {
	flags    Flags
	value    *[ValueSize]byte
	blocking func(Mode)
	xid      uint64
}

// With adds flags. [Convert], [Cancel] and [Orphan] belong to methods of their own.
func With(f Flags) Option { return func(o *order) { o.flags |= f } }

// WithValue takes part in the value block: where the request gives up [PW] or [EX], v
// becomes the resource's value; otherwise the resource's value can be had from
// [Lock.Value].
func WithValue(v [ValueSize]byte) Option {
	return func(o *order) {
		o.flags |= ValueBlock
		o.value = &v
	}
}

// OnBlocking makes f hear of modes that others wait for while this lock stands in their
// way: of each stronger one once, until the lock is granted anew. f must return soon, and must not wait for a request on this lockspace.
func OnBlocking(f func(Mode)) Option { return func(o *order) { o.blocking = f } }

// WithTransaction gives the lock a transaction id, by which the kernel's dumps name it.
func WithTransaction(xid uint64) Option { return func(o *order) { o.xid = xid } }

func collect(opts []Option) order {
	if len(opts) == 0 {
		return order{}
	}
	return combined(opts)
}

func combined(opts []Option) order {
	var o order
	for _, f := range opts {
		f(&o)
	}
	return o
}

// Lock takes a new lock. Without [NoQueue] it waits for its turn, or until the context
// ends: the request is then taken back, and if the lock was granted meanwhile it is
// given up.
func (s *Space) Lock(ctx context.Context, resource string, mode Mode, opts ...Option) (*Lock, error) {
	o := collect(opts)
	return s.lock(ctx, locking, resource, mode, o)
}

// Adopt takes over a [Persistent] lock whose holder has closed its descriptor. It is
// [ErrNotHeld] if there is none in that mode on this node, [ErrBusy] if one of another
// mode.
func (s *Space) Adopt(ctx context.Context, resource string, mode Mode, opts ...Option) (*Lock, error) {
	o := collect(opts)
	o.flags |= Orphan
	return s.lock(ctx, adopting, resource, mode, o)
}

func (s *Space) lock(ctx context.Context, op, resource string, mode Mode, o order) (*Lock, error) {
	l := &Lock{Resource: resource, space: s, blocking: o.blocking, mode: ModeNone}
	switch {
	case resource == "" || len(resource) > MaxName:
		return nil, l.failed(op, mode, ErrInvalid, fmt.Sprintf("a resource's name has 1 to %d bytes, not %d", MaxName, len(resource)), nil)
	case !mode.valid():
		return nil, l.failed(op, mode, ErrInvalid, "that is no lock mode", nil)
	}
	if err := s.add(l); err != nil {
		return nil, l.failed(op, mode, err, "", nil)
	}
	if l.listens() {
		s.answers.needed()
	}
	req := lockRequest{cmd: cmdLock, mode: mode, flags: o.flags, resource: resource, xid: o.xid}
	if o.value != nil {
		req.value = *o.value
	}
	if err := l.request(ctx, op, &req); err != nil {
		// A request that is still with the kernel keeps the lock registered until it
		// ends, see abandon.
		if !errors.Is(err, ErrStillWaiting) {
			s.drop(l)
		}
		return nil, err
	}
	return l, nil
}

// Convert changes the lock's mode. It waits as [Space.Lock] does; when the context ends
// the conversion is taken back and the lock stays as it was, unless the grant was
// quicker: then the conversion has happened, and there is no error.
func (l *Lock) Convert(ctx context.Context, mode Mode, opts ...Option) error {
	o := collect(opts)
	if !mode.valid() {
		return l.failed(converting, mode, ErrInvalid, "that is no lock mode", nil)
	}
	if o.blocking != nil {
		l.mu.Lock()
		first := l.blocking == nil
		l.blocking = o.blocking
		l.mu.Unlock()
		if first {
			l.space.answers.needed()
		}
	}
	req := lockRequest{cmd: cmdLock, mode: mode, flags: o.flags | Convert, xid: o.xid}
	if o.value != nil {
		req.value = *o.value
	}
	return l.request(ctx, converting, &req)
}

// Unlock gives the lock up. [WithValue] makes the resource's value that of a holder of
// [PW] or [EX]. Without it the kernel still writes what the request holds if the last
// conversion took part in the value (validate_unlock_args keeps its flags): it gets the
// value that the lock knows, so that nothing changes.
func (l *Lock) Unlock(ctx context.Context, opts ...Option) error {
	o := collect(opts)
	req := lockRequest{cmd: cmdUnlock, mode: ModeNone, flags: o.flags}
	if req.value, _ = l.Value(); o.value != nil {
		req.value = *o.value
	}
	err := l.request(ctx, unlocking, &req)
	if err == nil {
		l.space.drop(l)
	}
	return err
}

// listens reports whether the lock is to hear of those it is in the way of.
func (l *Lock) listens() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blocking != nil
}

// Mode returns the mode in which the lock is held, [ModeNone] if it is not.
func (l *Lock) Mode() Mode {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode
}

// ID returns the kernel's number for the lock on this node, by which its dumps name it.
func (l *Lock) ID() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// Status returns what the last grant was besides granted.
func (l *Lock) Status() StatusFlags {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flags
}

// Value returns the value block as the last grant brought it, or as this lock has written
// it since. It is not valid if a node has died with it ([ValueInvalid]); then it is what it
// was before.
func (l *Lock) Value() (v [ValueSize]byte, valid bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value, l.flags&ValueInvalid == 0
}

// request hands a request to the kernel and waits for its end.
func (l *Lock) request(ctx context.Context, op string, req *lockRequest) error {
	if err := ctx.Err(); err != nil {
		return l.failed(op, req.mode, ErrCancelled, "it was not begun", err)
	}
	l.mu.Lock()
	if l.pending != nil {
		l.mu.Unlock()
		return l.failed(op, req.mode, ErrBusy, "another request on this lock is under way", nil)
	}
	if l.id == 0 && (req.cmd == cmdUnlock || req.flags&Convert != 0) {
		l.mu.Unlock()
		return l.failed(op, req.mode, ErrNotHeld, "", nil)
	}
	p := &pending{op: op, mode: req.mode}
	l.pending = p
	if req.flags&ValueBlock != 0 {
		p.value = &req.value
	}
	req.id, req.cookie = l.id, l.cookie
	l.mu.Unlock()

	if ctx.Done() == nil {
		if err := l.submit(p, req); err != nil {
			l.withdraw(p)
			return l.explain(op, req, err)
		}
		return l.await(ctx, p)
	}
	// The kernel holds requests up while the lockspace recovers (fs/dlm/lock.c
	// dlm_lock_recovery).
	written := make(chan error, 1)
	go func() { written <- l.submit(p, req) }()
	select {
	case err := <-written:
		if err != nil {
			l.withdraw(p)
			return l.explain(op, req, err)
		}
		return l.await(ctx, p)
	case <-ctx.Done():
		go l.abandonUnwritten(p, written)
		return l.failed(op, req.mode, ErrStillWaiting, "the lockspace is stopped or recovers", ctx.Err())
	}
}

// submit writes the request, and takes an answer that is there at once.
func (l *Lock) submit(p *pending, req *lockRequest) error {
	if err := l.write(req); err != nil {
		return err
	}
	if p.op == adopting {
		l.finish(&answer{}, nil) // no answer follows (dlm_user_adopt_orphan)
	}
	l.space.answers.take(&p.over)
	return nil
}

// await waits for the end of a request that the kernel has taken.
func (l *Lock) await(ctx context.Context, p *pending) error {
	if p.over.Load() {
		return l.ended(p.op, p.mode, p.err)
	}
	l.waitFor(p)
	select {
	case <-p.done():
		return l.ended(p.op, p.mode, p.err)
	case <-ctx.Done():
		return l.tooLate(ctx, p)
	}
}

// waitFor has answers received until that of the request has come.
func (l *Lock) waitFor(p *pending) {
	l.space.answers.needed()
	go func() {
		<-p.done()
		l.space.answers.unneeded()
	}()
}

// cancelPatience is how long the kernel has to take a request back. It asks the
// resource's master, which may have died; the recovery that settles it may be long in
// coming.
const cancelPatience = 5 * time.Second

// tooLate takes a request back whose context has ended, and says how that went.
func (l *Lock) tooLate(ctx context.Context, p *pending) error {
	if p.op == unlocking {
		go l.dropWhenDone(p)
		return l.failed(p.op, p.mode, ErrStillWaiting, "the resource's master has not answered", ctx.Err())
	}
	back := make(chan error, 1)
	go func() { back <- l.takeBack(p) }()
	patience := time.NewTimer(cancelPatience)
	defer patience.Stop()
	select {
	case err := <-back:
		switch {
		case err != nil:
			return l.failed(p.op, p.mode, ErrStillWaiting, "it could not be taken back", errors.Join(ctx.Err(), err))
		case errors.Is(p.err, ErrCancelled):
			return l.failed(p.op, p.mode, ErrCancelled, "others hold the resource in a mode that does not go with it", ctx.Err())
		case p.err == nil && p.op != converting:
			l.giveUp()
			return l.failed(p.op, p.mode, ErrCancelled, "it was granted too late", ctx.Err())
		}
		return l.ended(p.op, p.mode, p.err)
	case <-patience.C:
		go func() { l.undo(p, <-back) }()
		return l.failed(p.op, p.mode, ErrStillWaiting, "the resource's master has not answered", ctx.Err())
	}
}

// write gives the request to the kernel and notes the lock's number.
func (l *Lock) write(req *lockRequest) error {
	id, err := writeRequest(l.space.answers.raw, req.bytes())
	if err == nil && req.cmd == cmdLock && req.flags&Convert == 0 {
		l.mu.Lock()
		l.id = uint32(id)
		l.mu.Unlock()
	}
	return err
}

// withdraw forgets a request that the kernel has refused.
func (l *Lock) withdraw(p *pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == p {
		l.pending = nil
	}
}

// takeBack cancels the request that waits, and waits for its end. A request that the
// kernel grants first ends with that.
func (l *Lock) takeBack(p *pending) error {
	l.mu.Lock()
	req := lockRequest{cmd: cmdUnlock, flags: Cancel, id: l.id, cookie: l.cookie}
	l.mu.Unlock()
	if _, err := writeRequest(l.space.answers.raw, req.bytes()); err != nil {
		select {
		case <-p.done():
			return nil
		default:
			return err
		}
	}
	<-p.done()
	return nil
}

// abandonUnwritten undoes a request that nobody waits for any more, once the kernel has
// taken it.
func (l *Lock) abandonUnwritten(p *pending, written <-chan error) {
	switch err := <-written; {
	case err != nil:
		l.withdraw(p)
	case p.op == adopting:
		l.giveUp()
	case p.op == unlocking:
		l.waitFor(p)
		l.dropWhenDone(p)
	default:
		l.waitFor(p)
		l.undo(p, l.takeBack(p))
	}
}

// dropWhenDone forgets a lock whose unlock nobody waits for any more.
func (l *Lock) dropWhenDone(p *pending) {
	<-p.done()
	if p.err == nil {
		l.space.drop(l)
	}
}

// undo ends what a late answer has granted. A conversion stays.
func (l *Lock) undo(p *pending, err error) {
	switch {
	case err != nil:
	case p.op == converting:
	case p.err == nil:
		l.giveUp()
	default:
		l.space.drop(l)
	}
}

// giveUp unlocks a lock that nobody wants any more.
func (l *Lock) giveUp() {
	//nolint:errcheck // nobody is left to tell; closing the lockspace ends it in any case
	l.Unlock(context.Background())
}

// take is called with each answer of the kernel's.
func (l *Lock) take(a *answer) {
	if a.blocking != ModeNone {
		l.mu.Lock()
		f := l.blocking
		l.mu.Unlock()
		if f != nil {
			f(a.blocking)
		}
		return
	}
	l.finish(a, a.err())
}

// finish ends the pending request.
func (l *Lock) finish(a *answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending
	if p == nil {
		return
	}
	l.pending = nil
	switch {
	case errors.Is(err, errUnlocked):
		l.mode, l.id, err = ModeNone, 0, nil
	case err == nil:
		if p.value != nil && Value(l.mode, p.mode) == ValueWritten {
			l.value = *p.value
		}
		l.mode, l.flags = p.mode, a.flags
		if a.value != nil {
			copy(l.value[:], a.value)
		}
	case p.op != converting && p.op != unlocking:
		l.id = 0
	}
	p.end(err)
}

// ended makes the error for a request that the kernel took and did not grant.
func (l *Lock) ended(op string, mode Mode, err error) error {
	if err == nil {
		return nil
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return l.failed(op, mode, classOf(errno), "", errno)
	}
	return l.failed(op, mode, err, "", nil)
}

// explain makes the error for a request that the kernel refused to take.
func (l *Lock) explain(op string, req *lockRequest, err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return l.failed(op, req.mode, ErrClosed, "", err)
	}
	class, meaning := classOf(errno), ""
	switch {
	case errno == unix.ENOENT && op == adopting:
		class, meaning = ErrNotHeld, "there is no orphan of that name here"
	case errno == unix.EAGAIN && op == adopting:
		class, meaning = ErrBusy, "the orphan is held in another mode"
	case errno == unix.ENOENT && req.id != 0:
		class = ErrNotHeld
	case errno == unix.ENOENT:
		class, meaning = ErrNoLockspace, "it was removed"
	case errno == unix.EBUSY:
		meaning = "the kernel still has another request on this lock"
	}
	return l.failed(op, req.mode, class, meaning, errno)
}

func (l *Lock) failed(op string, mode Mode, class error, meaning string, err error) error {
	return &Error{Op: op, Space: l.space.Name, Resource: l.Resource, Mode: mode, Class: class, Meaning: meaning, Err: err}
}
