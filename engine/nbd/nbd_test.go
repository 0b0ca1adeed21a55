package nbd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/nbd"
	"github.com/mdkit/mdkit/engine/nbd/nbdtest"
	"github.com/mdkit/mdkit/internal/lab"
)

// serve runs a server on a unix socket until the test ends, and returns a
// function that connects to it.
func serve(t testing.TB, exports ...nbd.Export) func() net.Conn {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &nbd.Server{Exports: exports, Log: func(line string) { t.Log(line) }}
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func() net.Conn {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

func open(t testing.TB, conn net.Conn, name string, structured bool) *nbdtest.Client {
	t.Helper()
	c, err := nbdtest.Open(conn, name, structured)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRandomRequests has several connections read and write one export at once,
// each in its own part of it.
func TestRandomRequests(t *testing.T) {
	const size, clients = 1 << 20, 4
	d := block.NewMemory("disk", size)
	connect := serve(t, nbd.Export{Name: "disk", Device: d})
	want := blocktest.Pattern(9, size)
	if _, err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range clients {
		c := open(t, connect(), "disk", i%2 == 0)
		if c.Size != size || c.Flags&(1<<8) == 0 || c.Flags&2 != 0 {
			t.Fatalf("size %d, flags %#x", c.Size, c.Flags)
		}
		part, base := want[i*size/clients:][:size/clients], int64(i*size/clients)
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for range 500 {
				off := rng.IntN(len(part))
				n := min(1+rng.IntN(9000), len(part)-off)
				var err error
				switch rng.IntN(5) {
				case 0:
					copy(part[off:], blocktest.Pattern(rng.Uint64(), n))
					err = c.Do(1, uint16(rng.IntN(2)), base+int64(off), uint32(n), part[off:][:n])
				case 1:
					clear(part[off : off+n])
					err = c.Do([]uint16{4, 6}[rng.IntN(2)], 0, base+int64(off), uint32(n), nil)
				case 2:
					err = c.Do(3, 0, 0, 0, nil)
				default:
					got := make([]byte, n)
					if err = c.Read(got, base+int64(off)); !bytes.Equal(got, part[off:off+n]) {
						t.Errorf("client %d reads something else at %d", i, off)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := make([]byte, size)
	if err := block.ReadFull(d, got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the device holds something else, %v", err)
	}
}

// TestPipelined keeps many requests in flight on one connection.
func TestPipelined(t *testing.T) {
	d := block.NewMemory("disk", 1<<20)
	c := open(t, serve(t, nbd.Export{Device: d})(), "", true)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			p := blocktest.Pattern(uint64(i), 4096)
			if err := c.Write(p, int64(i)*4096); err != nil {
				t.Error(err)
			}
			got := make([]byte, 4096)
			if err := c.Read(got, int64(i)*4096); err != nil || !bytes.Equal(got, p) {
				t.Errorf("block %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestRefusals(t *testing.T) {
	d := block.NewMemory("disk", 1<<20)
	fault, err := block.NewFault(d, "read 4096+512 error")
	if err != nil {
		t.Fatal(err)
	}
	connect := serve(t, nbd.Export{Name: "ro", Device: fault, ReadOnly: true}, nbd.Export{Name: "rw", Device: d})
	for _, structured := range []bool{false, true} {
		ro, rw := open(t, connect(), "ro", structured), open(t, connect(), "rw", structured)
		for _, c := range []struct {
			err  error
			want nbdtest.Error
		}{
			{ro.Write([]byte("x"), 0), 1},
			{ro.Do(4, 0, 0, 512, nil), 1},
			{ro.Do(6, 0, 0, 512, nil), 1},
			{ro.Read(make([]byte, 512), 4096), 5},
			{ro.Read(make([]byte, 512), 1<<20-100), 22},
			{ro.Read(make([]byte, 1), -1), 22},
			{ro.Do(3, 0, 0, 0, nil), 0},
			{rw.Write(make([]byte, 512), 1<<20-100), 28},
			{rw.Do(6, 0, 1<<20, 1, nil), 28},
			{rw.Do(77, 0, 0, 0, nil), 22},
			{rw.Read(make([]byte, 33<<20), 0), 22},
			{rw.Write(make([]byte, 33<<20), 0), 22},
			{rw.Read(nil, 0), 0},
			{rw.Read(make([]byte, 512), 512), 0},
		} {
			if c.want == 0 && c.err != nil || c.want != 0 && !errors.Is(c.err, c.want) {
				t.Errorf("structured %v: got %v, want %v", structured, c.err, c.want)
			}
		}
	}
	if _, err := nbdtest.Open(connect(), "nothing", true); err == nil {
		t.Error("there is no such export")
	}
}

// TestHandshake asks for things that do not exist, in every way, and still
// reaches the export.
func TestHandshake(t *testing.T) {
	d := block.NewMemory("disk", 12345)
	connect := serve(t, nbd.Export{Name: "a", Description: "first", Device: d}, nbd.Export{Name: "b", Device: d, ReadOnly: true})
	conn := connect()
	greet(t, conn)
	option := func(option uint32, data []byte, want string) {
		t.Helper()
		b := binary.BigEndian.AppendUint32([]byte("IHAVEOPT"), option)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		got := ""
		for end := false; !end; {
			var head struct {
				Magic                uint64
				Option, Kind, Length uint32
			}
			if err := binary.Read(conn, binary.BigEndian, &head); err != nil {
				t.Fatal(err)
			}
			data := make([]byte, head.Length)
			if _, err := io.ReadFull(conn, data); err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%#x %q;", head.Kind, data)
			end = head.Kind != 2 && head.Kind != 3
		}
		if got != want {
			t.Errorf("option %d: got %s, want %s", option, got, want)
		}
	}
	option(3, nil, `0x2 "\x00\x00\x00\x01afirst";0x2 "\x00\x00\x00\x01b";0x1 "";`)
	option(3, []byte("x"), `0x80000003 "";`)
	option(5, nil, `0x80000001 "";`) // STARTTLS
	option(8, []byte("x"), `0x80000003 "";`)
	option(8, nil, `0x1 "";`)
	option(10, make([]byte, 65537), `0x80000009 "";`)
	option(6, nil, `0x80000003 "";`)
	option(6, []byte("\x00\x00\x00\x01c\x00\x00"), `0x80000006 "there is no such export";`)
	option(6, []byte("\xff\xff\xff\xffc\x00\x00"), `0x80000003 "";`)
	option(6, []byte("\x00\x00\x00\x01a\x00\x01"), `0x80000003 "";`)
	option(6, []byte("\x00\x00\x00\x01b\x00\x03\x00\x01\x00\x02\x00\x03"),
		`0x3 "\x00\x01b";0x3 "\x00\x02";0x3 "\x00\x03\x00\x00\x00\x01\x00\x00\x10\x00\x02\x00\x00\x00";`+
			`0x3 "\x00\x00\x00\x00\x00\x00\x00\x0009\x01\x87";0x1 "";`)
	option(2, nil, `0x1 "";`)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the server stays after an abort")
	}
}

func greet(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.ReadFull(conn, make([]byte, 18)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{0, 0, 0, 3}); err != nil {
		t.Fatal(err)
	}
}

// TestExportName takes the old way, with and without the trailing zeroes.
func TestExportName(t *testing.T) {
	connect := serve(t, nbd.Export{Name: "a", Device: block.NewMemory("disk", 512)})
	for flags, want := range map[byte]int{1: 134, 3: 10} {
		conn := connect()
		if _, err := io.ReadFull(conn, make([]byte, 18)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte{0, 0, 0, flags, 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 1, 0, 0, 0, 1, 'a'}); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, want)
		if _, err := io.ReadFull(conn, b); err != nil || binary.BigEndian.Uint64(b) != 512 {
			t.Errorf("flags %d: %x, %v", flags, b, err)
		}
		// Something that is not a request ends the connection.
		if _, err := conn.Write(make([]byte, 28)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(b); err == nil {
			t.Errorf("flags %d: %d more bytes", flags, n)
		}
	}
}

// TestStop ends the server while a client is connected: requests already read
// are answered, then the connection ends.
func TestStop(t *testing.T) {
	server, client := net.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	s := &nbd.Server{Exports: []nbd.Export{{Device: block.NewMemory("disk", 1<<20)}}}
	done := make(chan error)
	go func() { done <- s.ServeConn(ctx, server) }()
	c := open(t, client, "", false)
	if err := c.Write([]byte("data"), 0); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := lab.Receive(t, "the end of the server", done); err != nil {
		t.Error(err)
	}
	if err := c.Read(make([]byte, 4), 0); err == nil {
		t.Error("a read after the end")
	}
}

// TestStopWithUnreadAnswers ends the server while a client is connected that
// accepts no answers: the server must not wait for it for ever.
func TestStopWithUnreadAnswers(t *testing.T) {
	server, client := net.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	s := &nbd.Server{Exports: []nbd.Export{{Device: block.NewMemory("disk", 1<<20)}}}
	done := make(chan error)
	go func() { done <- s.ServeConn(ctx, server) }()
	greet(t, client)
	go func() {
		_, _ = client.Write([]byte("IHAVEOPT\x00\x00\x00\x03\x00\x00\x00\x00")) // list
		stop()
	}()
	if err := lab.Receive(t, "the end of the server", done); err != nil {
		t.Error(err)
	}
}

// FuzzConnection feeds a server whatever a client may send. The server must
// neither panic nor hang, nor allocate memory for data that nobody sends.
func FuzzConnection(f *testing.F) {
	hello := []byte{0, 0, 0, 3}
	f.Add(append(hello, "IHAVEOPT\x00\x00\x00\x01\x00\x00\x00\x00"...))
	f.Add(append(hello, "IHAVEOPT\x00\x00\x00\x07\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x25\x60\x95\x13\x00\x00\x00\x01aaaaaaaa\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04data"...))
	f.Add(append(hello, "IHAVEOPT\x00\x00\x00\x03\x00\x00\x00\x00IHAVEOPT\x00\x00\x00\x08\x00\x00\x00\x00"...))
	f.Fuzz(func(t *testing.T, input []byte) {
		s := &nbd.Server{Exports: []nbd.Export{{Device: block.NewMemory("disk", 1<<20)}}}
		_ = s.ServeConn(t.Context(), &script{in: bytes.NewReader(input)})
	})
}

// script is a connection whose client has sent everything beforehand and
// accepts every answer.
type script struct {
	net.Conn
	in io.Reader
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// Example serves a disk in memory to one client.
func Example() {
	server, client := net.Pipe()
	s := &nbd.Server{Exports: []nbd.Export{{Name: "disk", Device: block.NewMemory("disk", 1<<20)}}}
	go func() { _ = s.ServeConn(context.Background(), server) }()
	c, err := nbdtest.Open(client, "disk", true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Size, c.Write([]byte("hello"), 0))
	p := make([]byte, 5)
	fmt.Println(c.Read(p, 0), string(p))
	// Output:
	// 1048576 <nil>
	// <nil> hello
}
