package dm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestLabCommands issues every command, with every flag, on a real kernel.
func TestLabCommands(t *testing.T) {
	lab.Run(
		t,
		lab.Spec{
			Modules: []string{"dm-mod", "dm-zero", "dm-snapshot", "dm-multipath", "dm-round-robin", "dm-delay"},
			Disks:   []lab.Disk{{Size: 16 << 20}, {Size: 16 << 20}},
		},
		lab.Case{Name: "session", Run: labSession},
		lab.Case{Name: "create", Run: labCreate},
		lab.Case{Name: "rename", Run: labRename},
		lab.Case{Name: "tables", Run: labTables},
		lab.Case{Name: "suspend", Run: labSuspend},
		lab.Case{Name: "bounded", Run: labBounded},
		lab.Case{Name: "remove", Run: labRemove},
		lab.Case{Name: "growth", Run: labGrowth},
		lab.Case{Name: "messages", Run: labMessages},
		lab.Case{Name: "targets", Run: labTargets},
		lab.Case{Name: "geometry", Run: labGeometry},
		lab.Case{Name: "events", Run: labEvents},
		lab.Case{Name: "control device", Run: labControlDevice},
		lab.Case{Name: "multipath", Run: labMultipath},
		lab.Case{Name: "permission", Run: labPermission},
	)
}

// labSession records the session on this kernel, checks it, and plays it back.
func labSession(t *testing.T, g *lab.Guest) {
	open(t)
	k, err := Kernel(Folder)
	must(t, err)
	rec := Record(k)
	c := NewControl(rec)
	defer c.Close()
	checkSession(t, c)
	text, err := WriteExchanges(rec.Exchanges())
	must(t, err)
	t.Logf("record:\n%s", text)
	list, err := ReadExchanges(text)
	must(t, err)
	s := NewScript(list)
	checkSession(t, NewControl(s))
	must(t, s.Done())
	for _, x := range rec.Exchanges() {
		if x.Command == CmdTableLoad && strings.Contains(string(x.Request), "zero") {
			t.Error("the record holds what was to be kept secret")
		}
	}
}

// live makes a device with a live table.
func live(t *testing.T, c *Control, name string, lines ...Target) Device {
	t.Helper()
	if len(lines) == 0 {
		lines = []Target{line(0, 64, "zero", "")}
	}
	_, err := c.Create(name, CreateOptions{})
	must(t, err)
	dev := ByName(name)
	_, err = c.Load(dev, lines, LoadOptions{})
	must(t, err)
	_, err = c.Resume(dev, ResumeOptions{})
	must(t, err)
	return dev
}

func refused(t *testing.T, err error, classes ...error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("no refusal: %v", err)
		return
	}
	for _, class := range classes {
		if !errors.Is(err, class) {
			t.Errorf("%v does not match %v", err, class)
		}
	}
	if e.Errno != 0 && e.Meaning() == e.Errno.Error() {
		t.Errorf("%v has no meaning of its own", err)
	}
}

func labCreate(t *testing.T, g *lab.Guest) {
	c := open(t)
	info, err := c.Create("a", CreateOptions{UUID: "u", Persistent: true, Number: Number{Minor: 300}})
	must(t, err)
	if info.Number.Minor != 300 || info.Flags&FlagExists != 0 {
		t.Errorf("%+v", info)
	}
	byNumber, err := c.Status(ByNumber(info.Number.Major, 300), StatusOptions{NoOpenCount: true})
	if err != nil || byNumber.Name != "a" || byNumber.UUID != "u" {
		t.Errorf("%+v, %v", byNumber, err)
	}
	_, err = c.Create("b", CreateOptions{Persistent: true, Number: Number{Minor: 300}})
	refused(t, err, ErrExist)
	_, err = c.Create("b", CreateOptions{UUID: "u"})
	refused(t, err, ErrExist)
	_, err = c.Create("a", CreateOptions{})
	refused(t, err, ErrExist)
	_, err = c.Create("x/y", CreateOptions{})
	refused(t, err, ErrInvalid, unix.EINVAL)
	long := strings.Repeat("n", MaxName)
	uuid := strings.Repeat("u", MaxUUID)
	info, err = c.Create(long, CreateOptions{UUID: uuid})
	if err != nil || info.Name != long || info.UUID != uuid {
		t.Errorf("%+v, %v", info, err)
	}
	list, err := c.List(ListOptions{})
	must(t, err)
	want := []Entry{{Name: "a", UUID: "u", HasUUID: true}, {Name: long, UUID: uuid, HasUUID: true}}
	for i := range list {
		list[i].Number = Number{}
	}
	if !slices.Equal(list, want) {
		t.Errorf("listed %+v", list)
	}
	list, err = c.List(ListOptions{UUIDPrefix: "uu"})
	if err != nil || len(list) != 1 || list[0].Name != long {
		t.Errorf("listed %+v, %v", list, err)
	}
	_, err = c.Status(ByName("zz"), StatusOptions{})
	refused(t, err, ErrNotExist, unix.ENXIO)
	_, err = c.Status(ByUUID("zz"), StatusOptions{})
	refused(t, err, ErrNotExist)
	_, err = c.Status(ByNumber(info.Number.Major, 9999), StatusOptions{})
	refused(t, err, ErrNotExist)
}

