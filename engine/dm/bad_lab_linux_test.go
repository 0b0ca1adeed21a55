package dm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	kernel "github.com/mdkit/mdkit/ioctl/dm"
)

// allTargets are the modules of all targets; the ciphers come first, because
// dm-crypt does not load without the one it needs.
var allTargets = []string{
	"aes_generic", "xts", "cbc", "ecb", "essiv", "hmac", "sha256_generic", "crc32c_generic", "crypto_null", "ctr",
	"dm-mod", "dm-zero", "dm-delay", "dm-flakey", "dm-crypt", "dm-snapshot", "dm-mirror", "dm-raid", "dm-multipath",
	"dm-round-robin", "dm-queue-length", "dm-service-time", "dm-historical-service-time", "dm-io-affinity",
	"dm-thin-pool", "dm-cache", "dm-cache-smq", "dm-era", "dm-clone", "dm-verity", "dm-switch", "dm-log-writes",
	"dm-log-userspace", "dm-integrity", "dm-writecache", "dm-unstripe", "dm-dust", "dm-ebs", "dm-zoned", "dm-vdo",
	"dm-pcache", "dm-inlinecrypt", "raid456", "raid1", "raid10", "raid0",
}

// machine is a lab machine with the device mapper and some disks.
type machine struct {
	*kernel.Control
	g       *lab.Guest
	numbers map[string]string // of the disks: a, b, c, d, k
	names   map[string]string // what the kernel calls them
}

// labSpec has the disks {a}, {b}, {c} of testdata/bad.txt, a {d} of 16 MiB, and
// with scsi_debug also {k}.
func labSpec() lab.Spec {
	return lab.Spec{
		Modules: append(slices.Clone(allTargets), "sd_mod", "scsi_debug sector_size=4096 dev_size_mb=8"),
		Disks:   []lab.Disk{{Size: 16 << 20}, {Size: 16 << 20}, {Size: 1 << 20}, {Size: 16 << 20}},
	}
}

func newMachine(t *testing.T, g *lab.Guest) *machine {
	t.Helper()
	c, err := kernel.Open()
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{Control: c, g: g, numbers: map[string]string{"x": "/dev/none"}, names: map[string]string{}}
	for i, d := range g.Disks[:4] {
		m.numbers[string("abcd"[i])], m.names[string("abcd"[i])] = number(t, d), filepath.Base(d)
	}
	// The disk of scsi_debug appears some time after its module is loaded.
	lab.Until(t, "the disk of scsi_debug", func() bool {
		found, _ := filepath.Glob("/dev/sd?")
		if len(found) > 0 {
			m.numbers["k"], m.names["k"] = number(t, found[0]), filepath.Base(found[0])
		}
		return len(found) > 0
	})
	t.Cleanup(func() {
		if err := c.RemoveAll(kernel.RemoveOptions{}); err != nil {
			t.Error(err)
		}
		if left, err := c.List(kernel.ListOptions{}); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		c.Close()
	})
	return m
}

// number returns the "major:minor" of a device node.
func number(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
}

// has reports whether the kernel has a target, and logs it if it does not.
func (m *machine) has(t *testing.T, missing map[string]bool, typ string) bool {
	t.Helper()
	if _, ok := missing[typ]; !ok {
		versions, err := m.TargetVersions()
		if err != nil {
			t.Fatal(err)
		}
		missing[typ] = !slices.ContainsFunc(versions, func(v kernel.TargetVersion) bool { return v.Name == typ })
		if missing[typ] {
			t.Logf("this kernel has no target %s", typ)
		}
	}
	return !missing[typ]
}

// wipe zeroes the start of the disks, where targets keep their metadata.
func (m *machine) wipe(t *testing.T) {
	t.Helper()
	for _, d := range m.g.Disks {
		f, err := os.OpenFile(d, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 256<<10), 0); err != nil {
			t.Error(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Error(err)
		}
	}
}

// world is what a check needs to know about this machine.
func (m *machine) world(t *testing.T) dm.World {
	t.Helper()
	versions, err := m.TargetVersions()
	if err != nil {
		t.Fatal(err)
	}
	w := world{devices: map[string]dm.DeviceInfo{}, versions: map[string][3]uint32{}}
	for _, v := range versions {
		w.versions[v.Name] = v.Version
	}
	for name, sectors := range map[string]uint64{"a": 32768, "b": 32768, "c": 2048, "d": 32768, "k": 16384} {
		info := dm.DeviceInfo{Size: sectors, Mapped: "-"}
		info.Major, info.Minor, _ = dm.Ref(m.numbers[name]).Number()
		if name == "k" {
			info.LogicalBlockSize = 4096
		}
		w.devices[m.numbers[name]] = info
	}
	return w
}

