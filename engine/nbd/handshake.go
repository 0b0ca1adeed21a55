package nbd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// gone reports whether an error means only that the client left.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// conn is one connection.
type conn struct {
	server     *Server
	net        net.Conn
	in         *bufio.Reader
	structured bool
	noZeroes   bool

	sending sync.Mutex // of one whole reply
	failed  error      // of a reply; guarded by sending
}

// readAhead is how much of the client's data is read at once, in bytes.
const readAhead = 64 << 10

func newConn(s *Server, c net.Conn) *conn {
	return &conn{server: s, net: c, in: bufio.NewReaderSize(c, readAhead)}
}

// handshake negotiates until the client has chosen an export; the result is nil
// if it leaves without one.
func (c *conn) handshake() (*Export, error) {
	hello := binary.BigEndian.AppendUint64(nil, magicInit)
	hello = binary.BigEndian.AppendUint64(hello, magicOption)
	hello = binary.BigEndian.AppendUint16(hello, flagFixedNewstyle|flagNoZeroes)
	if _, err := c.net.Write(hello); err != nil {
		return nil, err
	}
	var flags uint32
	if err := binary.Read(c.in, binary.BigEndian, &flags); err != nil {
		return nil, err
	}
	if flags&^(flagFixedNewstyle|flagNoZeroes) != 0 {
		return nil, fmt.Errorf("%w: client flags %#x", ErrProtocol, flags)
	}
	c.noZeroes = flags&flagNoZeroes != 0
	for {
		export, done, err := c.option()
		if done || err != nil {
			return export, err
		}
	}
}

// option answers one option.
func (c *conn) option() (export *Export, done bool, err error) {
	var head struct {
		Magic  uint64
		Option uint32
		Length uint32
	}
	if err := binary.Read(c.in, binary.BigEndian, &head); err != nil {
		return nil, false, err
	}
	if head.Magic != magicOption {
		return nil, false, fmt.Errorf("%w: an option that begins with %#x", ErrProtocol, head.Magic)
	}
	if head.Length > maxOption {
		if _, err := io.CopyN(io.Discard, c.in, int64(head.Length)); err != nil {
			return nil, false, err
		}
		return nil, false, c.reply(head.Option, repErrTooBig, nil)
	}
	data := make([]byte, head.Length)
	if _, err := io.ReadFull(c.in, data); err != nil {
		return nil, false, err
	}
	switch head.Option {
	case optExportName:
		export, err = c.exportName(string(data))
		return export, true, err
	case optAbort:
		return nil, true, c.reply(head.Option, repAck, nil)
	case optList:
		return nil, false, c.list(data)
	case optInfo, optGo:
		export, err = c.info(head.Option, data)
		return export, export != nil, err
	case optStructuredReply:
		if len(data) != 0 {
			return nil, false, c.reply(head.Option, repErrInvalid, nil)
		}
		c.structured = true
		return nil, false, c.reply(head.Option, repAck, nil)
	}
	return nil, false, c.reply(head.Option, repErrUnsup, nil)
}

// reply sends one reply to an option.
func (c *conn) reply(option, kind uint32, data []byte) error {
	b := binary.BigEndian.AppendUint64(nil, magicReply)
	b = binary.BigEndian.AppendUint32(b, option)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	_, err := c.net.Write(append(b, data...))
	return err
}

// exportName ends the handshake the old way, in which nothing can be refused.
func (c *conn) exportName(name string) (*Export, error) {
	e := c.server.find(name)
	if e == nil {
		return nil, fmt.Errorf("the client wants %q, which is not exported", name)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(e.Device.Size()))
	b = binary.BigEndian.AppendUint16(b, e.flags())
	if !c.noZeroes {
		b = append(b, make([]byte, 124)...)
	}
	_, err := c.net.Write(b)
	return e, err
}

func (c *conn) list(data []byte) error {
	if len(data) != 0 {
		return c.reply(optList, repErrInvalid, nil)
	}
	for _, e := range c.server.Exports {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(e.Name)))
		b = append(append(b, e.Name...), e.Description...)
		if err := c.reply(optList, repServer, b); err != nil {
			return err
		}
	}
	return c.reply(optList, repAck, nil)
}

// info answers NBD_OPT_INFO and NBD_OPT_GO: a name, and what the client wants
// to know about that export. It returns the export if the client chooses it.
func (c *conn) info(option uint32, data []byte) (*Export, error) {
	name, wanted, ok := parseInfo(data)
	if !ok {
		return nil, c.reply(option, repErrInvalid, nil)
	}
	e := c.server.find(name)
	if e == nil {
		return nil, c.reply(option, repErrUnknown, []byte("there is no such export"))
	}
	tell := func(kind uint16, data []byte) error {
		return c.reply(option, repInfo, append(binary.BigEndian.AppendUint16(nil, kind), data...))
	}
	for _, kind := range wanted {
		var err error
		switch kind {
		case infoName:
			err = tell(infoName, []byte(e.Name))
		case infoDescription:
			err = tell(infoDescription, []byte(e.Description))
		case infoBlockSize:
			b := binary.BigEndian.AppendUint32(nil, 1)
			b = binary.BigEndian.AppendUint32(b, preferredBlock)
			err = tell(infoBlockSize, binary.BigEndian.AppendUint32(b, MaxRequest))
		}
		if err != nil {
			return nil, err
		}
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(e.Device.Size()))
	if err := tell(infoExport, binary.BigEndian.AppendUint16(b, e.flags())); err != nil {
		return nil, err
	}
	if err := c.reply(option, repAck, nil); err != nil || option == optInfo {
		return nil, err
	}
	return e, nil
}

// parseInfo reads the data of NBD_OPT_INFO and NBD_OPT_GO.
func parseInfo(data []byte) (name string, wanted []uint16, ok bool) {
	if len(data) < 6 {
		return "", nil, false
	}
	n := uint64(binary.BigEndian.Uint32(data))
	if n > uint64(len(data)-6) {
		return "", nil, false
	}
	name, data = string(data[4:4+n]), data[4+n:]
	count := int(binary.BigEndian.Uint16(data))
	if data = data[2:]; len(data) != 2*count {
		return "", nil, false
	}
	for i := range count {
		wanted = append(wanted, binary.BigEndian.Uint16(data[2*i:]))
	}
	return name, wanted, true
}

// timedOut reports whether an error is the deadline that ServeConn sets when
// its context ends.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
