package md

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	iomd "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

func TestMain(m *testing.M) { lab.Main(m) }

// labModules are the modules of all personalities; a kernel loads those it has.
var labModules = []string{"linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty"}

func labDisks(n int, size int64) []lab.Disk {
	disks := make([]lab.Disk, n)
	for i := range disks {
		disks[i].Size = size
	}
	return disks
}

// diskNum returns the device number of a node.
func diskNum(t testing.TB, path string) block.Num {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return block.Num{Major: unix.Major(uint64(st.Rdev)), Minor: unix.Minor(uint64(st.Rdev))}
}

// build makes a running array without metadata from the disks, by ioctls alone.
// The array is stopped when the test ends.
func build(t testing.TB, minor uint32, level iomd.Level, info iomd.ArrayInfo, disks ...string) (*iomd.Device, *Array) {
	t.Helper()
	d, a := prepare(t, minor, level, info, disks...)
	if err := d.RunArray(); err != nil {
		t.Fatalf("%v: %v", level, err)
	}
	return d, a
}

// prepare is build without the last step.
func prepare(t testing.TB, minor uint32, level iomd.Level, info iomd.ArrayInfo, disks ...string) (*iomd.Device, *Array) {
	t.Helper()
	d, err := iomd.OpenNumber(9, minor, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop(t, d)
		d.Close()
	})
	info.Level = level
	if info.RaidDisks == 0 {
		info.RaidDisks = int32(len(disks))
	}
	info.NrDisks = int32(len(disks))
	if err := d.SetArrayInfo(&info); err != nil {
		t.Fatalf("%v: %v", level, err)
	}
	for i, path := range disks {
		n := diskNum(t, path)
		disk := iomd.DiskInfo{
			Number: int32(i), Major: int32(n.Major), Minor: int32(n.Minor), RaidDisk: int32(i),
			State: iomd.DiskActive | iomd.DiskSync,
		}
		if i >= int(info.RaidDisks) {
			disk.RaidDisk, disk.State = -1, 0
		}
		if err := d.AddNewDisk(disk); err != nil {
			t.Fatalf("%v: %v", level, err)
		}
	}
	a, err := Open(sysfs.Host, "md"+strconv.Itoa(int(minor)))
	if err != nil {
		t.Fatal(err)
	}
	return d, a
}

// stop stops the array, as often as necessary: openers such as udev and the end
// of a resync may keep it busy for a moment.
func stop(t testing.TB, d *iomd.Device) {
	t.Helper()
	lab.Poll(t, func() string {
		if err := d.StopArray(); err != nil && !errors.Is(err, iomd.ErrNoArray) {
			return "the array to stop: " + err.Error()
		}
		return ""
	})
}

// eventually retries until cond is true.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	lab.Until(t, what, cond)
}

