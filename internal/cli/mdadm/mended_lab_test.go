package mdadm

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/manage/array/node"
)

// TestMendedSince shows what mdadm has mended since 4.2 and ours does not get wrong
// either; docs/mdadm-history.md has the commits.
func TestMendedSince(t *testing.T) {
	beside(t)
	lab.Run(t, lab.Spec{
		Modules: []string{"raid0", "raid1", "raid456", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   lab.Peer(t, "mdadm").Files,
		Memory:  1 << 30,
	},
		lab.Case{Name: "re-add without metadata", Run: func(t *testing.T, _ *lab.Guest) { reAddWithoutMetadata(t) }},
		lab.Case{Name: "add keeps udev out", Run: func(t *testing.T, _ *lab.Guest) { addUnderLock(t) }},
		lab.Case{Name: "assembly leaves udev its turn", Run: func(t *testing.T, _ *lab.Guest) { assembleLetsGo(t) }},
		lab.Case{Name: "node of a device that goes", Run: func(t *testing.T, _ *lab.Guest) { nodeThatGoes(t) }},
		lab.Case{Name: "truncated member", Run: func(t *testing.T, _ *lab.Guest) { truncatedMember(t) }},
		lab.Case{Name: "speed of a reshape in place", Run: func(t *testing.T, _ *lab.Guest) { speedOfReshape(t) }},
		lab.Case{Name: "raid0 with metadata 0.90", Run: func(t *testing.T, _ *lab.Guest) { raid0With090(t) }},
	)
}

// holds reports whether the array has the device, in any state.
func holds(t *testing.T, device string) bool {
	t.Helper()
	return strings.Contains(readText(t, "/proc/mdstat"), device+"[")
}

// reAddWithoutMetadata takes a device back that has missed writes. Nothing says so, and
// mdadm 4.2 and the kernel serve its old data (mended by e2549aca).
func reAddWithoutMetadata(t *testing.T) {
	reAdd := []string{"/dev/md9", "--re-add", "/dev/ram1"}
	outdated := func() {
		reset(t)
		do(t, "mdadm --build --quiet md9 -l1 -n2 --assume-clean r0 r1")
		do(t, "mdadm md9 -q --fail r1")
		lab.ArraysIdle(t)
		do(t, "mdadm md9 -q --remove r1")
		do(t, "fill md9")
	}
	outdated()
	o := peers(t, reAdd...)
	lab.ArraysIdle(t)
	if o.code != 0 || !holds(t, "ram1") || sum(t, "/dev/ram0") == sum(t, "/dev/ram1") {
		t.Errorf("mdadm has rebuilt it: %v", o)
	}
	outdated()
	o = ours(reAdd...)
	if o.code != 1 || holds(t, "ram1") || !strings.Contains(o.err, "Cannot re-add member device /dev/ram1 to md9") {
		t.Errorf("re-added: %v", o)
	}
	must(t, "md9 --add r1")
	if !holds(t, "ram1") || sum(t, "/dev/ram0") != sum(t, "/dev/ram1") {
		t.Error("--add has not rebuilt it")
	}
	reset(t)
}

// addUnderLock adds a device while another command has the map of arrays, as udev's
// --incremental does: nothing is written for that to find (mended by ed2c2cb3).
func addUnderLock(t *testing.T) {
	reset(t)
	do(t, quickCreate+"md9 -l1 -n2 r0 r1")
	_, unlock, err := node.Map{}.Lock()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan outcome, 1)
	go func() { done <- ours("/dev/md9", "--add", "/dev/ram2") }()
	lab.Until(t, "--add to wait for the map", func() bool {
		return len(done) > 0 || strings.Contains(readText(t, "/proc/locks"), "-> FLOCK")
	})
	if m, _ := readMember(t, "/dev/ram2"); m != nil || len(done) > 0 {
		t.Errorf("it has been added, or written to: %v", m)
	}
	unlock()
	if o := lab.Receive(t, "--add", done); o.code != 0 || !holds(t, "ram2") {
		t.Errorf("--add: %v", o)
	}
	if _, err := os.Stat("/run/mdadm/map.lock"); err == nil {
		t.Error("the map is still locked")
	}
	reset(t)
}

