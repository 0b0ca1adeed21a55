package mapper

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

func TestMain(m *testing.M) { lab.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open returns a Mapper without udev, and makes sure that no device, node or semaphore
// is left.
func open(t *testing.T) *Mapper {
	t.Helper()
	m, err := Open()
	must(t, err)
	t.Cleanup(func() {
		if err := m.Control.RemoveAll(dm.RemoveOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := makeNodes(m); err != nil {
			t.Error(err)
		}
		if left, err := m.Control.List(dm.ListOptions{}); err != nil || len(left) > 0 {
			t.Errorf("devices left behind: %v, %v", left, err)
		}
		if left, err := Cookies(); err != nil || len(left) > 0 {
			t.Errorf("cookies left behind: %v, %v", left, err)
		}
		m.Close()
	})
	return m
}

func apply(t *testing.T, c *Change, err error) *Change {
	t.Helper()
	must(t, err)
	must(t, c.Apply(t.Context(), nil))
	return c
}

func zero(sectors uint64) table.Table { return table.Table{{Length: sectors, Type: "zero"}} }

func create(t *testing.T, m *Mapper, req CreateRequest) *Change {
	t.Helper()
	if req.Owner == (Owner{}) {
		req.Owner = DefaultOwner
	}
	c, err := m.PlanCreate(req)
	return apply(t, c, err)
}

func exists(m *Mapper, name string) bool {
	_, err := os.Lstat(m.Nodes.Path(name))
	return !errors.Is(err, fs.ErrNotExist)
}

func TestLabMapper(t *testing.T) {
	lab.Run(
		t,
		lab.Spec{
			Modules: []string{"dm-mod", "dm-zero", "dm-mirror"},
			Disks:   []lab.Disk{{Size: 16 << 20}, {Size: 16 << 20}},
		},
		lab.Case{Name: "create", Run: labCreate},
		lab.Case{Name: "nothing half made", Run: labRollback},
		lab.Case{Name: "remove", Run: labRemove},
		lab.Case{Name: "change", Run: labChange},
		lab.Case{Name: "stuck", Run: labStuck},
		lab.Case{Name: "nodes", Run: labNodes},
		lab.Case{Name: "world", Run: labWorld},
		lab.Case{Name: "restore", Run: labRestore},
		lab.Case{Name: "events", Run: labEvents},
		lab.Case{Name: "cookies", Run: labCookies},
		lab.Case{Name: "udev", Run: labUdev},
	)
}

func labCreate(t *testing.T, g *lab.Guest) {
	m := open(t)
	c := create(t, m, CreateRequest{
		Name: "a", UUID: "u", Number: &dm.Number{Minor: 7}, Table: zero(64), ReadOnly: true,
		Owner: Owner{UID: 3, GID: 4, Mode: 0o640}, ReadAhead: ReadAhead{Set: true, Sectors: 63},
	})
	if i := c.Info(); i.Number.Minor != 7 || i.UUID != "u" || !i.ReadOnly() || !i.LiveTable() || len(c.Notes()) > 0 {
		t.Errorf("%+v, %v", i, c.Notes())
	}
	var st unix.Stat_t
	must(t, unix.Stat("/dev/mapper/a", &st))
	if st.Uid != 3 || st.Gid != 4 || st.Mode != unix.S_IFBLK|0o640 || unix.Minor(st.Rdev) != 7 {
		t.Errorf("node %+v", st)
	}
	num := c.Info().Number
	if ra, err := GetReadAhead(m.FS, num); ra != 64 || err != nil {
		t.Errorf("read ahead %d, %v", ra, err)
	}
	must(t, SetReadAhead(m.FS, num, ReadAhead{Set: true, AtLeast: true, Sectors: 8}))
	if ra, err := GetReadAhead(m.FS, num); ra != 64 || err != nil {
		t.Errorf("read ahead at least 8: %d, %v", ra, err)
	}
	b := create(t, m, CreateRequest{Name: "b", NodeAtOnce: true})
	if !exists(m, "b") {
		t.Error("no node at once")
	}
	if ra, err := FindReadAhead(m.FS, num, m.Nodes, "a"); ra != 64 || err != nil {
		t.Errorf("read ahead %d, %v", ra, err)
	}
	// A device that never had a table is not in sysfs, and opening its node fails.
	var failed *os.PathError
	if _, err := FindReadAhead(m.FS, b.Info().Number, m.Nodes, "b"); !errors.As(err, &failed) || failed.Op != "open" || !errors.Is(err, unix.ENXIO) {
		t.Errorf("read ahead of a device without a table: %v", err)
	}
	// A dry run lists all steps and does nothing.
	dry, err := m.PlanCreate(CreateRequest{Name: "c", Table: table.Table{{Length: 8, Type: "crypt", Params: "aes-xts-plain64 " + strings.Repeat("ab", 32) + " 0 7:0 0"}}})
	must(t, err)
	text, err := json.Marshal(dry.Describe())
	must(t, err)
	if strings.Contains(string(text), "abab") || !strings.Contains(string(text), "DM_TABLE_LOAD") || exists(m, "c") {
		t.Errorf("dry run: %s", text)
	}
}

// labRollback makes each step of a creation fail in turn.
func labRollback(t *testing.T, g *lab.Guest) {
	m := open(t)
	m.Udev = Semaphores{Deadline: 50 * time.Millisecond}
	refuse := func(what string, req CreateRequest, words string, class error) {
		t.Helper()
		req.Name, req.Owner = "x", DefaultOwner
		c, err := m.PlanCreate(req)
		must(t, err)
		err = c.Apply(t.Context(), nil)
		var failed *plan.PlanError
		if !errors.As(err, &failed) || len(failed.Left) > 0 || !errors.Is(err, class) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := m.Control.Status(dm.ByName("x"), dm.StatusOptions{}); !errors.Is(err, dm.ErrNotExist) {
			t.Errorf("%s: the device is there: %v", what, err)
		}
		if left, err := Cookies(); err != nil || len(left) > 0 {
			t.Errorf("%s: cookies left behind: %v, %v", what, left, err)
		}
	}
	refuse("gap", CreateRequest{Table: table.Table{{Start: 1, Length: 8, Type: "zero"}}}, "Gap in table", dm.ErrInvalid)
	refuse("no such type", CreateRequest{Table: table.Table{{Length: 8, Type: "nonesuch"}}}, "nonesuch", dm.ErrInvalid)
	refuse("reason", CreateRequest{Table: table.Table{{Length: 8, Type: "linear", Params: g.Disks[0] + " x"}}}, "Invalid device sector", dm.ErrInvalid)
	must(t, os.Mkdir("/dev/mapper/x", 0o755))
	refuse("node", CreateRequest{Table: zero(8)}, "something else", ErrNotNode)
	must(t, os.Remove("/dev/mapper/x"))
	ctx, cancel := context.WithCancel(t.Context())
	c, err := m.PlanCreate(CreateRequest{Name: "x", Table: zero(8), Owner: DefaultOwner})
	must(t, err)
	err = c.Apply(ctx, func(s plan.StepInfo) {
		if s.Kind == plan.KindUdev {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || exists(m, "x") {
		t.Errorf("called off while it waits for udev: %v", err)
	}
}

func labRemove(t *testing.T, g *lab.Guest) {
	m := open(t)
	dev := dm.ByName("a")
	create(t, m, CreateRequest{Name: "a", Table: zero(64)})
	f, err := os.Open("/dev/mapper/a")
	must(t, err)
	err = m.PlanRemove(dev, "a", RemoveRequest{}).Apply(t.Context(), nil)
	var full *Error
	if !errors.Is(err, dm.ErrBusy) || !errors.As(err, &full) || !strings.Contains(full.Held, "a is open in") {
		t.Errorf("busy: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = m.PlanRemove(dev, "a", RemoveRequest{Retry: true}).Apply(ctx, func(plan.StepInfo) { cancel() })
	if !errors.Is(err, dm.ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("busy for long: %v", err)
	}
	late := m.PlanRemove(dev, "a", RemoveRequest{Deferred: true})
	must(t, late.Apply(t.Context(), nil))
	if !late.Info().DeferredRemove() || !exists(m, "a") {
		t.Errorf("deferred: %+v, node %t", late.Info(), exists(m, "a"))
	}
	f.Close()
	lab.Until(t, "a deferred removal", func() bool {
		_, err := m.Control.Status(dev, dm.StatusOptions{})
		return errors.Is(err, dm.ErrNotExist)
	})
	// A device that is closed while its removal is being retried is removed.
	create(t, m, CreateRequest{Name: "b", Table: zero(64)})
	f, err = os.Open("/dev/mapper/b")
	must(t, err)
	time.AfterFunc(100*time.Millisecond, func() { f.Close() }) // during the retries
	must(t, m.PlanRemove(dm.ByName("b"), "b", RemoveRequest{Retry: true}).Apply(t.Context(), nil))
	// A forced removal ends I/O that is stuck in a suspended device.
	create(t, m, CreateRequest{Name: "c", Table: zero(64)})
	gone := m.PlanRemove(dm.ByName("c"), "c", RemoveRequest{Force: true})
	must(t, gone.Apply(t.Context(), nil))
	if len(gone.Notes()) > 0 || exists(m, "b") || exists(m, "c") {
		t.Errorf("notes %v, nodes %t %t", gone.Notes(), exists(m, "b"), exists(m, "c"))
	}
	err = m.PlanRemove(dm.ByName("c"), "c", RemoveRequest{}).Apply(t.Context(), nil)
	if !errors.Is(err, dm.ErrNotExist) {
		t.Errorf("a device that is not there: %v", err)
	}
}

func labChange(t *testing.T, g *lab.Guest) {
	m := open(t)
	create(t, m, CreateRequest{Name: "a", Table: zero(64)})
	c, err := m.PlanRename("a", "b", 0)
	apply(t, c, err)
	if exists(m, "a") || !exists(m, "b") {
		t.Error("the node keeps its name")
	}
	apply(t, m.PlanSetUUID("b", "U", 0), nil)
	dev := dm.ByUUID("U")
	apply(t, m.PlanLoad(dev, LoadRequest{Table: zero(8)}), nil)
	if i := apply(t, m.PlanClear(dev), nil).Info(); i.InactiveTable() {
		t.Errorf("cleared: %+v", i)
	}
	apply(t, m.PlanLoad(dev, LoadRequest{Table: zero(8)}), nil)
	if i := apply(t, m.PlanSuspend(dev, dm.SuspendOptions{NoFlush: true, SkipLockFS: true}), nil).Info(); !i.Suspended() {
		t.Errorf("suspended: %+v", i)
	}
	if i := apply(t, m.PlanResume(dev, "b", ResumeRequest{}), nil).Info(); i.Suspended() || i.InactiveTable() {
		t.Errorf("resumed: %+v", i)
	}
	c, err = m.PlanWipe(dev, dm.SuspendOptions{}, 0)
	apply(t, c, err)
	_, lines, err := m.Control.TableStatus(dev, dm.TableStatusOptions{Kind: dm.KindTable})
	if err != nil || len(lines) != 1 || lines[0].Type != "error" || lines[0].Length != 8 {
		t.Errorf("wiped: %v, %v", lines, err)
	}
	create(t, m, CreateRequest{Name: "empty"})
	if _, err := m.PlanWipe(dm.ByName("empty"), dm.SuspendOptions{}, 0); !errors.Is(err, dm.ErrNoTable) {
		t.Errorf("wipe of nothing: %v", err)
	}
	// If a later step of a plan fails, suspend and rename are undone.
	undone := &Change{Plan: plan.Plan{Steps: slices.Concat(
		m.PlanSuspend(dev, dm.SuspendOptions{}).Steps,
		must2(m.PlanRename("b", "c", 0))(t).Steps,
		[]plan.Step{plan.NewStep(plan.StepInfo{What: "fail"}, func(context.Context) error { return errors.ErrUnsupported }, nil)},
	)}}
	if err := undone.Apply(t.Context(), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	info, err := m.Control.Status(dev, dm.StatusOptions{})
	if err != nil || info.Name != "b" || info.Suspended() || !exists(m, "b") || exists(m, "c") {
		t.Errorf("taken back: %+v, %v", info, err)
	}
	if _, err := m.PlanRename("b", "x/y", 0); !errors.Is(err, ErrSlashInName) {
		t.Errorf("a path for a name: %v", err)
	}
}

func must2[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// nodeChange is a node that was made or removed.
type nodeChange struct {
	name string
	made bool
}

// makeNodes corrects the folder of nodes.
func makeNodes(m *Mapper) (changes []nodeChange, err error) {
	plans, err := m.PlanNodes(DefaultOwner)
	for _, p := range plans {
		err = errors.Join(err, p.Apply(context.Background(), nil))
		changes = append(changes, nodeChange{p.Name, p.Make})
	}
	return changes, err
}

// makeNode corrects one node.
func makeNode(t *testing.T, m *Mapper, name string) {
	t.Helper()
	p, err := m.PlanNode(name, DefaultOwner)
	must(t, err)
	must(t, p.Apply(t.Context(), nil))
}

func labNodes(t *testing.T, g *lab.Guest) {
	m := open(t)
	create(t, m, CreateRequest{Name: "a", Table: zero(64)})
	create(t, m, CreateRequest{Name: "b", Table: zero(64)})
	must(t, os.Remove("/dev/mapper/a"))
	must(t, os.WriteFile("/dev/mapper/stray", nil, 0o600))
	must(t, os.Rename("/dev/mapper/b", "/dev/mapper/old"))
	must(t, unix.Mknod("/dev/mapper/b", unix.S_IFBLK, int(unix.Mkdev(7, 99))))
	changes, err := makeNodes(m)
	must(t, err)
	want := []nodeChange{{"b", true}, {"old", false}, {"stray", false}, {"a", true}}
	if !slices.Equal(changes, want) {
		t.Errorf("%v, want %v", changes, want)
	}
	must(t, os.Remove("/dev/mapper/a"))
	makeNode(t, m, "a")
	if !exists(m, "a") {
		t.Error("no node made")
	}
	must(t, os.WriteFile("/dev/mapper/stray", nil, 0o600))
	makeNode(t, m, "stray")
	if exists(m, "stray") {
		t.Error("a stray node stays")
	}
	for _, name := range []string{"", ".", "..", "control", "x/y"} {
		if _, err := m.Nodes.Add(name, dm.Number{}, DefaultOwner); !errors.Is(err, ErrNodeName) {
			t.Errorf("a node called %q: %v", name, err)
		}
	}
}

func labWorld(t *testing.T, g *lab.Guest) {
	m := open(t)
	w := m.World()
	info, err := w.Device(g.Disks[0])
	if err != nil || info.Size != 16<<11 || info.LogicalBlockSize != 512 || info.ReadOnly {
		t.Errorf("%+v, %v", info, err)
	}
	same, err := w.Device(dm.Number{Major: info.Major, Minor: info.Minor}.String())
	if same != info || err != nil {
		t.Errorf("%+v, %v, want %+v", same, err, info)
	}
	for _, ref := range []string{"/dev/nonesuch", "/dev/null", "4095:77"} {
		if _, err := w.Device(ref); err == nil {
			t.Errorf("%s is a device", ref)
		}
	}
	loaded, err := os.ReadFile("/proc/crypto")
	must(t, err)
	_, after, _ := strings.Cut(string(loaded), "name ")
	name, _, _ := strings.Cut(strings.TrimLeft(after, " :"), "\n")
	if list := w.Algorithms(name); len(list) == 0 || list[0].Type == "" {
		t.Errorf("%q: %+v", name, list)
	}
	if list := w.Algorithms("nonesuch"); len(list) > 0 {
		t.Errorf("nonesuch: %+v", list)
	}
	if v, has := w.Target("linear"); has != table.Has || v[0] != 1 {
		t.Errorf("linear %v, %v", v, has)
	}
	if _, has := w.Target("nonesuch"); has != table.Unknown {
		t.Error("there is a nonesuch target, or none for certain")
	}
	must(t, m.Check(table.Table{{Length: 16 << 11, Type: "linear", Params: g.Disks[0] + " 0"}}, false))
	if err := m.Check(table.Table{{Length: 16<<11 + 1, Type: "linear", Params: g.Disks[0] + " 0"}}, true); err == nil {
		t.Error("a table beyond the end of its device passes")
	}
}

func labRestore(t *testing.T, g *lab.Guest) {
	m := open(t)
	m.Udev = NoUdev{Silent: true}
	// z is at the bottom, and a is on top of m: neither names nor numbers show that.
	create(t, m, CreateRequest{Name: "z", Number: &dm.Number{Minor: 9}, Table: table.Table{{Length: 4096, Type: "linear", Params: g.Disks[0] + " 0"}}})
	create(t, m, CreateRequest{Name: "m", UUID: "M", Table: table.Table{{Length: 2048, Type: "linear", Params: "/dev/mapper/z 0"}, {Start: 2048, Length: 1, Type: "error"}}})
	create(t, m, CreateRequest{Name: "a", ReadOnly: true, Table: table.Table{{Length: 1024, Type: "linear", Params: "/dev/mapper/m 8"}}})
	list, err := m.Control.List(dm.ListOptions{})
	must(t, err)
	slices.SortFunc(list, func(a, b dm.Entry) int { return strings.Compare(a.Name, b.Name) })
	names := func(list []dm.Entry) (names []string) {
		for _, e := range list {
			names = append(names, e.Name)
		}
		return names
	}
	if got := names(m.RestoreOrder(list, false)); !slices.Equal(got, []string{"z", "m", "a"}) {
		t.Errorf("order of live tables %q", got)
	}
	// Without inactive tables no device uses another.
	if got := names(m.RestoreOrder(list, true)); !slices.Equal(got, []string{"a", "m", "z"}) {
		t.Errorf("order of inactive tables %q", got)
	}
	for _, name := range []string{"a", "m", "z"} {
		must(t, m.PlanRemove(dm.ByName(name), name, RemoveRequest{}).Apply(t.Context(), nil))
	}
}

func labEvents(t *testing.T, g *lab.Guest) {
	m := open(t)
	ctx := lab.Patient(t)
	create(t, m, CreateRequest{Name: "first", Table: zero(8)})
	var seen []string
	steps := []func(){
		func() { create(t, m, CreateRequest{Name: "second", Table: zero(8)}) },
		func() { apply(t, must2(m.PlanRename("second", "third", 0))(t), nil) },
		func() { apply(t, m.PlanRemove(dm.ByName("first"), "first", RemoveRequest{}), nil) },
	}
	stream, err := m.Events(ctx)
	must(t, err)
	steps[0]()
	steps = steps[1:]
	for e, err := range stream {
		must(t, err)
		if e.Kind == dm.Happened {
			continue // a new name causes an event too (dm_hash_rename)
		}
		seen = append(seen, e.Kind.String()+" "+e.Name)
		if len(steps) == 0 {
			break
		}
		steps[0]()
		steps = steps[1:]
	}
	want := []string{"appeared second", "renamed third", "vanished first"}
	if !slices.Equal(seen, want) {
		t.Errorf("saw %q, want %q", seen, want)
	}
}

func labCookies(t *testing.T, g *lab.Guest) {
	cookie, err := CreateCookie()
	must(t, err)
	round, err := Semaphores{Join: cookie}.Begin()
	must(t, err)
	sent, err := round.Announce(UdevLowPriority)
	must(t, err)
	if sent != uint32(UdevLowPriority|UdevPrimary)<<16|cookie&0xffff {
		t.Errorf("cookie %#x is sent as %#x", cookie, sent)
	}
	list, err := Cookies()
	must(t, err)
	if len(list) != 1 || list[0].Key != cookie || list[0].Value != 2 || time.Since(list[0].LastWrite).Abs() > time.Hour {
		t.Errorf("cookies %+v", list)
	}
	must(t, round.Wait(t.Context())) // whoever created the cookie waits
	must(t, round.Close())
	done := make(chan error)
	go func() { done <- ReleaseCookie(t.Context(), cookie, -1) }()
	must(t, CompleteCookie(sent))
	must(t, <-done)
	if err := CompleteCookie(cookie); !errors.Is(err, ErrNoCookie) {
		t.Errorf("a cookie that is gone: %v", err)
	}
	if err := ReleaseCookie(t.Context(), 0x1234, 0); !errors.Is(err, ErrNoCookie) {
		t.Errorf("no cookie at all: %v", err)
	}
	cookie, err = CreateCookie()
	must(t, err)
	if old, others, err := UntouchedCookies(time.Hour); len(old) != 0 || others != 1 || err != nil {
		t.Errorf("untouched for an hour: %v, others %d, %v", old, others, err)
	}
	go func() { done <- ReleaseCookie(t.Context(), cookie, -1) }()
	// The waiter is released, even if it is not waiting yet.
	old, _, err := UntouchedCookies(0)
	if len(old) > 1 || err != nil {
		t.Errorf("%v, %v", old, err)
	}
	for _, c := range old {
		must(t, c.Remove())
	}
	if err := <-done; err != nil && !errors.Is(err, ErrNoCookie) && !errors.Is(err, unix.EIDRM) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("let go: %v", err)
	}
}

// labUdev plays udev: first it does not answer, then it does.
func labUdev(t *testing.T, g *lab.Guest) {
	m := open(t)
	m.Udev = Semaphores{Deadline: 30 * time.Millisecond}
	c := create(t, m, CreateRequest{Name: "a", Table: zero(8)})
	var late *UdevTimeout
	if len(c.Notes()) != 1 || !errors.As(c.Notes()[0], &late) || late.Left != 1 || !strings.Contains(late.Why, "/run/udev/control") {
		t.Errorf("notes %v", c.Notes())
	}
	if !exists(m, "a") {
		t.Error("no node, although udev made none")
	}
	answered := make(chan uint32, 8)
	udevd(t, answered)
	m.Udev = Semaphores{Deadline: lab.Stretched(time.Minute)}
	c = create(t, m, CreateRequest{Name: "b", Table: zero(8), UdevFlags: UdevNoDiskRules})
	if sent := <-answered; UdevFlags(sent>>16) != UdevPrimary|UdevNoDiskRules {
		t.Errorf("cookie %#x", sent)
	}
	apply(t, m.PlanRemove(dm.ByName("b"), "b", RemoveRequest{}), nil)
	<-answered
	if len(c.Notes()) > 0 {
		t.Errorf("notes %v", c.Notes())
	}
	if DefaultUdev() != (NoUdev{}) {
		t.Error("udev is thought to run here")
	}
}

// udevd answers the cookies of the kernel's uevents, as udev's rule does.
func udevd(t *testing.T, answered chan<- uint32) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	must(t, err)
	must(t, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	t.Cleanup(func() {
		cancel()
		<-done
		unix.Close(fd)
	})
	go func() {
		defer close(done)
		buf := make([]byte, 16<<10)
		for ctx.Err() == nil {
			n, err := unix.Read(fd, buf)
			if err != nil {
				continue
			}
			for field := range strings.SplitSeq(string(buf[:n]), "\x00") {
				digits, ok := strings.CutPrefix(field, "DM_COOKIE=")
				if !ok {
					continue
				}
				cookie, err := strconv.ParseUint(digits, 10, 32)
				if err == nil && CompleteCookie(uint32(cookie)) == nil {
					answered <- uint32(cookie)
				}
			}
		}
	}()
}

// TestDiagnosis shows that problems with udev are recognised by files of the system.
func TestDiagnosis(t *testing.T) {
	root := t.TempDir()
	put := func(path, text string) {
		path = filepath.Join(root, path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	says := func(words string) {
		t.Helper()
		if got := diagnose(sysfs.FS(root)); !strings.Contains(got, words) {
			t.Errorf("%q, want something with %q", got, words)
		}
	}
	says("no daemon runs here")
	put("run/udev/control", "")
	put("proc/1/comm", "init\n")
	says("no process of that name runs")
	put("proc/77/comm", "systemd-udevd\n")
	says("95-dm-notify.rules is in none")
	put("usr/lib/udev/rules.d/95-dm-notify.rules", "")
	says("may be stuck")
	must(t, os.MkdirAll(filepath.Join(root, "proc/1/ns"), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "proc/self/ns"), 0o755))
	must(t, os.Symlink("ipc:[1]", filepath.Join(root, "proc/1/ns/ipc")))
	must(t, os.Symlink("ipc:[2]", filepath.Join(root, "proc/self/ns/ipc")))
	says("IPC namespace of its own")
}