// TestLabBadTables has a kernel judge each of the bad tables: it must refuse
// them for the same reason, and keep nothing of them.
func TestLabBadTables(t *testing.T) {
	lab.Run(t, labSpec(), lab.Case{Name: "kernel", Run: judge})
}

// TestLabBadTablesStock is TestLabBadTables on Debian's stock kernel, which has
// features that user-mode Linux is built without: zones, and error correction
// in verity.
func TestLabBadTablesStock(t *testing.T) {
	spec := labSpec()
	spec.Backend, spec.Kernel = "qemu", lab.Oldest
	lab.Run(t, spec, lab.Case{Name: "kernel", Run: judge})
}

// judge has the kernel judge all bad tables.
func judge(t *testing.T, g *lab.Guest) {
	m := newMachine(t, g)
	missing := map[string]bool{}
	if _, err := m.Create("bad", kernel.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	judged := 0
	w := m.world(t)
	for _, b := range badTables(t, m.numbers) {
		if m.has(t, missing, b.line.Type) {
			m.refuses(t, w, b)
			judged++
		}
	}
	t.Logf("%d bad tables judged by Linux %s", judged, g.Release)
	if judged < 300 {
		t.Errorf("only %d bad tables judged", judged)
	}
}

// refuses loads a bad table and looks for the reason in the kernel's log. Check
// must give that reason on this machine too, or the one in the list.
func (m *machine) refuses(t *testing.T, w dm.World, b badTable) {
	t.Helper()
	want := b.says(m.g.AtLeast, m.g.Backend)
	var e *dm.Error
	if ours := check(b, w); errors.As(ours, &e) {
		// The kernel notices that a device is too small only when the table
		// goes live.
		late := want == "takes" && strings.Contains(e.Reason, "too small for target")
		if e.Reason != want && e.Reason != b.reason && !late {
			t.Errorf("%s: checked: %v, want %q", b.line, ours, want)
		}
	} else if want != "takes" {
		t.Errorf("%s: checked: %v, want %q", b.line, ours, want)
	}
	dev := kernel.ByName("bad")
	m.g.KernelLog(t)
	_, err := m.Load(dev, []kernel.Target{b.line}, kernel.LoadOptions{ReadOnly: b.readOnly})
	said := m.g.KernelLog(t)
	if err == nil {
		if want != "takes" {
			t.Errorf("%s\ntakes it, want %q", b.line, want)
		}
		if _, err = m.Clear(dev); err != nil {
			t.Fatal(err)
		}
		m.wipe(t)
		return
	}
	text := ": " + b.line.Type + ": " + want
	if !slices.ContainsFunc(said, func(l string) bool {
		_, after, ok := strings.Cut(l, text)
		return ok && (after == "" || strings.HasPrefix(after, " (-"))
	}) {
		t.Errorf("%s\nwant %q, the kernel says:\n%s", b.line, want, strings.Join(said, "\n"))
	}
	if info, err := m.Status(dev, kernel.StatusOptions{}); err != nil || info.InactiveTable() || info.LiveTable() {
		t.Errorf("%s: left behind: %+v, %v", b.line, info, err)
	}
}

// TestLabCoreTables has a kernel judge the tables that break rules of the core.
func TestLabCoreTables(t *testing.T) {
	lab.Run(t, labSpec(), lab.Case{Name: "kernel", Run: func(t *testing.T, g *lab.Guest) {
		m := newMachine(t, g)
		dev := kernel.ByName("bad")
		if _, err := m.Create("bad", kernel.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, c := range coreTables {
			table, _ := c.table(t, m.numbers)
			_, reason := c.table(t, m.names)
			m.g.KernelLog(t)
			_, err := m.Load(dev, table, kernel.LoadOptions{})
			if err == nil && c.late {
				_, err = m.Resume(dev, kernel.ResumeOptions{})
			}
			said := m.g.KernelLog(t)
			if err == nil || !slices.ContainsFunc(said, func(l string) bool { return strings.Contains(l, ": "+reason) }) {
				t.Errorf("%s: %v, want %q, the kernel says:\n%s", c.name, err, reason, strings.Join(said, "\n"))
			}
			if _, err = m.Clear(dev); err != nil {
				t.Fatal(err)
			}
			info, err := m.Status(dev, kernel.StatusOptions{})
			if err != nil || info.LiveTable() || info.InactiveTable() {
				t.Errorf("%s: left behind: %+v, %v", c.name, info, err)
			}
		}
	}})
}
