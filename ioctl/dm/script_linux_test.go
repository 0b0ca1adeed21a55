package dm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// session is what testdata/session-6.1.jsonl is a record of: the lab played it
// on a Linux 6.1, and plays it again with every run.
func session(ctx context.Context, c *Control) (said []string, err error) {
	note := func(what any, err error) {
		said = append(said, fmt.Sprintf("%v, %v", what, err))
	}
	v, err := c.Version()
	note(v.Major, err)
	info, err := c.Create("one", CreateOptions{UUID: "u1"})
	note(info.Name, err)
	_, err = c.Create("one", CreateOptions{})
	note("again", err)
	dev := ByName("one")
	info, err = c.Load(dev, []Target{line(0, 8, "zero", ""), line(8, 8, "error", "")}, LoadOptions{Secure: true})
	note(info.InactiveTable(), err)
	p, err := c.Poller()
	if err != nil {
		return said, err
	}
	defer p.Close()
	info, err = c.Resume(dev, ResumeOptions{Cookie: 0x40<<16 | 0x1234})
	note(info.TargetCount, err)
	info, lines, err := c.TableStatus(dev, TableStatusOptions{Kind: KindTable})
	note(lines, err)
	_, deps, err := c.Deps(dev, DepsOptions{})
	note(len(deps), err)
	list, err := c.List(ListOptions{NamePrefix: "on"})
	note(len(list), err)
	if len(list) == 1 {
		note(list[0].UUID, nil)
	}
	reply, replied, err := c.Message(dev, 0, "@stats_create - /1", MessageOptions{})
	note(fmt.Sprint(reply, replied), err)
	_, _, err = c.Message(dev, 0, "hello", MessageOptions{})
	note("hello", err)
	info, err = c.Rename("one", "two", RenameOptions{})
	note(info.Name, err)
	changes, err := p.Next(ctx)
	note(len(changes), err)
	for _, ch := range changes {
		note(ch.Kind, nil)
	}
	_, err = c.Remove(ByUUID("u1"), RemoveOptions{})
	note("removed", err)
	_, err = c.Status(ByName("two"), StatusOptions{})
	note("gone", err)
	return said, nil
}

var sessionSays = []string{
	"4, <nil>",
	"one, <nil>",
	"again, DM_DEV_CREATE one: a device of that name, UUID or minor number exists already (EBUSY)",
	"true, <nil>",
	"2, <nil>",
	"[0 8 zero  8 8 error ], <nil>",
	"0, <nil>",
	"1, <nil>",
	"u1, <nil>",
	"0true, <nil>",
	"hello, DM_TARGET_MSG one: the target does not take that message; the kernel log says why (EINVAL)",
	"two, <nil>",
	"2, <nil>",
	"renamed, <nil>",
	"event, <nil>",
	"removed, <nil>",
	"gone, DM_DEV_STATUS two: no such device (ENXIO)",
}

