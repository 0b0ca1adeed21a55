// Package nbd serves block devices over the Network Block Device protocol, so
// that any client, including the kernel's, can use them as disks. It speaks the
// fixed newstyle handshake and structured replies, and lets a client open
// several connections to one export.
//
// It is the protocol alone: the caller provides the listener or the connection.
// There is no encryption; serve over unix sockets, or to hosts that are
// trusted.
package nbd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/mdkit/mdkit/engine/block"
)

// Export is a device that clients can ask for.
type Export struct {
	// Name is what clients call it; the empty name is the default export.
	Name string
	// Description is one line for people.
	Description string
	// Device is what is served. Requests come from many goroutines at once.
	Device block.Device
	// ReadOnly refuses every request that writes.
	ReadOnly bool
}

// ErrProtocol marks a client that does not speak the protocol.
var ErrProtocol = errors.New("not the NBD protocol")

// Server serves exports. Its fields must not change while it serves.
type Server struct {
	// Exports are all that clients can ask for.
	Exports []Export
	// Log, if set, is called with one line for each thing that goes wrong on a
	// connection; it may be called from several goroutines at once.
	Log func(line string)
}

// grace is how long a client may take to read the last answers.
const grace = 5 * time.Second

// Serve accepts connections until ctx ends or the listener fails, and then
// waits until every connection has finished the requests it has read. It closes
// the listener. It returns nil if ctx has ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("nbd: accept: %w", err)
		}
		wg.Go(func() {
			if err := s.ServeConn(ctx, conn); err != nil && s.Log != nil {
				s.Log(fmt.Sprintf("%v: %v", conn.RemoteAddr(), err))
			}
		})
	}
}

// ServeConn serves one connection until the client leaves, which is no error,
// or ctx ends. In the latter case the requests already read are answered first,
// if the client accepts the answers within five seconds. It closes the
// connection.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	c := newConn(s, conn)
	// Interrupt whatever is waiting for the client to send something.
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(past)
		_ = conn.SetWriteDeadline(time.Now().Add(grace))
	})
	defer stop()
	export, err := c.handshake()
	if err == nil && export != nil {
		err = c.transmission(export)
	}
	if ctx.Err() != nil || gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("nbd: %w", err)
	}
	return nil
}

// find returns the export with a name, or nil.
func (s *Server) find(name string) *Export {
	for i := range s.Exports {
		if s.Exports[i].Name == name {
			return &s.Exports[i]
		}
	}
	return nil
}

// flags are the transmission flags of an export.
func (e *Export) flags() uint16 {
	flags := transHasFlags | transSendFlush | transSendDF | transCanMultiConn
	if e.ReadOnly {
		return uint16(flags | transReadOnly)
	}
	flags |= transSendFUA | transSendWriteZeroes
	if _, ok := e.Device.(block.Discarder); ok {
		flags |= transSendTrim
	}
	return uint16(flags)
}
