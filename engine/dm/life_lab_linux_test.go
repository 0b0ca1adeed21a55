package dm_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	kernel "github.com/mdkit/mdkit/ioctl/dm"
)

// sysWorld is this machine, for checks.
type sysWorld struct{ c *kernel.Control }

func (w sysWorld) Device(ref string) (dm.DeviceInfo, error) {
	major, minor, ok := dm.Ref(ref).Number()
	if !ok {
		var st unix.Stat_t
		if err := unix.Stat(ref, &st); err != nil {
			return dm.DeviceInfo{}, err
		}
		major, minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
	}
	dir := fmt.Sprintf("/sys/dev/block/%d:%d/", major, minor)
	size, err := sysNumber(dir + "size")
	block, err2 := sysNumber(dir + "queue/logical_block_size")
	return dm.DeviceInfo{Major: major, Minor: minor, Size: size, LogicalBlockSize: uint32(block)}, errors.Join(err, err2)
}

func sysNumber(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}

func (w sysWorld) Target(typ string) ([3]uint32, dm.Knowledge) {
	versions, err := w.c.TargetVersions()
	if err != nil {
		return [3]uint32{}, dm.Unknown
	}
	for _, v := range versions {
		if v.Name == typ {
			return v.Version, dm.Has
		}
	}
	return [3]uint32{}, dm.Lacks
}

func (w sysWorld) Algorithms(string) []dm.Algorithm { return nil }

// device is a device of the kernel under test.
type device struct {
	t        *testing.T
	m        *machine
	name     string
	info     kernel.Info
	readOnly bool
	shown    int // number of lines parsed and printed again
}

// start creates a device and makes its table live; Check must find nothing
// wrong with the table.
func (m *machine) start(t *testing.T, name string, lines ...dm.Line) *device {
	t.Helper()
	d := &device{t: t, m: m, name: name, readOnly: lines[0].Type == "verity"}
	info, err := m.Create(name, kernel.CreateOptions{})
	d.must(err)
	d.info = info
	d.load(lines...)
	d.resume()
	d.show()
	return d
}

func (d *device) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("%s: %v\nthe kernel says:\n%s", d.name, err, strings.Join(d.m.g.KernelLog(d.t), "\n"))
	}
}

func (d *device) dev() kernel.Device { return kernel.ByName(d.name) }

// number is the device's "major:minor".
func (d *device) number() string { return d.info.Number.String() }

func (d *device) load(lines ...dm.Line) {
	d.t.Helper()
	check := dm.Check
	if d.readOnly {
		check = dm.CheckReadOnly
	}
	d.must(check(lines, sysWorld{d.m.Control}))
	_, err := d.m.Load(d.dev(), lines, kernel.LoadOptions{ReadOnly: d.readOnly})
	d.must(err)
}

func (d *device) resume() {
	d.t.Helper()
	_, err := d.m.Resume(d.dev(), kernel.ResumeOptions{})
	d.must(err)
}

func (d *device) suspend() {
	d.t.Helper()
	_, err := d.m.Suspend(d.dev(), kernel.SuspendOptions{SkipLockFS: true})
	d.must(err)
}

// reload swaps the table and checks what the kernel prints before and after.
func (d *device) reload(lines ...dm.Line) {
	d.t.Helper()
	d.load(lines...)
	d.show()
	d.suspend()
	d.show()
	d.resume()
	d.show()
}

func (d *device) message(m dm.Message) string {
	d.t.Helper()
	reply, _, err := d.m.Message(d.dev(), 0, string(m), kernel.MessageOptions{})
	d.must(err)
	d.show()
	return reply
}

// refuse sends a message that the target must refuse.
func (d *device) refuse(m dm.Message) {
	d.t.Helper()
	if _, _, err := d.m.Message(d.dev(), 0, string(m), kernel.MessageOptions{}); err == nil {
		d.t.Errorf("%s: takes %q", d.name, m)
	}
}

// show parses what the kernel prints and compares it with what it prints
// itself.
func (d *device) show() (table, status []dm.Line) {
	d.t.Helper()
	for _, inactive := range []bool{false, true} {
		_, lines, err := d.m.TableStatus(d.dev(), kernel.TableStatusOptions{Kind: kernel.KindTable, Inactive: inactive})
		d.must(err)
		for _, l := range lines {
			d.showTable(l)
		}
		if !inactive {
			table = lines
		}
	}
	_, status, err := d.m.TableStatus(d.dev(), kernel.TableStatusOptions{})
	d.must(err)
	for _, l := range status {
		st, err := dm.ParseStatus(l.Type, l.Params)
		if err != nil {
			d.t.Errorf("status %q: %v", l, err)
			continue
		}
		d.shown++
		if st.String() != l.Params || st.Type() != l.Type {
			d.t.Errorf("status %s:\n kernel %q\n    ours %q", l.Type, l.Params, st)
		}
	}
	return table, status
}

