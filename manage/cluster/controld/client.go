package controld

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// The sockets (dlm_controld.h). That they are abstract is what the sign in front says.
const (
	querySocket = "@dlmc_query_sock"
	orderSocket = "@dlmc_sock"
)

// patience is how long the daemon may take for one answer. It has all of them in memory.
const patience = 30 * time.Second

// maxEntries is how many lockspaces or nodes are asked for: as many as a dump has room for.
const maxEntries = maxBody / lockspaceSize

// NodeSet says which nodes of a lockspace are asked for (DLMC_NODES_*).
type NodeSet uint32

// The sets.
const (
	AllNodes    NodeSet = 1
	Members     NodeSet = 2 // of the completed change
	NextMembers NodeSet = 3 // of the one that is under way
)

// dial opens one of the sockets. The daemon listens with room for five that wait
// (dlm_controld/main.c setup_listener); a socket that does not block is then refused with
// EAGAIN, and tries again.
func dial(ctx context.Context, socket string) (net.Conn, error) {
	ends := time.Now().Add(patience)
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, syscall.EAGAIN) && time.Now().Before(ends):
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return nil, err
			}
			continue
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
			return nil, fmt.Errorf("%w: nobody listens on %s; start corosync and dlm_controld", ErrNotRunning, socket)
		case err != nil:
			return nil, fmt.Errorf("connect to dlm_controld on %s: %w", socket, err)
		}
		if err := conn.SetDeadline(ends); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// pause waits, or returns why there is no more waiting.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// send sends a request on a connection of its own and hands the answer to a function.
func send(ctx context.Context, socket string, r Request, answer func(net.Conn) error) error {
	conn, err := dial(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(r.AppendTo(nil)); err != nil {
		return broken(ctx, socket, err)
	}
	if answer == nil {
		return nil
	}
	if err := answer(conn); err != nil {
		return broken(ctx, socket, err)
	}
	return nil
}

// broken says what has become of a conversation.
func broken(ctx context.Context, socket string, err error) error {
	var late net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("dlm_controld has not answered on %s for %v; see what it says in dlm_controld.log: %w", socket, patience, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("dlm_controld has ended the conversation on %s in the midst of an answer; see what it says in dlm_controld.log: %w", socket, err)
	}
	return err
}

// receive reads a reply with its body. A negative result is an error.
func receive(conn net.Conn) (Header, []byte, error) {
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(conn, b); err != nil {
		return Header{}, nil, err
	}
	h, err := ParseHeader(b)
	if err != nil {
		return h, nil, err
	}
	body := make([]byte, h.Body)
	if _, err := io.ReadFull(conn, body); err != nil {
		return h, nil, err
	}
	switch errno := syscall.Errno(-h.Data); {
	case h.Data >= 0:
		return h, body, nil
	case errno == syscall.ENOENT:
		return h, nil, ErrNoLockspace
	default:
		return h, nil, errno
	}
}

// Text returns one of the dumps; name is the lockspace of [DumpLocks].
func Text(ctx context.Context, what Command, name string) (s string, err error) {
	err = send(ctx, querySocket, Request{Command: what, Name: name}, func(conn net.Conn) error {
		_, body, err := receive(conn)
		s = text(body)
		return err
	})
	return s, err
}

// Info returns the lockspace of that name.
func Info(ctx context.Context, name string) (l Lockspace, err error) {
	err = send(ctx, querySocket, Request{Command: LockspaceInfo, Name: name}, func(conn net.Conn) error {
		_, body, err := receive(conn)
		if err != nil {
			return err
		}
		l, err = ParseLockspace(body)
		return err
	})
	return l, err
}

// Lockspaces returns this node's lockspaces.
func Lockspaces(ctx context.Context) (all []Lockspace, err error) {
	return list(ctx, Request{Command: ListLockspaces, Data: maxEntries}, lockspaceSize, ParseLockspace)
}

// Nodes returns nodes of a lockspace.
func Nodes(ctx context.Context, name string, which NodeSet) ([]Node, error) {
	return list(ctx, Request{Command: LockspaceNodes, Option: uint32(which), Data: maxEntries, Name: name}, nodeSize, ParseNode)
}

func list[T any](ctx context.Context, r Request, size int, parse func([]byte) (T, error)) (all []T, err error) {
	err = send(ctx, querySocket, r, func(conn net.Conn) error {
		h, body, err := receive(conn)
		if err != nil {
			return err
		}
		all, err = parseAll(body, int(h.Data), size, parse)
		return err
	})
	return all, err
}

// Status returns what the daemon says of itself and of the nodes.
func Status(ctx context.Context) (all []State, err error) {
	err = send(ctx, querySocket, Request{Command: DumpStatus}, func(conn net.Conn) error {
		all, err = readStates(conn)
		return err
	})
	return all, err
}

// readStates reads records until the daemon hangs up.
func readStates(r io.Reader) (all []State, err error) {
	for {
		b := make([]byte, stateSize)
		if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return all, err
		}
		head, err := parseStateHead(b)
		if err != nil {
			return all, err
		}
		body := make([]byte, head.text+head.bin)
		if _, err := io.ReadFull(r, body); err != nil {
			return all, err
		}
		all = append(all, State{Kind: head.kind, Node: head.node, Text: string(body[:head.text])})
	}
}

// Order gives an order that the daemon does not answer: [AckFence], [CheckDeadlock],
// [ReloadConfig], and with text [SetConfig].
func Order(ctx context.Context, what Command, name, text string) error {
	return send(ctx, orderSocket, Request{Command: what, Name: name, Text: text}, nil)
}