func labRename(t *testing.T, g *lab.Guest) {
	c := open(t)
	live(t, c, "a")
	live(t, c, "b")
	_, err := c.Rename("a", "b", RenameOptions{})
	refused(t, err, ErrExist)
	info, err := c.Rename("a", "c", RenameOptions{Cookie: 0x400000})
	if err != nil || info.Name != "c" || !info.UeventGenerated() {
		t.Errorf("%+v, %v", info, err)
	}
	_, err = c.Rename("a", "d", RenameOptions{})
	refused(t, err, ErrNotExist)
	info, err = c.SetUUID("c", "u", RenameOptions{})
	if err != nil || info.UUID != "u" {
		t.Errorf("%+v, %v", info, err)
	}
	_, err = c.SetUUID("c", "v", RenameOptions{})
	refused(t, err, ErrInvalid)
	_, err = c.SetUUID("b", "u", RenameOptions{})
	refused(t, err, ErrExist)
}

func labTables(t *testing.T, g *lab.Guest) {
	c := open(t)
	dev := live(t, c, "a", line(0, 64, "linear", g.Disks[0]+" 8"), line(64, 8, "error", ""))
	info, deps, err := c.Deps(dev, DepsOptions{})
	if err != nil || len(deps) != 1 || info.TargetCount != 2 {
		t.Errorf("%+v, %v, %v", info, deps, err)
	}
	var st unix.Stat_t
	must(t, unix.Stat(g.Disks[0], &st))
	if want := (Number{unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))}); deps[0] != want {
		t.Errorf("depends on %v, want %v", deps[0], want)
	}
	info, err = c.Load(dev, []Target{line(0, 8, "linear", g.Disks[1]+" 0")}, LoadOptions{ReadOnly: true, Secure: true})
	if err != nil || !info.InactiveTable() || !info.LiveTable() {
		t.Errorf("%+v, %v", info, err)
	}
	// This asks for the inactive slot.
	info, err = c.Status(dev, StatusOptions{Inactive: true})
	if err != nil || info.TargetCount != 1 {
		t.Errorf("inactive: %+v, %v", info, err)
	}
	_, other, err := c.Deps(dev, DepsOptions{Inactive: true})
	if err != nil || len(other) != 1 || other[0] == deps[0] {
		t.Errorf("inactive: %v, %v", other, err)
	}
	_, lines, err := c.TableStatus(dev, TableStatusOptions{Kind: KindTable, Inactive: true, NoFlush: true})
	if err != nil || len(lines) != 1 || lines[0] != line(0, 8, "linear", other[0].String()+" 0") {
		t.Errorf("inactive: %v, %v", lines, err)
	}
	_, lines, err = c.TableStatus(dev, TableStatusOptions{Kind: KindIMA})
	if err != nil || len(lines) != 2 || !strings.Contains(lines[0].Params, "target_name=linear") {
		t.Errorf("measured: %v, %v", lines, err)
	}
	info, err = c.Clear(dev)
	if err != nil || info.InactiveTable() {
		t.Errorf("cleared: %+v, %v", info, err)
	}
	_, lines, err = c.TableStatus(dev, TableStatusOptions{Kind: KindTable, Inactive: true})
	if err != nil || len(lines) > 0 {
		t.Errorf("nothing: %v, %v", lines, err)
	}
	_, err = c.Load(dev, []Target{line(0, 8, "linear", g.Disks[1]+" 0")}, LoadOptions{ReadOnly: true})
	must(t, err)
	info, err = c.Resume(dev, ResumeOptions{SuspendOptions: SuspendOptions{NoFlush: true, SkipLockFS: true}})
	if err != nil || !info.ReadOnly() {
		t.Errorf("read-only: %+v, %v", info, err)
	}
	_, err = c.Load(dev, []Target{line(0, 8, "linear", `/dev/non\e 0`)}, LoadOptions{})
	refused(t, err) // the errno differs between kernels
	_, err = c.Load(dev, nil, LoadOptions{})
	refused(t, err, ErrInvalid)
	_, err = c.Load(ByName("zz"), []Target{line(0, 8, "zero", "")}, LoadOptions{})
	refused(t, err, ErrNotExist)
	_, err = c.Create("empty", CreateOptions{})
	must(t, err)
	if _, deps, err := c.Deps(ByName("empty"), DepsOptions{}); err != nil || len(deps) > 0 {
		t.Errorf("no table: %v, %v", deps, err)
	}
	if _, lines, err := c.TableStatus(ByName("empty"), TableStatusOptions{}); err != nil || len(lines) > 0 {
		t.Errorf("no table: %v, %v", lines, err)
	}
	// A backslash arrives unchanged.
	must(t, os.Symlink(g.Disks[0], `/dev/back\slash`))
	live(t, c, "quoted", line(0, 8, "linear", `/dev/back\slash 0`))
}