// assembleLetsGo assembles while udev is there, which makes the name of an array only
// after its mdadm --incremental has seen what is on the array: that needs the map of
// arrays, and has to get it while --assemble waits for the name. mdadm leaves the map
// before it waits (Assemble.c); held until then, each array costs five seconds.
func assembleLetsGo(t *testing.T) {
	for _, line := range [][]string{
		{"--assemble", "/dev/md/named", "/dev/ram0", "/dev/ram1"},
		{"--assemble", "--scan", "-c", labConf},
	} {
		reset(t)
		do(t, quickCreate+"/dev/md/named -N named -u "+twinUUID+" -l1 -n2 r0 r1")
		do(t, "mdadm --stop /dev/md/named")
		do(t, "conf DEVICE /dev/ram0 /dev/ram1 | ARRAY /dev/md/named uuid="+twinUUID)
		if err := os.MkdirAll("/run/udev", 0o755); err != nil {
			t.Fatal(err)
		}
		os.Remove("/dev/md/named")
		done := make(chan outcome, 1)
		go func() { done <- ours(line...) }()
		lab.Until(t, "the array to run", func() bool { return len(done) > 0 || holds(t, "ram1") })
		_, unlock, err := node.Map{}.Lock()
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		if err := os.MkdirAll("/dev/md", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/md127", "/dev/md/named"); err != nil {
			t.Error(err)
		}
		if o := lab.Receive(t, "--assemble", done); o.code != 0 || strings.Contains(o.err, "timeout waiting") {
			t.Errorf("%v: %v", line, o)
		}
		os.Remove("/run/udev")
		reset(t)
		os.Remove("/dev/md/named")
	}
}

// nodeThatGoes names a device that goes by its node, as udev's rules since mdadm 4.4 do
// (9b8933bb).
func nodeThatGoes(t *testing.T) {
	goes := []string{"-If", "/dev/ram1"}
	for _, c := range []struct {
		name  string
		run   func(t *testing.T, args ...string) outcome
		stays bool
	}{
		{"mdadm", peers, true},
		{"ours", func(_ *testing.T, args ...string) outcome { return ours(args...) }, false},
	} {
		reset(t)
		do(t, quickCreate+"md9 -l1 -n2 r0 r1")
		if o := c.run(t, goes...); holds(t, "ram1") != c.stays || (o.code == 0) == c.stays {
			t.Errorf("%s: %v", c.name, o)
		}
	}
	for _, wrong := range []string{"/dev/", "/dev/disk/ram0", "/ram0", "dev/ram0", "./ram0"} {
		if o := ours("-If", wrong); o.code != 1 || !strings.Contains(o.err, "kernel device name") {
			t.Errorf("-If %s: %v", wrong, o)
		}
	}
	if !holds(t, "ram0") {
		t.Error("ram0 is gone as well")
	}
	reset(t)
}

// raid0With090 creates a raid0 with metadata 0.90, which has no place for a layout: of
// equal devices it needs none. mdadm 4.2 refuses it (mended by 6ce7f21b).
func raid0With090(t *testing.T) {
	reset(t)
	create := []string{"--create", "/dev/md9", "--run", "-e0.90", "-l0", "-n2", "-c64", "/dev/ram0"}
	if o := peers(t, append(create, "/dev/ram1")...); o.code != 1 {
		t.Errorf("mdadm: %v", o)
	}
	if o := ours(append(create, "/dev/ram1", "--layout=original")...); o.code != 1 || !strings.Contains(o.err, "does not support layouts") {
		t.Errorf("with a layout: %v", o)
	}
	if o := ours(append(create, "/dev/ram1")...); o.code != 0 {
		t.Fatalf("of equal devices: %v", o)
	}
	do(t, "fill md9")
	want := sum(t, "/dev/md9")
	do(t, "mdadm --stop md9")
	do(t, "mdadm --assemble md9 r0 r1")
	if sum(t, "/dev/md9") != want {
		t.Error("mdadm assembles other data")
	}
	do(t, "mdadm --stop md9")
	do(t, quickCreate+"md8 -l1 -n2 -z 10000 r2 r3")
	if o := ours(append(create, "/dev/md8")...); o.code != 1 || !strings.Contains(o.err, "Need explicit layout=dangerous") {
		t.Errorf("of unequal devices: %v", o)
	}
	if o := ours(append(create, "/dev/md8", "--layout=dangerous")...); o.code != 0 || !holds(t, "ram0") {
		t.Errorf("dangerous: %v", o)
	}
	reset(t)
}