func (d *device) showTable(l dm.Line) {
	d.t.Helper()
	args, err := dm.ParseArgs(l.Type, l.Params)
	if err != nil {
		d.t.Errorf("table %q: %v", l, err)
		return
	}
	d.shown++
	if args.Params() != l.Params || args.Type() != l.Type {
		d.t.Errorf("table %s:\n kernel %q\n    ours %q", l.Type, l.Params, args.Params())
	}
	if again := dm.NewLine(l.Start, l.Length, args); again != l {
		d.t.Errorf("line %q became %q", l, again)
	}
}

// status returns the typed status of the first line.
func (d *device) status() dm.Status {
	d.t.Helper()
	_, lines := d.show()
	st, err := dm.ParseStatus(lines[0].Type, lines[0].Params)
	d.must(err)
	return st
}

// wait polls the status until good accepts it.
func (d *device) wait(what string, good func(dm.Status) bool) {
	d.t.Helper()
	lab.Poll(d.t, func() string {
		if s := d.status(); !good(s) {
			return fmt.Sprintf("%s to be %s: %v", d.name, what, s)
		}
		return ""
	})
}

func (d *device) remove() {
	d.t.Helper()
	d.show()
	_, err := d.m.Remove(d.dev(), kernel.RemoveOptions{})
	d.must(err)
	d.t.Logf("%s: %d lines parsed and printed again", d.name, d.shown)
}

func (d *device) path() string { return fmt.Sprintf("/dev/dm-%d", d.info.Number.Minor) }

// direct returns n bytes that begin at a page boundary.
func direct(n int) []byte {
	b := make([]byte, n+4095)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 4095
	return b[skip:][:n]
}

// write writes data at a byte offset, past all caches.
func (d *device) write(off int64, data []byte) error {
	f, err := os.OpenFile(d.path(), os.O_WRONLY|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	b := direct(len(data))
	copy(b, data)
	_, err = f.WriteAt(b, off)
	return errors.Join(err, f.Close())
}

// flush makes the device write out what it holds back.
func (d *device) flush() error {
	f, err := os.OpenFile(d.path(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// read gets n bytes, past all caches.
func (d *device) read(off int64, n int) ([]byte, error) {
	f, err := os.OpenFile(d.path(), os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := direct(n)
	_, err = f.ReadAt(b, off)
	return b, err
}

// pattern is a block of data to write.
func pattern(b byte) []byte { return bytes.Repeat([]byte{b}, 4096) }

// keeps writes a block and reads it back, and asks for the status meanwhile.
func (d *device) keeps(off int64) {
	d.t.Helper()
	want := pattern(byte(off>>12) + 0x5a)
	var got []byte
	done := make(chan error, 1)
	go func() {
		err := errors.Join(d.write(off, want), d.flush())
		if err == nil {
			got, err = d.read(off, len(want))
		}
		done <- err
	}()
	d.show()
	d.must(<-done)
	if !bytes.Equal(got, want) {
		d.t.Errorf("%s: at %d another thing was read than written", d.name, off)
	}
	d.show()
}

// one is a table of one line with these arguments.
func one(length uint64, a dm.Args) dm.Line { return dm.NewLine(0, length, a) }

// lives are the targets, each driven through its states.
var lives = []struct {
	name   string
	target string
	run    func(t *testing.T, m *machine)
}{
	{"linear", "linear", liveLinear},
	{"striped", "striped", liveStriped},
	{"zero and error", "zero", liveZeroError},
	{"delay", "delay", liveDelay},
	{"flakey", "flakey", liveFlakey},
	{"crypt", "crypt", liveCrypt},
	{"snapshot", "snapshot", liveSnapshot},
	{"mirror", "mirror", liveMirror},
	{"raid", "raid", liveRaid},
	{"multipath", "multipath", liveMultipath},
	{"thin", "thin-pool", liveThin},
	{"cache", "cache", liveCache},
	{"era", "era", liveEra},
	{"verity", "verity", liveVerity},
	{"switch", "switch", liveSwitch},
	{"log-writes", "log-writes", liveLogWrites},
	{"integrity", "integrity", liveIntegrity},
	{"writecache", "writecache", liveWritecache},
	{"unstriped", "unstriped", liveUnstriped},
	{"dust", "dust", liveDust},
	{"clone", "clone", liveClone},
	{"ebs", "ebs", liveEBS},
}

// TestLabTargets drives each target through its life on a real kernel.
// Everything the kernel prints on the way is parsed and printed again, byte for
// byte. No lab kernel has zoned, vdo, pcache or inlinecrypt.
func TestLabTargets(t *testing.T) {
	var cases []lab.Case
	for _, l := range lives {
		cases = append(cases, lab.Case{Name: l.name, Run: func(t *testing.T, g *lab.Guest) {
			m := newMachine(t, g)
			if !m.has(t, map[string]bool{}, l.target) {
				return
			}
			m.wipe(t)
			l.run(t, m)
		}})
	}
	lab.Run(t, labSpec(), cases...)
}
