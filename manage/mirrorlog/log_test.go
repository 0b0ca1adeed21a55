package mirrorlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm/userlog"
)

func TestParseArgs(t *testing.T) {
	for _, c := range []struct {
		text string
		want Args
		ok   bool
	}{
		{"2048 clustered-core 64", Args{Sectors: 2048, Region: 64}, true},
		{"2048 clustered-core 1 64", Args{Sectors: 2048, Region: 64}, true},
		{"2048 clustered-core 2 64 sync", Args{Sectors: 2048, Region: 64, Sync: SyncNever}, true},
		{"2048 clustered-core 2 nosync", Args{Sectors: 2048, Region: 2, Sync: SyncAlways}, true},
		{"2048 clustered-disk 7:1 64 nosync", Args{Sectors: 2048, Device: "7:1", Region: 64, Sync: SyncAlways}, true},
		{"2048 clustered-disk 2 /dev/x 64", Args{Sectors: 2048, Device: "/dev/x", Region: 64}, true},
		{"2048 clustered-core", Args{}, false},
		{"x clustered-core 64", Args{}, false},
		{"0 clustered-core 64", Args{}, false},
		{"2048 clustered-core 63", Args{}, false},
		{"2048 clustered-core 1", Args{}, false},
		{"2048 clustered-core 4096", Args{}, false},
		{"2048 clustered-core 64 maybe", Args{}, false},
		{"2048 clustered-disk /dev/x", Args{}, false},
		{"2048 core 64", Args{}, false},
	} {
		got, err := ParseArgs(c.text)
		switch {
		case c.ok && (got != c.want || err != nil):
			t.Errorf("%q: %+v, %v; want %+v", c.text, got, err, c.want)
		case !c.ok && !errors.Is(err, ErrArgs):
			t.Errorf("%q: %+v, %v; want ErrArgs", c.text, got, err)
		}
	}
}

// memory is a device of a log in memory that can fail.
type memory struct {
	b      []byte
	broken bool
	closed int
}

func (d *memory) ReadAt(p []byte, off int64) (int, error) { return copy(p, d.b[off:]), nil }

func (d *memory) WriteAt(p []byte, off int64) (int, error) {
	if d.broken {
		return 0, unix.EIO
	}
	return copy(d.b[off:], p), nil
}

func (d *memory) Sync() error    { return nil }
func (d *memory) Close() error   { d.closed++; return nil }
func (d *memory) Size() int64    { return int64(len(d.b)) }
func (d *memory) Number() string { return "7:0" }

func ask(t *testing.T, h interface {
	Handle(*userlog.Request) userlog.Reply
}, typ userlog.Type, args ...uint64,
) []uint64 {
	t.Helper()
	req := &userlog.Request{UUID: "u", LUID: 1, Type: typ, Data: userlog.Numbers(args...).Data}
	r := h.Handle(req)
	if r.Errno != 0 {
		t.Fatalf("%v%v: %v", typ, args, unix.Errno(r.Errno))
	}
	return (&userlog.Request{Data: r.Data}).Regions()
}

// TestPowerCut checks that a log that is not flushed after a mark, as at a power cut,
// recovers that region and no other.
func TestPowerCut(t *testing.T) {
	disk := &memory{b: make([]byte, 8192)}
	start := func(sync Sync) *Log {
		l, err := New(Args{Sectors: 1000, Region: 10, Device: "x", Sync: sync}, disk, Owner{})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, l, userlog.Resume)
		return l
	}
	l := start(SyncAlways)
	if n := ask(t, l, userlog.GetSyncCount); n[0] != 100 {
		t.Errorf("%d in sync", n[0])
	}
	ask(t, l, userlog.MarkRegion, 3, 77)
	ask(t, l, userlog.Flush)
	ask(t, l, userlog.ClearRegion, 3) // never flushed
	ask(t, l, userlog.MarkRegion, 5)  // never flushed, so never written to
	l = start(SyncUnknown)
	if n := ask(t, l, userlog.GetSyncCount); n[0] != 98 {
		t.Errorf("%d in sync", n[0])
	}
	if ask(t, l, userlog.InSync, 77)[0] != 0 || ask(t, l, userlog.InSync, 5)[0] != 1 || ask(t, l, userlog.IsClean, 3)[0] != 0 {
		t.Error("other regions than those written to are out of sync")
	}
	if r := ask(t, l, userlog.IsRemoteRecovering, 4); r[0] != 0 || r[1] != 3 {
		t.Errorf("remote %v", r)
	}
	for _, want := range []uint64{3, 77} {
		if w := ask(t, l, userlog.GetResyncWork); w[0] != 1 || w[1] != want {
			t.Errorf("work %v, want %d", w, want)
		}
		ask(t, l, userlog.SetRegionSync, want, 1)
		ask(t, l, userlog.ClearRegion, want)
	}
	if w := ask(t, l, userlog.GetResyncWork); w[0] != 0 {
		t.Errorf("work %v", w)
	}
	ask(t, l, userlog.PostSuspend)
	if n := ask(t, start(SyncUnknown), userlog.GetSyncCount); n[0] != 100 {
		t.Errorf("%d in sync", n[0])
	}
	if n := ask(t, start(SyncNever), userlog.GetSyncCount); n[0] != 0 {
		t.Errorf("%d in sync", n[0])
	}
	if binary.LittleEndian.Uint32(disk.b) != storeMagic {
		t.Error("no log on the device")
	}
}