// TestDevicesThatGoAtOnce drives arrays whose devices go away together with them: mdadm
// asks for that since 4.5, and before could not assemble then (d354d314, ea4cdaea).
func TestDevicesThatGoAtOnce(t *testing.T) {
	beside(t)
	lab.Run(t, lab.Spec{
		Kernel:  lab.Newest, // the only one with the parameter
		Modules: []string{"raid1", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   lab.Peer(t, "mdadm").Files,
		Memory:  1 << 30,
	}, lab.Case{Name: "at once", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "write /sys/module/md_mod/parameters/legacy_async_del_gendisk N")
		must(t, "--create md9 --run --assume-clean -l1 -n2 r0 r1")
		for range 3 {
			must(t, "--stop md9")
			if _, err := os.Stat("/sys/block/md9"); err == nil {
				t.Error("its device is still there")
			}
			must(t, "--assemble md9 r0 r1")
			must(t, "--stop md9")
			must(t, "--incremental r0")
			must(t, "--incremental r1")
			must(t, "--stop md9")
			must(t, "--create md9 --run --assume-clean -l1 -n2 r0 r1")
		}
		must(t, "--stop md9")
	}})
}

// truncatedMember has a member with less room than its superblock says. mdadm 4.2 hands it
// to the kernel, which refuses it without a reason (mended by 171e9743 and 1c6f2a1d).
func truncatedMember(t *testing.T) {
	const big = "Device /dev/ram1 is not large enough for data described in superblock"
	truncate := func() {
		reset(t)
		do(t, quickCreate+"md9 -u "+twinUUID+" -l1 -n2 r0 r1")
		do(t, "mdadm --stop md9")
		edit1(t, "/dev/ram1", func(s *md.Super1) { s.DataSize += 8 })
		do(t, "conf DEVICE /dev/ram0 /dev/ram1")
	}
	truncate()
	if o := peers(t, "--assemble", "/dev/md9", "/dev/ram0", "/dev/ram1"); !strings.Contains(o.err, "failed to add /dev/ram1 to /dev/md9: Invalid argument") {
		t.Errorf("mdadm: %v", o)
	}
	truncate()
	for _, words := range []string{"", "--force ", "--run "} {
		o := ours(strings.Fields("--assemble /dev/md9 " + words + "/dev/ram0 /dev/ram1")...)
		if o.code != 1 || !strings.Contains(o.err, big) || !strings.Contains(o.err, "/dev/ram1 has no superblock - assembly aborted") || len(arraysUp(t)) > 0 {
			t.Errorf("%s: %v", words, o)
		}
	}
	if o := ours("--incremental", "/dev/ram1"); o.code != 1 || !strings.Contains(o.err, big) || len(arraysUp(t)) > 0 {
		t.Errorf("--incremental: %v", o)
	}
	if o := ours("--assemble", "--scan", "-c", labConf); o.code != 0 || !strings.Contains(o.err, big) || !holds(t, "ram0") || holds(t, "ram1") {
		t.Errorf("--scan: %v", o)
	}
	truncate()
	must(t, "--assemble md9 --update=devicesize r0 r1")
	if !holds(t, "ram0") || !holds(t, "ram1") {
		t.Error("--update=devicesize has not made it fit")
	}
	reset(t)
	do(t, quickCreate+"md9 -l5 -n3 -z 20000 --write-journal r3 r0 r1 r2")
	do(t, "mdadm --stop md9")
	must(t, "--assemble md9 r0 r1 r2 r3") // a journal may be smaller than the members
	reset(t)
}

// edit1 edits a superblock of format 1.2.
func edit1(t *testing.T, path string, edit func(*md.Super1)) {
	t.Helper()
	m, _ := readMember(t, path)
	edit(m.Super1)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_SYNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(m.Super1.AppendTo(nil), int64(m.Super1.SuperOffset)*md.SectorSize); err != nil {
		t.Fatal(err)
	}
	flush(t, path)
}

// speedOfReshape changes the chunk in place, and looks at the administrator's limit: 4.2
// raises it meanwhile, and leaves a number behind (mended by f79f7189).
func speedOfReshape(t *testing.T) {
	reset(t)
	do(t, quickCreate+"md9 -l5 -n3 -c64 -z 20000 r0 r1 r2")
	limit := func() string { return strings.TrimSpace(readText(t, "/sys/block/md9/md/sync_speed_min")) }
	before := limit()
	if !strings.HasSuffix(before, "(system)") {
		t.Fatalf("the limit is %s", before)
	}
	must(t, "--grow md9 -c128 --backup-file=/run/backup")
	do(t, "await /sys/block/md9/md/sync_action idle")
	lab.Until(t, "the end of the backup", func() bool {
		_, err := os.Stat("/run/backup")
		return err != nil
	})
	if now := limit(); now != before {
		t.Errorf("the limit was %s, and is %s", before, now)
	}
	reset(t)
}
