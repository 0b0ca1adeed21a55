package mdadm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestMendedAtBoot shows what mdadm has mended since 4.2 about arrays of a system that
// starts, and the layout of raid0, which such a system needs first of all.
func TestMendedAtBoot(t *testing.T) {
	beside(t)
	files := maps.Clone(lab.Peer(t, "mdadm").Files)
	maps.Copy(files, lab.Peer(t, "mdadm-next").Aside(nextDir))
	lab.Run(t, lab.Spec{
		Modules: []string{"raid0", "raid1", "raid456", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   files,
		Memory:  1 << 30,
	},
		lab.Case{Name: "udev is held back", Run: func(t *testing.T, _ *lab.Guest) { udevHeldBack(t) }},
		lab.Case{Name: "reshape in the initrd", Run: func(t *testing.T, _ *lab.Guest) { reshapeInInitrd(t) }},
		lab.Case{Name: "layout of raid0", Run: func(t *testing.T, _ *lab.Guest) { layoutOfRaid0(t) }},
	)
}

// trail is what udev sees of a command: the file that holds it back from md9 coming and
// going, and whether the array is announced by the command itself.
type trail struct {
	held      []string
	announced bool
}

// trailOf runs a command as where udev runs.
func trailOf(t *testing.T, run func() outcome) (o outcome, seen trail) {
	t.Helper()
	for _, dir := range []string{"/run/udev", "/run/mdadm"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Remove("/run/udev")
	files, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(files)
	if _, err := unix.InotifyAddWatch(files, "/run/mdadm", unix.IN_CREATE|unix.IN_DELETE); err != nil {
		t.Fatal(err)
	}
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(events)
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		t.Fatal(err)
	}
	o = run()
	buf := make([]byte, 16<<10)
	for n, err := unix.Read(files, buf); err == nil; n, err = unix.Read(files, buf) {
		for b := buf[:n]; len(b) > 0; { // struct inotify_event: watch, mask, cookie, length of the name
			length := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			if name := strings.TrimRight(string(b[16:length]), "\x00"); name == "creating-md9" {
				seen.held = append(seen.held, map[bool]string{true: "comes", false: "goes"}[binary.NativeEndian.Uint32(b[4:])&unix.IN_CREATE != 0])
			}
			b = b[length:]
		}
	}
	for n, err := unix.Read(events, buf); err == nil; n, err = unix.Read(events, buf) {
		// What user space has written to uevent bears a mark (kobject_synth_uevent).
		e := string(buf[:n])
		seen.announced = seen.announced || strings.HasPrefix(e, "change@") && strings.Contains(e, "/md9\x00") && strings.Contains(e, "\x00SYNTH_UUID=")
	}
	return o, seen
}

// udevHeldBack creates an array, and starts one as its member appears: udev is not to look
// into either, nor to mount it, while the command has it open for itself. mdadm 4.2 does
// so when it creates, and since 4.5 otherwise, too (8da27191).
func udevHeldBack(t *testing.T) {
	create := strings.Fields("--create --run --quiet /dev/md9 -l1 -n2 --assume-clean -N 9 -u " + twinUUID + " /dev/ram0 /dev/ram1")
	start := strings.Fields("--incremental --run -c " + labConf + " /dev/ram0")
	do(t, "conf DEVICE /dev/ram* | ARRAY /dev/md9 uuid="+twinUUID)
	whole := func(who string, run func(...string) outcome, args []string) {
		t.Helper()
		o, seen := trailOf(t, func() outcome { return run(args...) })
		if o.code != 0 || !slices.Equal(seen.held, []string{"comes", "goes"}) || !seen.announced {
			t.Errorf("%s %v: %v: %+v", who, args, o, seen)
		}
	}
	reset(t)
	whole("mdadm", func(args ...string) outcome { return peers(t, args...) }, create)
	do(t, "mdadm --stop md9")
	whole("ours", ours, start)
	if !holds(t, "ram0") {
		t.Error("the array does not run")
	}
	reset(t)
	whole("ours", ours, create)
	do(t, "mdadm --stop md9")
	o, seen := trailOf(t, func() outcome { return ours(strings.Fields("-I -c " + labConf + " /dev/ram0")...) })
	if o.code != 0 || !slices.Equal(seen.held, []string{"comes", "goes"}) {
		t.Errorf("an array that is not started: %v: %+v", o, seen)
	}
	reset(t)
	do(t, quickCreate+"md8 -l1 -n2 r0 r1")
	if o, seen := trailOf(t, func() outcome { return ours(create...) }); o.code == 0 || len(seen.held) > 0 && seen.held[len(seen.held)-1] != "goes" {
		t.Errorf("an array that cannot be created: %v: %+v", o, seen)
	}
	reset(t)
}

// reshapeInInitrd assembles an array in the middle of a reshape with a backup file where
// /etc/initrd-release says that the root is not mounted yet. A process that goes on with
// the reshape would be killed at switch-root; mdadm 4.2 starts it (8a0d3fea, eb45d0ad).
func reshapeInInitrd(t *testing.T) {
	defer os.Remove(backupPath)
	reset(t)
	do(t, quickCreate+"md0 -l5 -n3 -c64 r0 r1 r2")
	do(t, "fill md0")
	want := sum(t, "/dev/md0")
	in := interrupted{}
	slowly(t, func() { ourTool.run(t, "--grow md0 -c128 --backup-file="+backupPath); in.moved(t) })
	killGrowers(t)
	must(t, "--stop md0")
	if err := errors.Join(unix.Mount("none", "/etc", "tmpfs", 0, ""), os.WriteFile("/etc/initrd-release", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	o := oursLine("--assemble md0 --backup-file=" + backupPath + " r0 r1 r2")
	if o.code != 0 || !strings.Contains(o.err, "Reshape has to be continued from location") {
		t.Errorf("--assemble: %v", o)
	}
	if got := readText(t, "/sys/block/md0/md/sync_action"); got != "reshape\n" { // what udev's rule looks at
		t.Errorf("sync_action is %s", got)
	}
	if got := readText(t, "/sys/block/md0/md/sync_max"); got != "0\n" {
		t.Errorf("the reshape may go on to %s", got)
	}
	if left := growers(); len(left) > 0 {
		t.Errorf("a process goes on with it: %v", left)
	}
	if err := unix.Unmount("/etc", 0); err != nil {
		t.Fatal(err)
	}
	must(t, "--grow --continue md0 --backup-file="+backupPath)
	reshaped(t)
	if sum(t, "/dev/md0") != want {
		t.Error("other data after the reshape")
	}
	reset(t)
}

// layoutOfRaid0 creates a raid0 of equal devices. mdadm 4.2 leaves its layout out, and
// then knows no word for it (mended by 6af520a5).
func layoutOfRaid0(t *testing.T) {
	create := strings.Fields("--create --run --quiet /dev/md9 -l0 -n2 -c64 /dev/ram0 /dev/ram1")
	layout := func(by func(...string) outcome, more ...string) string {
		t.Helper()
		reset(t)
		if o := by(slices.Concat(create, more)...); o.code != 0 {
			t.Fatalf("%v: %v", more, o)
		}
		m, _ := readMember(t, "/dev/ram0")
		word := regexp.MustCompile(`(?m)^ *Layout : (.*)$`).FindStringSubmatch(ours("--detail", "/dev/md9").out)
		if word == nil {
			t.Fatal("--detail has no layout")
		}
		return fmt.Sprint(word[1], " ", m.Super1.Layout, " ", m.Super1.FeatureMap&md.FeatureRAID0Layout != 0)
	}
	mdadm := func(args ...string) outcome { return peers(t, args...) }
	later := func(args ...string) outcome { return next(t, args...) }
	if got := layout(mdadm); got != "-unknown- 1 false" {
		t.Errorf("mdadm 4.2: %s", got)
	}
	for _, more := range [][]string{nil, {"--layout=alternate"}, {"--layout=dangerous"}} {
		if want, got := layout(later, more...), layout(ours, more...); got != want {
			t.Errorf("%v: mdadm %s, ours %s", more, want, got)
		}
	}
	if got := layout(ours); got != "original 1 true" {
		t.Errorf("ours: %s", got)
	}
	reset(t)
}