// compare checks a folder of the kernel against the attributes we know: each
// file must be one of them, with the access its mode bits give, and its text
// must be understood.
func compare(t *testing.T, dir sysfs.Dir, prefix string, attrs []Attribute) {
	t.Helper()
	known := map[string]Attribute{}
	for _, at := range attrs {
		known[at.Name] = at
	}
	names, err := sysfs.Dir(dir.Path(prefix)).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range names {
		name := filepath.Join(prefix, base)
		fi, err := os.Lstat(dir.Path(name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !fi.Mode().IsRegular() {
			continue
		}
		at, ok := known[name]
		if !ok {
			text, _ := dir.Read(name)
			t.Errorf("the kernel shows %s (%v) %q, and there is no accessor", dir.Path(name), fi.Mode(), text)
			continue
		}
		var access Access
		if fi.Mode()&0o400 != 0 {
			access |= ReadOnlyAttr
		}
		if fi.Mode()&0o200 != 0 {
			access |= WriteOnlyAttr
		}
		if access&^at.Access != 0 {
			t.Errorf("%s has mode %v, known with access %d", name, fi.Mode(), at.Access)
		}
		if access&ReadOnlyAttr == 0 {
			continue
		}
		text, _ := dir.Read(name)
		v, err := at.Read(dir)
		switch {
		case errors.Is(err, sysfs.ErrEmpty):
			t.Logf("%s is empty", name)
		case err != nil:
			t.Error(err)
		default:
			t.Logf("%s = %q: %v", name, text, v)
		}
	}
}

// TestLabAttributes builds an array of every level and reads everything the
// kernel shows of it: an attribute that this package does not know is an error.
func TestLabAttributes(t *testing.T) {
	levels := []struct {
		level  iomd.Level
		module string
		disks  int
		info   iomd.ArrayInfo
	}{
		{iomd.LevelLinear, "linear", 3, iomd.ArrayInfo{ChunkSize: 65536}},
		{0, "raid0", 3, iomd.ArrayInfo{ChunkSize: 65536}},
		{1, "raid1", 3, iomd.ArrayInfo{Size: 4096}},
		{4, "raid456", 3, iomd.ArrayInfo{ChunkSize: 65536, Size: 4096}},
		{5, "raid456", 3, iomd.ArrayInfo{ChunkSize: 65536, Size: 4096, Layout: 2}},
		{6, "raid456", 4, iomd.ArrayInfo{ChunkSize: 65536, Size: 4096, Layout: 2}},
		{10, "raid10", 4, iomd.ArrayInfo{ChunkSize: 65536, Size: 4096, Layout: 0x102}},
		{iomd.LevelMultipath, "multipath", 2, iomd.ArrayInfo{}},
		{iomd.LevelFaulty, "faulty", 1, iomd.ArrayInfo{}},
	}
	var cases []lab.Case
	for _, l := range levels {
		cases = append(cases, lab.Case{Name: l.level.String(), Run: func(t *testing.T, g *lab.Guest) {
			if !g.HasModule(l.module) {
				t.Skipf("kernel %s has no %s", g.Release, l.module)
			}
			l.info.NotPersistent = 1
			disks := g.Disks[:l.disks]
			if l.level == 0 {
				// The layout of a raid0 is not taken from the ioctl.
				if err := ModuleParams(sysfs.Host).SetRaid0Layout(2); err != nil {
					t.Error(err)
				}
			}
			d, a := prepare(t, 0, l.level, l.info, disks...)
			for _, stage := range []string{"set up", "running", "clean", "readonly"} {
				switch stage {
				case "running":
					if err := d.RunArray(); err != nil {
						t.Fatal(err, g.KernelLog(t))
					}
				case "clean":
					if _, err := a.SyncAction(); err == nil {
						eventually(t, "resync ends", func() bool {
							s, err := a.SyncAction()
							return err == nil && s == Idle
						})
					}
				case "readonly":
					// Through sysfs this works only if nobody has the device
					// open.
					if err := a.SetState(ReadOnly); !errors.Is(err, unix.EBUSY) {
						t.Errorf("readonly while we hold it open: %v", err)
					}
					if err := d.StopArrayReadOnly(); err != nil {
						t.Error(err)
					}
				}
				t.Log("-- ", stage)
				compare(t, a.Dir(), "", Attributes())
				for _, group := range []string{"bitmap", "llbitmap"} {
					if fi, err := os.Stat(a.Dir().Path(group)); err == nil && fi.IsDir() {
						compare(t, a.Dir(), group, Attributes())
					}
				}
				members, err := a.Members()
				if err != nil || len(members) != len(disks) {
					t.Fatalf("members %v, %v", members, err)
				}
				for i, m := range members {
					compare(t, m.Dir(), "", MemberAttributes())
					want := filepath.Base(g.Disks[i])
					if b, err := m.Block(); err != nil || b != want || m.Name() != want {
						t.Errorf("member %d is %s, block %s, %v", i, m.Name(), b, err)
					}
				}
			}
			lv, err := a.Level()
			if err != nil || string(lv) != l.level.String() {
				t.Errorf("level %v, %v", lv, err)
			}
			slots, err := a.Slots()
			if err != nil || len(slots) != len(disks) {
				t.Errorf("slots %v, %v", slots, err)
			}
			stat, err := ReadMdstat(sysfs.Host)
			if err != nil || stat.Array("md0") == nil || len(stat.Array("md0").Unparsed) != 0 || string(stat.Array("md0").Level) != l.level.String() {
				t.Errorf("mdstat %+v, %v", stat, err)
			}
		}})
	}
	cases = append(cases, lab.Case{Name: "modules", Run: func(t *testing.T, _ *lab.Guest) {
		p := ModuleParams(sysfs.Host)
		for _, mod := range []string{"md_mod", "linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty"} {
			if _, err := os.Stat(p.dir.Path(mod + "/parameters")); err == nil {
				compare(t, p.dir, mod+"/parameters", ParamAttributes())
			}
		}
		for name, v := range p.All() {
			if err, ok := v.(error); ok {
				t.Errorf("%s: %v", name, err)
			}
		}
	}})
	lab.Run(t, lab.Spec{Modules: labModules, Disks: labDisks(4, 16<<20)}, cases...)
}
