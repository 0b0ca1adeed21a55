package nbd

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// scripted is a connection whose client has sent everything beforehand, and
// accepts every answer.
type scripted struct {
	net.Conn
	in      io.Reader
	answers int
}

func (s *scripted) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *scripted) Write(p []byte) (int, error)      { s.answers += len(p); return len(p), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

// FuzzHandshake negotiates options. No option takes memory, or gets answers,
// out of proportion to what was sent; and an export that is chosen is one of
// ours.
func FuzzHandshake(f *testing.F) {
	option := func(kind uint32, data string) string {
		b := binary.BigEndian.AppendUint64(nil, magicOption)
		b = binary.BigEndian.AppendUint32(b, kind)
		return string(binary.BigEndian.AppendUint32(b, uint32(len(data)))) + data
	}
	const hello = "\x00\x00\x00\x03"
	f.Add([]byte(hello + option(optList, "") + option(optStructuredReply, "") + option(optExportName, "disk")))
	f.Add([]byte(hello + option(optInfo, "\x00\x00\x00\x04disk\x00\x03\x00\x01\x00\x02\x00\x03") + option(optGo, "\x00\x00\x00\x04disk\x00\x00")))
	f.Add([]byte(hello + option(optGo, "\xff\xff\xff\xff\x00\x00") + option(99, "what") + option(optAbort, "")))
	f.Add([]byte(hello + option(optGo, "")[:12] + "\xff\xff\xff\xff"))
	f.Add([]byte(hello + option(optExportName, "")[:12] + "\x00\x00\xff\xff" + "short"))
	s := &Server{Exports: []Export{{Name: "disk", Description: "a disk", Device: block.NewMemory("disk", 1<<20)}}}
	f.Fuzz(func(t *testing.T, input []byte) {
		fuzztest.Bounded(t, len(input), func() {
			client := &scripted{in: bytes.NewReader(input)}
			c := newConn(s, client)
			e, err := c.handshake()
			if e != nil && (err != nil || e != &s.Exports[0]) {
				t.Fatalf("%+v, %v", e, err)
			}
			if client.answers > 200+12*len(input) {
				t.Fatalf("%d bytes of answers to %d", client.answers, len(input))
			}
		})
	})
}

// FuzzParseInfo reads the data of an option. The result holds no more than the
// input did.
func FuzzParseInfo(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04disk\x00\x02\x00\x01\x00\x03"))
	f.Add([]byte("\x00\x00\x00\x00\xff\xff"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzztest.Bounded(t, len(data), func() {
			name, wanted, ok := parseInfo(data)
			if ok && 6+len(name)+2*len(wanted) != len(data) {
				t.Fatalf("%q and %d more of %d bytes", name, len(wanted), len(data))
			}
		})
	})
}

// FuzzRequest reads the header of a request and carries it out on a small
// export, with as much data as the client could have sent.
func FuzzRequest(f *testing.F) {
	request := func(kind uint16, off uint64, length uint32) []byte {
		b := binary.BigEndian.AppendUint32(nil, magicRequest)
		b = binary.BigEndian.AppendUint16(b, cmdFlagFUA)
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint64(b, 7)
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, off), length)
	}
	for _, kind := range []uint16{cmdRead, cmdWrite, cmdFlush, cmdTrim, cmdWriteZeroes, 99} {
		f.Add(request(kind, 512, 100))
		f.Add(request(kind, 1<<63, 1<<32-1))
		f.Add(request(kind, 1<<16-1, 2))
	}
	const size = 64 << 10
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < requestSize {
			return
		}
		copy(b, request(0, 0, 0)[:4])
		r, err := parseRequest(b[:requestSize])
		if err != nil {
			t.Fatal(err)
		}
		e := &Export{Device: block.NewMemory("disk", size)}
		fuzztest.Bounded(t, len(b)+size, func() {
			if r.kind == cmdWrite && r.length <= size {
				r.data = make([]byte, r.length)
			} else if r.kind == cmdWrite {
				return // a write larger than the export is refused or read first
			}
			w := worker{export: e}
			data, err := w.serve(r)
			inside := r.off >= 0 && r.off <= size && int64(r.length) <= size-r.off
			switch {
			case err == nil && !inside && r.kind != cmdFlush:
				t.Fatalf("%d bytes at %d of %d were done", r.length, r.off, size)
			case err == nil && len(data) > 0 && (r.kind != cmdRead || len(data) != int(r.length)):
				t.Fatalf("%d bytes of answer to %+v", len(data), r)
			case err != nil && code(err) == 0:
				t.Fatalf("%v is not reported to the client as a failure", err)
			}
		})
	})
}