func checkSession(t *testing.T, c *Control) {
	t.Helper()
	said, err := session(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(said, "\n"), strings.Join(sessionSays, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func recorded(t testing.TB) []Exchange {
	t.Helper()
	text, err := os.ReadFile("testdata/session-6.1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	list, err := ReadExchanges(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sessionReplies are replies of a kernel, as seeds for fuzzing.
func sessionReplies(t testing.TB) (replies [][]byte) {
	for _, x := range recorded(t) {
		if x.Reply != nil {
			replies = append(replies, x.Reply)
		}
	}
	return replies
}

// A record of a kernel answers as the kernel did.
func TestSessionWithoutKernel(t *testing.T) {
	needLittleEndian(t)
	s := NewScript(recorded(t))
	checkSession(t, NewControl(s))
	if err := s.Done(); err != nil {
		t.Error(err)
	}
}

// The record comes from a little-endian machine.
func needLittleEndian(t *testing.T) {
	t.Helper()
	if native.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the record is of a little-endian machine")
	}
}

func TestScriptTellsDepartures(t *testing.T) {
	needLittleEndian(t)
	list := recorded(t)
	for what, change := range map[string]func(*Control) error{
		"DM_DEV_STATUS, where DM_VERSION": func(c *Control) error { _, err := c.Status(ByName("x"), StatusOptions{}); return err },
		"with another name":               func(c *Control) error { c.Version(); _, err := c.Create("x", CreateOptions{UUID: "u1"}); return err },
		"with another UUID":               func(c *Control) error { c.Version(); _, err := c.Create("one", CreateOptions{}); return err },
		"with another flag word": func(c *Control) error {
			c.Version()
			_, err := c.Create("one", CreateOptions{UUID: "u1", Persistent: true})
			return err
		},
	} {
		s := NewScript(list)
		err := change(NewControl(s))
		if !errors.Is(err, ErrScript) || !strings.Contains(err.Error(), what) || !errors.Is(s.Done(), ErrScript) {
			t.Errorf("%v, want %s", err, what)
		}
	}
	s := NewScript(list[:1])
	if err := s.Done(); !errors.Is(err, ErrScript) {
		t.Errorf("something is left: %v", err)
	}
	c := NewControl(s)
	if _, err := c.Version(); err != nil || s.Done() != nil {
		t.Errorf("%v, %v", err, s.Done())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Poll(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("wait after the end: %v", err)
	}
}

// fake is a device mapper that answers as it is told to.
type fake func(cmd Command, buf []byte) (int, error)

func (f fake) Do(cmd Command, buf []byte) (int, error) { return f(cmd, buf) }
func (f fake) Poll(context.Context) error              { return nil }
func (f fake) Another() (Transport, error)             { return f, nil }
func (f fake) Close() error                            { return nil }

// A message whose reply does not fit is sent only once, unless repeating it is
// harmless.
func TestMessagesAreNotRepeated(t *testing.T) {
	for _, c := range []struct {
		message string
		o       MessageOptions
		sent    int
		lost    bool
	}{
		{"stats", MessageOptions{}, 1, true},
		{"stats", MessageOptions{Room: 2 << 20}, 1, false},
		{"stats", MessageOptions{Repeat: true}, 5, false},
		{"@stats_create - /1", MessageOptions{}, 1, true},
		{"@stats_list", MessageOptions{}, 5, false},
		{" @stats_PRINT 0", MessageOptions{}, 5, false},
		{"@stats_print_clear 0", MessageOptions{}, 5, false},
	} {
		sent := 0
		const size = 1 << 20
		ctl := NewControl(fake(func(_ Command, buf []byte) (int, error) {
			sent++
			native.PutUint32(buf[4:], 47)
			if len(buf) < headerSize+size {
				native.PutUint32(buf[offFlags:], uint32(FlagDataOut|FlagBufferFull))
				native.PutUint32(buf[offDataSize:], offData)
				return 0, nil
			}
			native.PutUint32(buf[offFlags:], uint32(FlagDataOut))
			copy(buf[headerSize:], strings.Repeat("x", size-1))
			return 0, nil
		}))
		reply, replied, err := ctl.Message(ByName("a"), 0, c.message, c.o)
		if sent != c.sent || errors.Is(err, ErrReplyLost) != c.lost || !replied || !c.lost && len(reply) != size-1 {
			t.Errorf("%q %+v: sent %d times, %d bytes, %v", c.message, c.o, sent, len(reply), err)
		}
		if c.lost && !strings.Contains(err.Error(), "not sent again") {
			t.Errorf("%q: %v", c.message, err)
		}
	}
}

// Options that an old kernel would ignore are refused instead.
func TestOldKernels(t *testing.T) {
	seen := 0
	c := NewControl(fake(func(cmd Command, buf []byte) (int, error) {
		if minor := native.Uint32(buf[4:]); minor > 10 {
			return 0, unix.EINVAL
		}
		native.PutUint32(buf[4:], 10)
		native.PutUint32(buf[offDataSize:], offData)
		if cmd != CmdVersion {
			seen++
		}
		return 0, nil
	}))
	dev := ByName("a")
	secure := []byte("key")
	for what, call := range map[string]func() error{
		"deferred":     func() error { _, err := c.Remove(dev, RemoveOptions{Deferred: true}); return err },
		"deferred all": func() error { return c.RemoveAll(RemoveOptions{Deferred: true}) },
		"uuid":         func() error { _, err := c.SetUUID("a", "u", RenameOptions{}); return err },
		"inactive":     func() error { _, err := c.Status(dev, StatusOptions{Inactive: true}); return err },
		"inactive dep": func() error { _, _, err := c.Deps(dev, DepsOptions{Inactive: true}); return err },
		"secure load": func() error {
			_, err := c.Load(dev, []Target{line(0, 1, "crypt", string(secure))}, LoadOptions{Secure: true})
			return err
		},
		"secure message": func() error { _, _, err := c.Message(dev, 0, "key wipe", MessageOptions{Secure: true}); return err },
		"ima":            func() error { _, _, err := c.TableStatus(dev, TableStatusOptions{Kind: KindIMA}); return err },
		"prefix":         func() error { _, err := c.List(ListOptions{UUIDPrefix: "x"}); return err },
		"target":         func() error { _, err := c.TargetVersion("zero"); return err },
	} {
		if err := call(); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "4.10.0") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if seen > 0 {
		t.Errorf("the kernel was asked %d times", seen)
	}
}

// Text that would reach the kernel truncated is refused.
func TestBadInput(t *testing.T) {
	c := NewControl(NewScript(nil))
	long := strings.Repeat("x", 129)
	for what, call := range map[string]func() error{
		"no device":     func() error { _, err := c.Status(Device{}, StatusOptions{}); return err },
		"long name":     func() error { _, err := c.Create(long[:128], CreateOptions{}); return err },
		"no name":       func() error { _, err := c.Create("", CreateOptions{}); return err },
		"long uuid":     func() error { _, err := c.Create("a", CreateOptions{UUID: long}); return err },
		"zero byte":     func() error { _, err := c.Clear(ByName("a\x00b")); return err },
		"long new name": func() error { _, err := c.Rename("a", long[:128], RenameOptions{}); return err },
		"no new name":   func() error { _, err := c.Rename("a", "", RenameOptions{}); return err },
		"long prefix":   func() error { _, err := c.List(ListOptions{NamePrefix: long[:128]}); return err },
		"long uuid prefix": func() error {
			_, err := c.List(ListOptions{UUIDPrefix: long})
			return err
		},
		"type": func() error {
			_, err := c.Load(ByName("a"), []Target{line(0, 1, long[:16], "")}, LoadOptions{})
			return err
		},
		"no type": func() error { _, err := c.Load(ByName("a"), []Target{line(0, 1, "", "")}, LoadOptions{}); return err },
		"zero args": func() error {
			_, err := c.Load(ByName("a"), []Target{line(0, 1, "x", "\x00")}, LoadOptions{})
			return err
		},
		"message": func() error { _, _, err := c.Message(ByName("a"), 0, "\x00", MessageOptions{}); return err },
		"target":  func() error { _, err := c.TargetVersion(""); return err },
	} {
		if err := call(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWords(t *testing.T) {
	if s := (FlagReadOnly | FlagNoFlush | 1<<30).String(); s != "readonly|noflush|bit30" {
		t.Error(s)
	}
	for n, dev := range map[Number]uint64{{253, 7}: 0xfd07, {0xfff, 0xfffff}: 0xfffffff | 0xff<<20&0xfff00000 | 0xfff00000} {
		if n.Dev() != dev || numberOf(dev) != n {
			t.Errorf("%v is %#x, %#x is %v", n, n.Dev(), dev, numberOf(dev))
		}
	}
	if s := ByNumber(253, 7).String() + " " + ByUUID("u").String() + " " + Command(99).String(); s != "253:7 uuid u DM command 99" {
		t.Error(s)
	}
	if s := (TargetVersion{Name: "zero", Version: [3]uint32{1, 2, 3}}).String(); s != "zero v1.2.3" {
		t.Error(s)
	}
}

func TestCompare(t *testing.T) {
	n := func(minor uint32) Number { return Number{253, minor} }
	before := []Entry{
		{Name: "a", Number: n(1), EventNr: 1},
		{Name: "b", Number: n(2), EventNr: 1},
		{Name: "c", Number: n(3), UUID: "u"},
		{Name: "d", Number: n(4)},
		{Name: "e", Number: n(5), EventNr: 9},
	}
	after := []Entry{
		{Name: "a", Number: n(1), EventNr: 2},
		{Name: "bb", Number: n(2), EventNr: 1},
		{Name: "c", Number: n(3), UUID: "v"},
		{Name: "d", Number: n(6)},
		{Name: "ee", Number: n(5), EventNr: 0},
	}
	var got []string
	for _, c := range compare(before, after) {
		got = append(got, c.Kind.String()+" "+c.Name)
	}
	want := "event a,renamed bb,vanished c,appeared c,vanished d,appeared d,vanished e,appeared ee"
	if s := strings.Join(got, ","); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if c := compare(after, after); len(c) > 0 {
		t.Errorf("no change: %v", c)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		e    *Error
		is   []error
		not  []error
		text string
	}{
		{
			&Error{Command: CmdDevRemove, Device: "a", Errno: unix.EBUSY},
			[]error{ErrBusy, unix.EBUSY},
			[]error{ErrExist},
			"DM_DEV_REMOVE a: still in use: mounted, under another device, or open in a process (EBUSY)",
		},
		{
			&Error{Command: CmdDevRename, Device: "a", Errno: unix.EBUSY},
			[]error{ErrBusy, ErrExist},
			nil,
			"DM_DEV_RENAME a: a device of that name or UUID exists already (EBUSY)",
		},
		{&Error{Command: CmdTargetMsg, Device: "a", Class: ErrNoTable}, []error{ErrNoTable}, []error{ErrInvalid}, "DM_TARGET_MSG a: no live table"},
		{
			&Error{Command: CmdTableLoad, Device: "a", Errno: unix.EINVAL, Reason: "Gap in table"},
			[]error{ErrInvalid},
			nil,
			"DM_TABLE_LOAD a: the table is not accepted; the kernel log says why: Gap in table (EINVAL)",
		},
		{&Error{Command: CmdVersion, Errno: 4000}, nil, []error{ErrInvalid}, "DM_VERSION: errno 4000 (errno 4000)"},
		{&Error{Command: CmdMpathProbePaths, Device: "a", Errno: unix.ENOTCONN}, []error{ErrNoPath}, nil, "DM_MPATH_PROBE_PATHS a: no path is usable (ENOTCONN)"},
	} {
		if c.e.Error() != c.text {
			t.Errorf("got  %v\nwant %s", c.e, c.text)
		}
		for _, target := range c.is {
			if !errors.Is(c.e, target) {
				t.Errorf("%v does not match %v", c.e, target)
			}
		}
		for _, target := range c.not {
			if errors.Is(c.e, target) {
				t.Errorf("%v matches %v", c.e, target)
			}
		}
	}
}

func TestReplyErrors(t *testing.T) {
	u32 := func(n ...uint32) (b []byte) {
		for _, v := range n {
			b = native.AppendUint32(b, v)
		}
		return b
	}
	for what, call := range map[string]func() error{
		"short header": func() error { _, err := parseReply(make([]byte, 100)); return err },
		"beyond": func() error {
			b := make([]byte, headerSize)
			native.PutUint32(b[offDataSize:], 9999)
			native.PutUint32(b[offDataFrom:], headerSize)
			_, err := parseReply(b)
			return err
		},
		"list cut off":  func() error { _, err := parseNames(u32(1, 0), true, true); return err },
		"list next":     func() error { _, err := parseNames(u32(1, 0, 4, 0), true, true); return err },
		"list no end":   func() error { _, err := parseNames(append(u32(1, 0, 0), "abc"...), true, true); return err },
		"list no event": func() error { _, err := parseNames(append(u32(1, 0, 0), "ab\x00\x00"...), true, true); return err },
		"deps":          func() error { _, err := parseDeps(u32(2, 0, 1, 1)); return err },
		"versions":      func() error { _, err := parseVersions(append(u32(5, 1, 1, 1), "zero\x00"...)); return err },
		"targets":       func() error { _, err := parseTargets(make([]byte, 64), 2); return err },
	} {
		var e *ReplyError
		if err := call(); !errors.Is(err, ErrReply) || !errors.As(err, &e) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