func TestRefusals(t *testing.T) {
	disk := &memory{b: make([]byte, 8192)}
	l, err := New(Args{Sectors: 1000, Region: 10, Device: "x"}, disk, Owner{})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []*userlog.Request{
		{Type: userlog.IsClean},
		{Type: userlog.IsClean, Data: userlog.Numbers(100).Data},
		{Type: userlog.MarkRegion, Data: userlog.Numbers(1, 1<<60).Data},
		{Type: userlog.SetRegionSync, Data: userlog.Numbers(1).Data},
	} {
		if r := l.Handle(req); unix.Errno(r.Errno) != unix.EINVAL {
			t.Errorf("%v: %v", req.Type, unix.Errno(r.Errno))
		}
	}
	if r := l.Handle(&userlog.Request{Type: userlog.StatusTable}); unix.Errno(r.Errno) != unix.EOPNOTSUPP {
		t.Errorf("%v", unix.Errno(r.Errno))
	}
	disk.broken = true
	if r := l.Handle(&userlog.Request{Type: userlog.Resume}); unix.Errno(r.Errno) != unix.EIO {
		t.Errorf("%v", unix.Errno(r.Errno))
	}
	if l.info() != "3 clustered-disk 7:0 D" {
		t.Error(l.info())
	}
	if _, err := New(Args{Sectors: 1 << 30, Region: 2, Device: "x"}, disk, Owner{}); !errors.Is(err, ErrTooSmall) {
		t.Error(err)
	}
	if _, err := New(Args{Sectors: 8, Region: 2, Device: "x"}, nil, Owner{}); !errors.Is(err, ErrArgs) {
		t.Error(err)
	}
}

// TestServer includes a table that is loaded again: that makes a log of the same name
// before the old one is given up.
func TestServer(t *testing.T) {
	disk := &memory{b: make([]byte, 8192)}
	var told []Report
	s := &Server{Open: func(string) (Disk, error) { return disk, nil }, Report: func(r Report) { told = append(told, r) }}
	make1 := &userlog.Request{UUID: "u", LUID: 1, Type: userlog.Construct, Data: userlog.Text("1000 clustered-disk x 8").Data}
	if r := s.Handle(make1); r.Errno != 0 || string(r.Data) != "7:0\x00" {
		t.Errorf("%+v", r)
	}
	make2 := *make1
	make2.LUID = 2
	s.Handle(&make2)
	s.Handle(&userlog.Request{UUID: "u", LUID: 1, Type: userlog.Destroy})
	if n := ask(t, s, userlog.GetRegionSize); n[0] != 8 {
		t.Errorf("%v", n)
	}
	s.Handle(&userlog.Request{UUID: "u", LUID: 2, Type: userlog.Destroy})
	if r := s.Handle(&userlog.Request{UUID: "u", LUID: 2, Type: userlog.Flush}); unix.Errno(r.Errno) != unix.ESRCH {
		t.Errorf("%+v", r)
	}
	if disk.closed != 2 || len(told) != 4 || told[3].Err == nil {
		t.Errorf("closed %d times, told %v", disk.closed, told)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestTakeOver checks that a server that takes over a log in use, for which the kernel
// repeats the arguments from the table, continues with what is on the device. For a
// mirror that is made anew, "nosync" counts.
func TestTakeOver(t *testing.T) {
	disk := &memory{b: make([]byte, 8192)}
	boot := [16]byte{1}
	send := func(s *Server, luid uint64, typ userlog.Type, data []byte) []uint64 {
		r := s.Handle(&userlog.Request{UUID: "u", LUID: luid, Type: typ, Data: data})
		if r.Errno != 0 {
			t.Fatalf("%v: %v", typ, unix.Errno(r.Errno))
		}
		return (&userlog.Request{Data: r.Data}).Regions()
	}
	start := func(luid uint64, boot [16]byte) (*Server, uint64) {
		s := &Server{Open: func(string) (Disk, error) { return disk, nil }, Boot: boot}
		send(s, luid, userlog.Construct, userlog.Text("1000 clustered-disk x 8 nosync").Data)
		send(s, luid, userlog.Resume, nil)
		return s, send(s, luid, userlog.GetSyncCount, nil)[0]
	}
	const all = 125
	s, n := start(5, boot)
	if n != all {
		t.Errorf("new: %d in sync", n)
	}
	send(s, 5, userlog.MarkRegion, userlog.Numbers(3, 77).Data)
	send(s, 5, userlog.Flush, nil)
	for range 2 { // and once more
		if _, n = start(5, boot); n != all-2 {
			t.Errorf("taken over: %d in sync", n)
		}
	}
	for name, next := range map[string]struct {
		luid uint64
		boot [16]byte
	}{"another table": {6, boot}, "another kernel": {5, [16]byte{2}}} {
		was := bytes.Clone(disk.b)
		if _, n := start(next.luid, next.boot); n != all {
			t.Errorf("%s: %d in sync", name, n)
		}
		disk.b = was
	}
	// A server that takes over is asked twice: the second answer must have no data.
	s, _ = start(5, boot)
	if r := s.Handle(&userlog.Request{
		UUID: "u", LUID: 5, Type: userlog.Construct,
		Data: userlog.Text("1000 clustered-disk x 8 nosync").Data,
	}); r.Errno != 0 || len(r.Data) != 0 {
		t.Errorf("asked again: %+v", r)
	}
	// The number of a log that is gone may be given to another.
	s, _ = start(5, boot)
	send(s, 5, userlog.Destroy, nil)
	if _, n := start(5, boot); n != all {
		t.Errorf("the number again: %d in sync", n)
	}
}
