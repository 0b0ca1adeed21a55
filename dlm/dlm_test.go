package dlm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
	"github.com/mdkit/mdkit/sysfs"
)

func TestModes(t *testing.T) {
	for m := dlm.ModeNone; m <= dlm.EX; m++ {
		if got, err := dlm.ParseMode(m.String()); got != m || err != nil {
			t.Errorf("%v read back as %v, %v", m, got, err)
		}
		for o := dlm.ModeNone; o <= dlm.EX; o++ {
			if dlm.Compatible(m, o) != dlm.Compatible(o, m) {
				t.Errorf("%v goes with %v, but not the other way round", m, o)
			}
		}
	}
	if _, err := dlm.ParseMode("XX"); !errors.Is(err, dlm.ErrInvalid) {
		t.Error(err)
	}
	if s := (dlm.NoQueue | dlm.Orphan | 1<<30).String(); s != "NOQUEUE|ORPHAN|0x40000000" {
		t.Error(s)
	}
	if s := dlm.RecoverStatus(0x50).String(); s != "LOCKS|DONE" {
		t.Error(s)
	}
	if s := (dlm.ValueInvalid | dlm.Demoted).String(); s != "DEMOTED|VALNOTVALID" {
		t.Error(s)
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "lab", "8a8ef3c4-2d1b-4b5c-9c42-0d8a3d8d5a21", strings.Repeat("x", 63)} {
		if err := dlm.CheckLockspaceName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "a b", "a\n", "ä", "\x00", strings.Repeat("x", 64)} {
		err := dlm.CheckClusterName(bad)
		if !errors.Is(err, dlm.ErrInvalid) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestEvents reads what a kernel was seen to send.
func TestEvents(t *testing.T) {
	message := func(lines ...string) []byte { return []byte(strings.Join(lines, "\x00") + "\x00") }
	seen := message("online@/kernel/dlm/tst", "ACTION=online", "DEVPATH=/kernel/dlm/tst", "SUBSYSTEM=dlm", "LOCKSPACE=tst", "SEQNUM=1234")
	e, ours, err := dlm.ParseEvent(seen)
	if want := (dlm.Event{Action: dlm.Joining, Space: "tst", Sequence: 1234}); e != want || !ours || err != nil {
		t.Errorf("%+v, %v, %v", e, ours, err)
	}
	e, _, err = dlm.ParseEvent(message("offline@/kernel/dlm/t", "ACTION=offline", "SUBSYSTEM=dlm", "LOCKSPACE=t", "RELEASE_RECOVER=1", "SEQNUM=1"))
	if e.Action != dlm.Leaving || !e.Recover || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
	for _, others := range [][]byte{message("add@/block/sda", "ACTION=add", "SUBSYSTEM=block"), []byte("libudev\x00..."), nil} {
		if _, ours, err := dlm.ParseEvent(others); ours || err != nil {
			t.Errorf("%q: %v, %v", others, ours, err)
		}
	}
	for _, bad := range [][]byte{
		message("online@/x", "ACTION=online", "SUBSYSTEM=dlm", "SEQNUM=1"),
		message("online@/x", "ACTION=offline", "SUBSYSTEM=dlm", "LOCKSPACE=x", "SEQNUM=1"),
		message("online@/x", "ACTION=online", "SUBSYSTEM=dlm", "LOCKSPACE=x", "SEQNUM=one"),
	} {
		if _, _, err := dlm.ParseEvent(bad); !errors.Is(err, dlm.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The dumps have the form of fs/dlm/debug_fs.c of 6.1.
const (
	locksDump = "id nodeid remid pid xid exflags flags sts grmode rqmode time_ms r_nodeid r_len r_name\n" +
		"1 0 0 812 0 0 0 2 5 -1 1500 0 1 \"r\"\n" +
		"2 2 3 0 7 9 10000 3 2 5 20 0 10 \"bitmap0001\"\n" +
		"4 0 0 1 18446744073709551615 4 0 1 -1 3 1 -1 5 \"a b\"\n"
	waitersDump   = "3 1 2 bitmap0001\n4 11 1 a b\n"
	resourcesDump = "version rsb 1.1 lvb 1.1 lkb 1.1\n" +
		"rsb 00000000a1b2c3d4 0 0 0 0 0 0 5 str token\n" +
		"lvb 3 4 01 02 03 ff\n" +
		"lkb 1 0 0 812 0 0 0 2 5 -1 3 0 0 0 5000 6000\n" +
		"lkb 2 2 3 0 0 9 10000 1 -1 3 0 0 1 0 7000 0\n" +
		"rsb 00000000ffffffff -1 4 10 1 0 2 2 hex 00 0a\n" +
		"lkb 4 0 0 9 0 0 0 1 -1 0 0 1 11 0 0 0\n"
)

func TestDumps(t *testing.T) {
	locks, err := dlm.ParseLocks(locksDump)
	if err != nil || len(locks) != 3 {
		t.Fatalf("%+v, %v", locks, err)
	}
	if l := locks[0]; l.Held != dlm.EX || l.Wanted != dlm.ModeNone || l.Queue != dlm.Granted || l.Thread != 812 || l.For.Microseconds() != 1500 || l.Copy() {
		t.Errorf("%+v", l)
	}
	if l := locks[1]; !l.Copy() || l.Node != 2 || l.Resource != "bitmap0001" || l.Flags != dlm.NoQueue|dlm.ValueBlock || l.Queue.String() != "converting" {
		t.Errorf("%+v", l)
	}
	if l := locks[2]; l.Master != -1 || l.Resource != "a b" || !l.Truncated || l.Queue != dlm.Waiting {
		t.Errorf("%+v", l)
	}
	waiters, err := dlm.ParseWaiters(waitersDump)
	if want := []dlm.WaiterInfo{{ID: 3, Type: 1, Node: 2, Resource: "bitmap0001"}, {ID: 4, Type: 11, Node: 1, Resource: "a b"}}; err != nil || !slices.Equal(waiters, want) {
		t.Errorf("%+v, %v", waiters, err)
	}
	all, err := dlm.ParseResources(resourcesDump)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if r := all[0]; r.Name != "token" || !bytes.Equal(r.Value, []byte{1, 2, 3, 255}) || len(r.Locks) != 2 || r.Locks[0].Blocked != dlm.PR || r.Locks[1].WaitType != 1 {
		t.Errorf("%+v", r)
	}
	if r := all[1]; r.Name != "\x00\n" || r.Master != -1 || !r.Recovering || r.Value != nil || !r.Locks[0].Lookup {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"1 2 3", "1 0 0 812 0 0 0 2 5 -1 1500 0 1 r", "x 0 0 812 0 0 0 2 5 -1 1500 0 1 \"r\"", "1 0 0 812 0 0 0 2 5 -1 1500 0 1 \"rr\""} {
		if _, err := dlm.ParseLocks(bad); !errors.Is(err, dlm.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"lvb 1 2 00 00", "foo", "rsb 0 0 0 0 0 0 0 5 str t", "rsb 0 0 0 0 0 0 0 1 oct t", "rsb 0 0 0 0 0 0 0 1 str t\nlvb 1 2 00"} {
		if _, err := dlm.ParseResources(bad); !errors.Is(err, dlm.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// warning is a message as fs/dlm/netlink.c of 6.1 builds it: no kernel that is at hand
// has the family, so the bytes are put together from the structures of its header.
func warning() []byte {
	lock := make([]byte, 120)
	binary.NativeEndian.PutUint16(lock, 1)
	for off, v := range map[int]uint32{4: 720911623, 8: 2, 12: 812, 16: 0x10001, 20: 0x20002, 48: 5} {
		binary.NativeEndian.PutUint32(lock[off:], v)
	}
	binary.NativeEndian.PutUint64(lock[24:], 7)
	copy(lock[32:], []byte{3, 1, 5})
	copy(lock[52:], "token")
	b := []byte{2, 1, 0, 0} // DLM_CMD_TIMEOUT
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(lock)))
	b = binary.NativeEndian.AppendUint16(b, 1)
	return append(b, lock...)
}

func TestWarnings(t *testing.T) {
	want := dlm.Warning{SpaceID: 720911623, Node: 2, Thread: 812, ID: 0x10001, RemoteID: 0x20002, XID: 7, Queue: dlm.Converting, Held: dlm.CR, Wanted: dlm.EX, Resource: "token"}
	if w, ours, err := dlm.ParseWarning(warning()); w != want || !ours || err != nil {
		t.Errorf("%+v, %v, %v", w, ours, err)
	}
	if _, ours, err := dlm.ParseWarning([]byte{1, 1, 0, 0}); ours || err != nil {
		t.Errorf("a hello: %v, %v", ours, err)
	}
	for cut := range len(warning()) {
		if w, ours, err := dlm.ParseWarning(warning()[:cut]); err == nil && ours {
			t.Errorf("the first %d bytes: %+v", cut, w)
		}
	}
}

// TestNoDLM is a machine whose kernel has none.
func TestNoDLM(t *testing.T) {
	root := sysfs.FS(t.TempDir())
	if _, err := dlm.NewConfig(root).Present(); !errors.Is(err, dlm.ErrNoDLM) {
		t.Error(err)
	}
	if all, err := dlm.Lockspaces(root); len(all) != 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := dlm.NewDebug(root).Locks("tst"); !errors.Is(err, dlm.ErrNotVisible) {
		t.Error(err)
	}
	if err := dlm.NewConfig(root).AddComm(dlm.Comm{Node: 1, Addrs: []netip.Addr{netip.IPv6Loopback()}}); !errors.Is(err, dlm.ErrNoCluster) {
		t.Error(err)
	}
}

func FuzzDumps(f *testing.F) {
	for _, s := range []string{locksDump, waitersDump, resourcesDump} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fuzztest.Bounded(t, len(s), func() {
			for _, parse := range []func() error{
				func() error { _, err := dlm.ParseLocks(s); return err },
				func() error { _, err := dlm.ParseWaiters(s); return err },
				func() error { _, err := dlm.ParseResources(s); return err },
			} {
				if err := parse(); err != nil && (!errors.Is(err, dlm.ErrMalformed) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("%q", err)
				}
			}
		})
	})
}

func FuzzMessages(f *testing.F) {
	f.Add(warning())
	f.Add([]byte("online@/kernel/dlm/tst\x00ACTION=online\x00SUBSYSTEM=dlm\x00LOCKSPACE=tst\x00SEQNUM=1\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztest.Bounded(t, len(b), func() {
			if w, ours, err := dlm.ParseWarning(b); err == nil && ours && len(w.Resource) > dlm.MaxName {
				t.Errorf("%+v", w)
			}
			if e, ours, err := dlm.ParseEvent(b); err == nil && ours && e.Space == "" {
				t.Errorf("%+v", e)
			}
		})
	})
}

// TestParseUnused reads what Debian's kernel prints (print_format4).
func TestParseUnused(t *testing.T) {
	all, err := dlm.ParseUnused("version rsb 1.0\n" +
		"rsb 00000000d7a4c9a4 0 1 2 1 4294906523 4 4 str kept\n" +
		"rsb 00000000d7a4c9a5 2 2 1 1 4294906523 4 2 hex 01 0a\n")
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if want := (dlm.UnusedResource{Name: "kept", Master: 1, Directory: 2, Own: 1}); all[0] != want {
		t.Errorf("%+v", all[0])
	}
	if want := (dlm.UnusedResource{Name: "\x01\n", Node: 2, Master: 2, Directory: 1, Own: 1}); all[1] != want {
		t.Errorf("%+v", all[1])
	}
	for _, bad := range []string{"rsb 0 0 1 2 1 1 4 4 str", "rsb 0 x 1 2 1 1 4 4 str kept", "rsb 0 0 1 2 1 1 4 5 str kept", "rsb 0 0 1 2 1 1 4 4 odd kept"} {
		if _, err := dlm.ParseUnused(bad + "\n"); !errors.Is(err, dlm.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