func labSuspend(t *testing.T, g *lab.Guest) {
	c := open(t)
	dev := live(t, c, "a")
	for _, o := range []SuspendOptions{{}, {NoFlush: true}, {SkipLockFS: true}, {NoFlush: true, SkipLockFS: true}} {
		for range 2 { // the second time it is already suspended
			info, err := c.Suspend(dev, o)
			if err != nil || !info.Suspended() {
				t.Errorf("%+v: %+v, %v", o, info, err)
			}
		}
		info, err := c.Resume(dev, ResumeOptions{SuspendOptions: o, Cookie: 0x400001})
		if err != nil || info.Suspended() || !info.UeventGenerated() {
			t.Errorf("%+v: %+v, %v", o, info, err)
		}
		if info, err = c.Resume(dev, ResumeOptions{}); err != nil || info.UeventGenerated() {
			t.Errorf("resumed twice: %+v, %v", info, err)
		}
	}
	if info, err := c.Status(dev, StatusOptions{}); err != nil || info.InternalSuspend() || info.DeferredRemove() {
		t.Errorf("%+v, %v", info, err)
	}
}

// nodeOf opens a device by its number.
func nodeOf(t *testing.T, c *Control, dev Device) *os.File {
	t.Helper()
	info, err := c.Status(dev, StatusOptions{})
	must(t, err)
	path := filepath.Join(t.TempDir(), "node")
	must(t, unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(info.Number.Major, info.Number.Minor))))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	return f
}

func labRemove(t *testing.T, g *lab.Guest) {
	c := open(t)
	dev := live(t, c, "a")
	f := nodeOf(t, c, dev)
	info, err := c.Status(dev, StatusOptions{})
	if err != nil || info.OpenCount != 1 {
		t.Errorf("open: %+v, %v", info, err)
	}
	_, err = c.Remove(dev, RemoveOptions{})
	refused(t, err, ErrBusy, unix.EBUSY)
	must(t, c.RemoveAll(RemoveOptions{}))
	if _, err := c.Status(dev, StatusOptions{}); err != nil {
		t.Error("RemoveAll removed what is open")
	}
	info, err = c.Remove(dev, RemoveOptions{Deferred: true})
	if err != nil || !info.DeferredRemove() || info.UeventGenerated() {
		t.Errorf("deferred: %+v, %v", info, err)
	}
	if info, err = c.Status(dev, StatusOptions{}); err != nil || !info.DeferredRemove() {
		t.Errorf("deferred: %+v, %v", info, err)
	}
	if _, _, err := c.Message(dev, 0, "@cancel_deferred_remove", MessageOptions{}); err != nil {
		t.Error(err)
	}
	if info, err = c.Status(dev, StatusOptions{}); err != nil || info.DeferredRemove() {
		t.Errorf("called off: %+v, %v", info, err)
	}
	must(t, c.RemoveAll(RemoveOptions{Deferred: true}))
	if info, err = c.Status(dev, StatusOptions{}); err != nil || !info.DeferredRemove() {
		t.Errorf("all deferred: %+v, %v", info, err)
	}
	f.Close()
	lab.Until(t, "a deferred removal", func() bool {
		_, err := c.Status(dev, StatusOptions{})
		return errors.Is(err, ErrNotExist)
	})
	live(t, c, "b")
	info, err = c.Remove(ByName("b"), RemoveOptions{Deferred: true, Cookie: 0x400002})
	if err != nil || info.DeferredRemove() || !info.UeventGenerated() {
		t.Errorf("at once: %+v, %v", info, err)
	}
}

