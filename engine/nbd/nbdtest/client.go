// Package nbdtest is a client of the Network Block Device protocol for tests
// and benchmarks: it keeps many requests in flight, and trusts nothing the
// server says.
package nbdtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Error is the error number of a reply; the numbers are those of Linux.
type Error uint32

// Error returns the number as text.
func (e Error) Error() string { return fmt.Sprintf("the server answers with error %d", uint32(e)) }

// Client is a connection to an export. Its methods may be called from many
// goroutines at once.
type Client struct {
	// Size is the export's, in bytes.
	Size int64
	// Flags are the transmission flags.
	Flags uint16

	conn       net.Conn
	structured bool

	// sending is held while a request is sent. It is not mu: the server may
	// stop reading until its replies are taken, and taking them needs mu.
	sending sync.Mutex

	mu      sync.Mutex // guards what follows
	cookie  uint64
	waiting map[uint64]*call
	broken  error
}

type call struct {
	p    []byte // to read into
	done chan error
}

// Open performs the handshake on conn and chooses the export with the given
// name.
func Open(conn net.Conn, name string, structured bool) (*Client, error) {
	c := &Client{conn: conn, waiting: make(map[uint64]*call)}
	hello := make([]byte, 18)
	if _, err := io.ReadFull(conn, hello); err != nil {
		return nil, err
	}
	if string(hello[:16]) != "NBDMAGICIHAVEOPT" || binary.BigEndian.Uint16(hello[16:])&1 == 0 {
		return nil, fmt.Errorf("bad greeting %q", hello)
	}
	if err := c.send(uint32(3)); err != nil {
		return nil, err
	}
	if structured {
		replies, err := c.Option(8, nil)
		if err != nil {
			return nil, err
		}
		c.structured = replies[len(replies)-1].Kind == 1
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	b = append(b, name...)
	replies, err := c.Option(7, append(b, 0, 1, 0, 3)) // tell the block size
	if err != nil {
		return nil, err
	}
	for _, r := range replies {
		if r.Kind == 3 && len(r.Data) == 12 && binary.BigEndian.Uint16(r.Data) == 0 {
			c.Size = int64(binary.BigEndian.Uint64(r.Data[2:]))
			c.Flags = binary.BigEndian.Uint16(r.Data[10:])
		}
	}
	if last := replies[len(replies)-1]; last.Kind != 1 || c.Flags == 0 {
		return nil, fmt.Errorf("the server refuses export %q: %#x", name, last.Kind)
	}
	go c.receive()
	return c, nil
}

func (c *Client) send(v any) error { return binary.Write(c.conn, binary.BigEndian, v) }

// OptionReply is one reply to an option.
type OptionReply struct {
	Kind uint32
	Data []byte
}

// Option sends an option during the handshake and returns all replies, the last
// of which is an acknowledgement or an error.
func (c *Client) Option(option uint32, data []byte) (list []OptionReply, err error) {
	b := append([]byte("IHAVEOPT"), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(b[8:], option)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	if _, err := c.conn.Write(append(b, data...)); err != nil {
		return nil, err
	}
	for {
		var head struct {
			Magic                uint64
			Option, Kind, Length uint32
		}
		if err := binary.Read(c.conn, binary.BigEndian, &head); err != nil {
			return nil, err
		}
		if head.Magic != 0x0003e889045565a9 || head.Option != option || head.Length > 1<<20 {
			return nil, fmt.Errorf("bad reply to option %d: %+v", option, head)
		}
		r := OptionReply{Kind: head.Kind, Data: make([]byte, head.Length)}
		if _, err := io.ReadFull(c.conn, r.Data); err != nil {
			return nil, err
		}
		if list = append(list, r); r.Kind != 2 && r.Kind != 3 {
			return list, nil
		}
	}
}

// Do sends a command with these flags and waits for the reply. Data read is
// stored in p, data to be written comes from it.
func (c *Client) Do(kind, flags uint16, off int64, length uint32, p []byte) error {
	k := &call{done: make(chan error, 1)}
	if kind == 0 {
		k.p = p
	}
	c.mu.Lock()
	if c.broken != nil {
		c.mu.Unlock()
		return c.broken
	}
	c.cookie++
	cookie := c.cookie
	c.waiting[cookie] = k
	c.mu.Unlock()
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 28), 0x25609513)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint64(b, cookie)
	b = binary.BigEndian.AppendUint64(b, uint64(off))
	b = binary.BigEndian.AppendUint32(b, length)
	buffers := net.Buffers{b}
	if kind == 1 {
		buffers = append(buffers, p)
	}
	c.sending.Lock()
	_, err := buffers.WriteTo(c.conn)
	c.sending.Unlock()
	if err != nil {
		return err
	}
	return <-k.done
}

