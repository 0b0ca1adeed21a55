package nbd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/mdkit/mdkit/engine/block"
)

// request is what a client asks of an export.
type request struct {
	flags  uint16
	kind   uint16
	cookie uint64
	off    int64
	length uint32
	data   []byte // of a write
}

const requestSize = 28

const (
	// inFlight is how many requests of a connection are processed at once.
	inFlight = 64
	// memory is how many bytes they may hold together, unless a single one
	// needs more.
	memory = 64 << 20
)

// transmission answers requests until the client disconnects. Requests are
// processed concurrently and answered in whatever order they finish.
func (c *conn) transmission(e *Export) error {
	work := make(chan *request)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(work)
	budget := newBudget(memory)
	workers := 0
	for {
		r, err := c.readRequest()
		switch {
		case err != nil && timedOut(err):
			return nil
		case err != nil:
			return err
		case r.kind == cmdDisconnect:
			return nil
		}
		if err := c.failure(); err != nil {
			return err
		}
		held := r.memory()
		if held > MaxRequest {
			if err := c.refuseLarge(r); err != nil {
				return err
			}
			continue
		}
		budget.take(held)
		if r.kind == cmdWrite {
			r.data = make([]byte, r.length)
			if _, err := io.ReadFull(c.in, r.data); err != nil {
				return err
			}
		}
		select {
		case work <- r:
			continue
		default:
		}
		if workers < inFlight {
			workers++
			wg.Go(func() {
				w := worker{conn: c, export: e}
				for r := range work {
					w.do(r)
					budget.give(r.memory())
				}
			})
		}
		work <- r
	}
}

// memory is how many bytes a request holds while it is processed.
func (r *request) memory() int64 {
	if r.kind == cmdRead || r.kind == cmdWrite {
		return int64(r.length)
	}
	return 0
}

// readRequest reads the header of a request.
func (c *conn) readRequest() (*request, error) {
	var b [requestSize]byte
	if _, err := io.ReadFull(c.in, b[:]); err != nil {
		return nil, err
	}
	return parseRequest(b[:])
}

func parseRequest(b []byte) (*request, error) {
	if magic := binary.BigEndian.Uint32(b); magic != magicRequest {
		return nil, fmt.Errorf("%w: a request that begins with %#x", ErrProtocol, magic)
	}
	r := &request{
		flags: binary.BigEndian.Uint16(b[4:]), kind: binary.BigEndian.Uint16(b[6:]), cookie: binary.BigEndian.Uint64(b[8:]),
		off: int64(binary.BigEndian.Uint64(b[16:])), length: binary.BigEndian.Uint32(b[24:]),
	}
	return r, nil
}

// refuseLarge skips the data of a write that is too large, and refuses it.
func (c *conn) refuseLarge(r *request) error {
	if r.kind == cmdWrite {
		if _, err := io.CopyN(io.Discard, c.in, int64(r.length)); err != nil {
			return err
		}
	}
	c.answer(r, nil, errInvalid)
	return c.failure()
}

// worker processes requests, one at a time.
type worker struct {
	conn   *conn
	export *Export
	buffer []byte
}

// keep is the largest buffer that a worker holds on to.
const keep = 1 << 20

func (w *worker) do(r *request) {
	data, err := w.serve(r)
	w.conn.answer(r, data, code(err))
	if cap(w.buffer) > keep {
		w.buffer = nil
	}
}

// errRefused marks a write to an export that may only be read.
var errRefused = errors.New("export is read-only")

// serve carries out a request, and returns what was read.
func (w *worker) serve(r *request) ([]byte, error) {
	d := w.export.Device
	if r.kind != cmdFlush {
		if err := block.CheckRange("serve", block.Name(d), d.Size(), r.off, int64(r.length)); err != nil {
			if r.kind == cmdWrite || r.kind == cmdWriteZeroes {
				err = syscall.ENOSPC // as the specification says
			}
			return nil, err
		}
	}
	switch r.kind {
	case cmdRead:
		if uint32(cap(w.buffer)) < r.length {
			w.buffer = make([]byte, r.length)
		}
		p := w.buffer[:r.length]
		return p, block.ReadFull(d, p, r.off)
	case cmdFlush:
		if w.export.ReadOnly {
			return nil, nil
		}
		return nil, d.Sync()
	}
	if w.export.ReadOnly {
		return nil, errRefused
	}
	return nil, w.change(d, r)
}

// change carries out a request that writes, and makes it durable if asked to.
func (w *worker) change(d block.Device, r *request) (err error) {
	switch r.kind {
	case cmdWrite:
		_, err = d.WriteAt(r.data, r.off)
	case cmdWriteZeroes:
		err = block.WriteZeroes(d, r.off, int64(r.length))
	case cmdTrim:
		if t, ok := d.(block.Discarder); ok {
			err = t.Discard(r.off, int64(r.length))
		}
	default:
		return syscall.EINVAL
	}
	if err == nil && r.flags&cmdFlagFUA != 0 {
		err = d.Sync()
	}
	return err
}

// code returns the error number of a reply.
func code(err error) uint32 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errRefused), errors.Is(err, block.ErrReadOnly):
		return errPerm
	case errors.Is(err, block.ErrOutOfRange), errors.Is(err, syscall.EINVAL):
		return errInvalid
	case errors.Is(err, block.ErrClosed):
		return errShutdown
	case errors.Is(err, syscall.ENOSPC):
		return errNoSpace
	}
	return errIO
}

// answer sends the reply to a request. A reply that cannot be sent ends the
// connection.
func (c *conn) answer(r *request, data []byte, code uint32) {
	head := c.head(r, data, code)
	buffers := net.Buffers{head}
	if code == 0 && len(data) > 0 {
		buffers = append(buffers, data)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.failed != nil {
		return
	}
	if _, err := buffers.WriteTo(c.net); err != nil {
		c.failed = err
		_ = c.net.SetReadDeadline(past) // later requests are not answered
	}
}

// head makes the header that precedes the data of a reply. It is a structured
// one if the client has asked for those and this is a read; other replies may
// stay simple.
func (c *conn) head(r *request, data []byte, code uint32) []byte {
	if !c.structured || r.kind != cmdRead {
		b := binary.BigEndian.AppendUint32(make([]byte, 0, 16), magicSimple)
		b = binary.BigEndian.AppendUint32(b, code)
		return binary.BigEndian.AppendUint64(b, r.cookie)
	}
	chunk := func(kind uint16, length int) []byte {
		b := binary.BigEndian.AppendUint32(make([]byte, 0, 28), magicStructured)
		b = binary.BigEndian.AppendUint16(b, chunkDone)
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint64(b, r.cookie)
		return binary.BigEndian.AppendUint32(b, uint32(length))
	}
	switch {
	case code != 0:
		b := binary.BigEndian.AppendUint32(chunk(chunkError, 6), code)
		return binary.BigEndian.AppendUint16(b, 0) // no message
	case len(data) == 0:
		return chunk(chunkNone, 0)
	}
	return binary.BigEndian.AppendUint64(chunk(chunkOffsetData, 8+len(data)), uint64(r.off))
}

// failure says why no more replies can be sent.
func (c *conn) failure() error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.failed
}

// budget bounds how many bytes are held at once.
type budget struct {
	mu   sync.Mutex
	cond *sync.Cond
	left int64
}

func newBudget(n int64) *budget {
	b := &budget{left: n}
	b.cond = sync.NewCond(&b.mu)
	return b
}

// take waits until n bytes are free.
func (b *budget) take(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.left < n {
		b.cond.Wait()
	}
	b.left -= n
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.left += n
	b.mu.Unlock()
	b.cond.Signal()
}