// labGrowth makes replies that need more room than the first try has.
func labGrowth(t *testing.T, g *lab.Guest) {
	c := open(t)
	const devices = 300
	for i := range devices {
		_, err := c.Create(fmt.Sprintf("%s-%03d", strings.Repeat("n", 100), i), CreateOptions{UUID: fmt.Sprintf("%s-%03d", strings.Repeat("u", 100), i)})
		must(t, err)
	}
	list, err := c.List(ListOptions{})
	if err != nil || len(list) != devices {
		t.Errorf("%d devices, %v", len(list), err)
	}
	if room := c.room[CmdListDevices].Load(); room < 64<<10 {
		t.Errorf("room for %d bytes is remembered", room)
	}
	const lines = 1000
	var table []Target
	for i := range uint64(lines) {
		table = append(table, line(i, 1, "linear", fmt.Sprintf("%s %d", g.Disks[0], i)))
	}
	dev := live(t, c, "big", table...)
	_, got, err := c.TableStatus(dev, TableStatusOptions{Kind: KindTable})
	if err != nil || len(got) != lines || got[lines-1].Start != lines-1 || !strings.HasSuffix(got[lines-1].Params, " 999") {
		t.Errorf("%d lines, %v", len(got), err)
	}
}

func labMessages(t *testing.T, g *lab.Guest) {
	c := open(t)
	dev := live(t, c, "a")
	reply, replied, err := c.Message(dev, 0, "@stats_create - /200", MessageOptions{Secure: true})
	if err != nil || !replied || reply != "0" {
		t.Fatalf("%q, %t, %v", reply, replied, err)
	}
	reply, replied, err = c.Message(dev, 0, "@stats_delete 0", MessageOptions{})
	if err != nil || replied || reply != "" {
		t.Errorf("%q, %t, %v", reply, replied, err)
	}
	_, err = c.Load(dev, []Target{line(0, 1<<20, "zero", "")}, LoadOptions{})
	must(t, err)
	_, err = c.Resume(dev, ResumeOptions{})
	must(t, err)
	_, _, err = c.Message(dev, 0, "@stats_create - 256", MessageOptions{})
	must(t, err)
	// More than fits at first, and repeated since that is harmless.
	reply, replied, err = c.Message(dev, 0, "@stats_print 0", MessageOptions{})
	if err != nil || !replied || strings.Count(reply, "\n") != 4096 || len(reply) <= messageRoom {
		t.Errorf("%d bytes, %d lines, %v", len(reply), strings.Count(reply, "\n"), err)
	}
	// A short reply in too little room: the kernel says so after it has acted.
	room := MessageOptions{Room: 1}
	for range 3 {
		_, _, err = c.Message(dev, 0, "@stats_create - /1 "+strings.Repeat("p", 10), MessageOptions{})
		must(t, err)
	}
	_, replied, err = c.Message(dev, 0, `@stats_list `+strings.Repeat("p", 10), room)
	if err != nil || !replied {
		t.Errorf("a list in a small room: %t, %v", replied, err)
	}
	_, _, err = c.Message(dev, 0, "hello", MessageOptions{})
	refused(t, err, ErrInvalid)
	_, _, err = c.Message(dev, 1<<40, "hello", MessageOptions{})
	refused(t, err, ErrInvalid)
	_, _, err = c.Message(dev, 0, "", MessageOptions{})
	refused(t, err, ErrInvalid)
	_, err = c.Create("empty", CreateOptions{})
	must(t, err)
	_, _, err = c.Message(ByName("empty"), 0, "hello", MessageOptions{})
	// dm-ioctl.c target_message: 6.1 returns its own 2, later ones EINVAL.
	noTable := ErrInvalid
	if !g.AtLeast("6.12") {
		noTable = ErrNoTable
	}
	refused(t, err, noTable)
	_, _, err = c.Message(ByName("zz"), 0, "hello", MessageOptions{})
	refused(t, err, ErrNotExist)
}