// Read reads len(p) bytes.
func (c *Client) Read(p []byte, off int64) error { return c.Do(0, 0, off, uint32(len(p)), p) }

// Write writes p.
func (c *Client) Write(p []byte, off int64) error { return c.Do(1, 0, off, uint32(len(p)), p) }

// Close tells the server to disconnect and closes the connection.
func (c *Client) Close() error {
	b := make([]byte, 28)
	binary.BigEndian.PutUint32(b, 0x25609513)
	b[7] = 2
	c.sending.Lock()
	_, err := c.conn.Write(b)
	c.sending.Unlock()
	if err != nil {
		return err
	}
	return c.conn.Close()
}

// receive takes replies until the connection ends.
func (c *Client) receive() {
	err := error(nil)
	for err == nil {
		err = c.takeReply()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
	for _, k := range c.waiting {
		k.done <- err
	}
	c.waiting = nil
}

func (c *Client) takeReply() error {
	var head [4]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return err
	}
	switch binary.BigEndian.Uint32(head[:]) {
	case 0x67446698:
		return c.simple()
	case 0x668e33ef:
		return c.chunk()
	}
	return fmt.Errorf("a reply that begins with %x", head)
}

func (c *Client) simple() error {
	var head [12]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return err
	}
	k, err := c.take(binary.BigEndian.Uint64(head[4:]))
	if err != nil {
		return err
	}
	if code := binary.BigEndian.Uint32(head[:]); code != 0 {
		k.done <- Error(code)
		return nil
	}
	if k.p != nil {
		if c.structured {
			return fmt.Errorf("a simple reply to a read, though structured ones were agreed on")
		}
		if _, err := io.ReadFull(c.conn, k.p); err != nil {
			return err
		}
	}
	k.done <- nil
	return nil
}

// chunk takes a structured reply that consists of one chunk, or of the several
// that nbdkit makes for a read with holes in it.
func (c *Client) chunk() error {
	var head [16]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return err
	}
	flags, kind := binary.BigEndian.Uint16(head[:]), binary.BigEndian.Uint16(head[2:])
	if flags != 1 {
		return fmt.Errorf("chunk flags %#x", flags)
	}
	k, err := c.take(binary.BigEndian.Uint64(head[4:]))
	if err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head[12:])
	switch {
	case kind == 0 && length == 0:
		k.done <- nil
	case kind == 1 && length == uint32(8+len(k.p)):
		var off [8]byte
		if _, err := io.ReadFull(c.conn, off[:]); err != nil {
			return err
		}
		if _, err := io.ReadFull(c.conn, k.p); err != nil {
			return err
		}
		k.done <- nil
	case kind == 1<<15+1 && length >= 6 && length < 1<<16:
		text := make([]byte, length)
		if _, err := io.ReadFull(c.conn, text); err != nil {
			return err
		}
		k.done <- Error(binary.BigEndian.Uint32(text))
	default:
		return fmt.Errorf("chunk of kind %d with %d bytes", kind, length)
	}
	return nil
}

func (c *Client) take(cookie uint64) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.waiting[cookie]
	if k == nil {
		return nil, fmt.Errorf("a reply with cookie %d, which nobody asked for", cookie)
	}
	delete(c.waiting, cookie)
	return k, nil
}