func labTargets(t *testing.T, g *lab.Guest) {
	c := open(t)
	list, err := c.TargetVersions()
	must(t, err)
	for _, name := range []string{"zero", "linear", "error", "snapshot-merge"} {
		one, err := c.TargetVersion(name)
		if err != nil || one.Name != name || !slices.Contains(list, one) {
			t.Errorf("%v, %v, in %v", one, err, list)
		}
	}
	_, err = c.TargetVersion("nonesuch")
	refused(t, err, ErrNoTarget, unix.EINVAL)
}

func labGeometry(t *testing.T, g *lab.Guest) {
	c := open(t)
	dev := live(t, c, "a")
	must(t, c.SetGeometry(dev, Geometry{Cylinders: 65535, Heads: 255, Sectors: 63, Start: 7}))
	refused(t, c.SetGeometry(dev, Geometry{Start: 1 << 40}), ErrInvalid)
	refused(t, c.SetGeometry(ByName("zz"), Geometry{}), ErrNotExist)
	f := nodeOf(t, c, dev)
	defer f.Close()
	size, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKGETSIZE)
	if err != nil || size != 64 {
		t.Errorf("%d sectors, %v", size, err)
	}
}

func labEvents(t *testing.T, g *lab.Guest) {
	c := open(t)
	live(t, c, "quiet")
	origin := live(t, c, "origin", line(0, 8192, "linear", g.Disks[0]+" 0"))
	info, err := c.Status(origin, StatusOptions{})
	must(t, err)
	// A snapshot whose store overflows has an event.
	snap := live(t, c, "snap", line(0, 8192, "snapshot", info.Number.String()+" "+store(t, c, g)+" N 8"))
	before, err := c.Status(snap, StatusOptions{})
	must(t, err)
	p, err := c.Poller()
	must(t, err)
	defer p.Close()
	if len(p.Devices()) != 4 {
		t.Errorf("follows %v", p.Devices())
	}
	ctx := lab.Patient(t)
	waited := make(chan error, 2)
	go func() {
		after, err := c.Wait(ctx, snap, before.EventNr)
		if err == nil && after.EventNr == before.EventNr {
			err = errors.New("no event")
		}
		waited <- err
	}()
	go func() {
		_, lines, err := c.WaitBlocking(snap, before.EventNr, TableStatusOptions{})
		if err == nil && (len(lines) != 1 || lines[0].Params != "Invalid") {
			err = fmt.Errorf("status %v", lines)
		}
		waited <- err
	}()
	f := nodeOf(t, c, snap)
	f.Write(make([]byte, 1<<20)) // fails halfway, on purpose
	f.Close()
	changes, err := p.Next(ctx)
	must(t, err)
	if len(changes) != 1 || changes[0].Name != "snap" || changes[0].Kind != Happened || changes[0].EventNr == changes[0].Old.EventNr {
		t.Errorf("%+v", changes)
	}
	for range 2 {
		must(t, <-waited)
	}
	// Nothing more happens: the waits end with their context, and soon.
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond) // nothing will come, however long one waits
	defer stop()
	if changes, err := p.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", changes, err)
	}
	now, err := c.Status(snap, StatusOptions{})
	must(t, err)
	if _, err := c.Wait(short, snap, now.EventNr); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_, err = c.Wait(ctx, ByName("zz"), 0)
	refused(t, err, ErrNotExist)
	_, _, err = c.WaitBlocking(ByName("zz"), 0, TableStatusOptions{})
	refused(t, err, ErrNotExist)
	// The removal of a device ends the wait for it.
	go func() {
		_, err := c.Wait(ctx, ByName("quiet"), 0)
		waited <- err
	}()
	_, err = c.Remove(ByName("quiet"), RemoveOptions{})
	must(t, err)
	if err := <-waited; !errors.Is(err, ErrNotExist) {
		t.Errorf("its device is gone: %v", err)
	}
	_, err = c.Remove(snap, RemoveOptions{})
	must(t, err)
}

// store makes a small device for the exceptions of a snapshot.
func store(t *testing.T, c *Control, g *lab.Guest) string {
	t.Helper()
	info, err := c.Status(live(t, c, "store", line(0, 64, "linear", g.Disks[1]+" 0")), StatusOptions{})
	must(t, err)
	return info.Number.String()
}

func labControlDevice(t *testing.T, g *lab.Guest) {
	open(t)
	// The node is missing, is something else, or is in a folder that cannot be
	// created.
	for _, prepare := range []func(dir string) error{
		func(dir string) error { return nil },
		func(dir string) error { return os.WriteFile(filepath.Join(dir, "control"), nil, 0o600) },
		func(dir string) error {
			return unix.Mknod(filepath.Join(dir, "control"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
		},
	} {
		dir := filepath.Join(t.TempDir(), "mapper")
		must(t, os.Mkdir(dir, 0o755))
		must(t, prepare(dir))
		c, err := OpenIn(dir)
		must(t, err)
		if _, err := c.Version(); err != nil {
			t.Error(err)
		}
		c.Close()
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(dir, "control"), &st))
		if st.Mode != unix.S_IFCHR|0o600 || unix.Major(uint64(st.Rdev)) != miscMajor {
			t.Errorf("control device %+v", st)
		}
	}
	c, err := OpenIn("/proc/mapper") // nothing can be made there
	must(t, err)
	if _, err := c.Version(); err != nil {
		t.Error(err)
	}
	c.Close()
	if minor, listed, err := controlMinor("/proc/misc"); minor == 0 || !listed || err != nil {
		t.Errorf("minor %d, %t, %v", minor, listed, err)
	}
	none := filepath.Join(t.TempDir(), "misc")
	if minor, listed, err := controlMinor(none); minor != fixedMinor || listed || err != nil {
		t.Errorf("minor %d, %t, %v", minor, listed, err)
	}
	must(t, os.WriteFile(none, []byte(" 63 vga_arbiter\n 61 device-mapper\n"), 0o600))
	if minor, listed, err := controlMinor(none); minor != 61 || !listed || err != nil {
		t.Errorf("minor %d, %t, %v", minor, listed, err)
	}
}

func labMultipath(t *testing.T, g *lab.Guest) {
	c := open(t)
	if !g.HasModule("dm-multipath") {
		t.Fatal("the kernel has no multipath")
	}
	dev := live(t, c, "mp", line(0, 64, "multipath", "0 0 1 1 round-robin 0 1 1 "+g.Disks[0]+" 1"))
	f := nodeOf(t, c, dev)
	defer f.Close()
	v, err := c.Version()
	must(t, err)
	err = ProbePaths(f)
	if v.Minor < CmdMpathProbePaths.Since() {
		refused(t, err, ErrUnsupported)
	} else {
		must(t, err)
		_, _, err = c.Message(dev, 0, "fail_path "+numberOfNode(t, g.Disks[0]), MessageOptions{})
		must(t, err)
		if err := ProbePaths(f); err != nil && !errors.Is(err, ErrNoPath) {
			t.Error(err)
		}
	}
	plain := nodeOf(t, c, live(t, c, "plain"))
	defer plain.Close()
	refused(t, ProbePaths(plain), ErrUnsupported)
}

func numberOfNode(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	return Number{unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))}.String()
}

// labPermission drops root privileges, in a thread that then ends.
func labPermission(t *testing.T, g *lab.Guest) {
	c := open(t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		var none [2]unix.CapUserData
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&hdr, &none[0]); err != nil {
			done <- err
			return
		}
		_, err := c.List(ListOptions{})
		done <- err
	}()
	err := <-done
	refused(t, err, ErrPermission, unix.EACCES)
}
