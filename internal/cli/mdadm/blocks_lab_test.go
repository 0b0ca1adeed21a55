package mdadm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestLargerBlocks gives an array of ram disks with blocks of 512 bytes a disk with
// blocks of 4096. Only its refusal is ours: Debian's mdadm adds it.
func TestLargerBlocks(t *testing.T) {
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid10", "linear", "brd rd_nr=2 rd_size=16385", "sd_mod", "scsi_debug sector_size=4096 dev_size_mb=32 delay=0"},
		Files:   lab.Peer(t, "mdadm").Files,
	}, lab.Case{Name: "4Kn", Run: func(t *testing.T, _ *lab.Guest) {
		disk := debugDisk(t)
		do(t, quickCreate+"md9 -l1 -n2 r0 r1")
		read := func() []byte {
			b := make([]byte, 1<<20)
			f, err := os.Open(disk)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Read(b); err != nil {
				t.Fatal(err)
			}
			return b
		}
		before := read()
		for _, verb := range []string{"--add", "--add-spare"} {
			o := ours("/dev/md9", verb, disk)
			if o.code != 1 || !strings.Contains(o.err, "has logical blocks of 4096 bytes and /dev/md9 of only 512") {
				t.Errorf("%s: %v", verb, o)
			}
		}
		flush(t, disk)
		if string(read()) != string(before) {
			t.Error("it was written to")
		}
		if size := strings.TrimSpace(readText(t, "/sys/block/md9/queue/logical_block_size")); size != "512" {
			t.Errorf("the array has blocks of %s bytes", size)
		}
		// What becomes of an array that gets such a disk all the same: 6.1 enlarges its
		// blocks, later kernels take the disk for a spare and leave it at that.
		do(t, "mdadm md9 -q --fail r1 --remove r1")
		do(t, "mdadm md9 -q --add "+disk)
		do(t, "await /sys/block/md9/md/sync_action idle")
		size := strings.TrimSpace(readText(t, "/sys/block/md9/queue/logical_block_size"))
		if degraded := strings.Contains(readText(t, "/proc/mdstat"), "[U_]"); degraded != (size == "512") {
			t.Errorf("with the disk the array has blocks of %s bytes; degraded: %v", size, degraded)
		}
		do(t, "mdadm --stop md9")
	}}, lab.Case{Name: "created of both", Run: func(t *testing.T, g *lab.Guest) {
		disk := debugDisk(t)
		createMixed(t, disk)
		growMixed(t, disk)
		buildMixed(t, disk)
		if g.HasModule("linear") {
			createMixedLinear(t, debugDisk(t))
		}
	}})
}

// debugDisk awaits the disk with larger blocks.
func debugDisk(t *testing.T) (disk string) {
	t.Helper()
	lab.Until(t, "the disk of scsi_debug", func() bool {
		found, _ := filepath.Glob("/dev/sd?")
		if len(found) > 0 {
			disk = found[0]
		}
		return disk != ""
	})
	return disk
}

// createMixed creates arrays of disks with both sizes of blocks. Debian's mdadm makes
// those that ours refuses, and the kernel then cannot write to all of the disk.
func createMixed(t *testing.T, disk string) {
	create := func(args ...string) []string {
		return append([]string{"--create", "/dev/md8", "--run", "-l1", "-n2", "/dev/ram0", disk}, args...)
	}
	stopped := func() (failed bool) {
		t.Helper()
		lab.ArraysIdle(t)
		if size := strings.TrimSpace(readText(t, "/sys/block/md8/queue/logical_block_size")); size != "4096" {
			t.Errorf("the array has blocks of %s bytes", size)
		}
		bad := readText(t, "/sys/block/md8/md/dev-"+filepath.Base(disk)+"/bad_blocks")
		failed = bad != "" || !strings.Contains(readText(t, "/proc/mdstat"), "[UU]")
		do(t, "mdadm --stop md8")
		return failed
	}
	for _, tc := range []struct{ option, says string }{
		{"--size=9001", "size of 9001K is not a multiple of the logical blocks of " + disk + ", which have 4096 bytes: give --size=9000"},
		{"--data-offset=1025", "data offset of 2050 sectors on /dev/ram0 is not a multiple of the logical blocks of " + disk},
	} {
		if o := peers(t, create(tc.option)...); o.code != 0 || !stopped() {
			t.Errorf("%s with mdadm: all of the disk was written to: %v", tc.option, o)
		}
		before := sum(t, disk)
		if o := ours(create(tc.option)...); o.code != 1 || !strings.Contains(o.err, tc.says) {
			t.Errorf("%s: %v", tc.option, o)
		}
		flush(t, disk)
		if sum(t, disk) != before {
			t.Errorf("%s: %s was written to", tc.option, disk)
		}
	}
	for _, option := range []string{"--size=9000", "--data-offset=1028", "-e1.0"} {
		if o := ours(create(option)...); o.code != 0 || stopped() {
			t.Errorf("%s: %v", option, o)
		}
	}
}

// growMixed changes an array whose blocks are those of its larger disk. Debian's mdadm
// makes the members end within a block, and the kernel then cannot write all of it.
func growMixed(t *testing.T, disk string) {
	members := []string{"/dev/ram0", disk}
	attrs := func() (s string) {
		for _, name := range []string{"component_size", "array_size", "dev-ram0/size", "dev-ram0/offset", "dev-" + filepath.Base(disk) + "/size"} {
			s += readText(t, "/sys/block/md8/md/"+name)
		}
		return s
	}
	whole := func() bool {
		t.Helper()
		lab.ArraysIdle(t)
		bad := readText(t, "/sys/block/md8/md/dev-"+filepath.Base(disk)+"/bad_blocks")
		return bad == "" && strings.Contains(readText(t, "/proc/mdstat"), "[UU]")
	}
	mixed := append([]string{"--create", "/dev/md8", "--run", "--quiet", "-l1", "-n2", "-z8000", "--data-offset=1028"}, members...)
	for _, size := range []string{"9001", "max"} {
		if o := ours(mixed...); o.code != 0 {
			t.Fatal(o)
		}
		lab.ArraysIdle(t)
		if o := peers(t, "--grow", "/dev/md8", "--size="+size); o.code != 0 || whole() {
			t.Errorf("--size=%s with mdadm: all of the disk was written to: %v", size, o)
		}
		do(t, "mdadm --stop md8")
	}
	if o := ours(mixed...); o.code != 0 {
		t.Fatal(o)
	}
	lab.ArraysIdle(t)
	before := attrs()
	for _, tc := range []struct{ option, says string }{
		{"--size=9001", "size of 9001K is not a multiple of the logical blocks of /dev/md8, which have 4096 bytes: give --size=9000"},
		{"--array-size=7001", "array size of 7001K is not a multiple of the logical blocks of /dev/md8, which have 4096 bytes: give --array-size=7000"},
	} {
		if o := ours("--grow", "/dev/md8", tc.option); o.code != 1 || !strings.Contains(o.err, tc.says) {
			t.Errorf("%s: %v", tc.option, o)
		}
		if now := attrs(); now != before {
			t.Errorf("%s has changed the array from\n%sto\n%s", tc.option, before, now)
		}
	}
	for _, option := range []string{"--array-size=7000", "--array-size=max", "--size=9000", "--size=max"} {
		if o := ours("--grow", "/dev/md8", option); o.code != 0 || !whole() {
			t.Errorf("%s: %v", option, o)
		}
	}
	if size := strings.TrimSpace(readText(t, "/sys/block/md8/md/component_size")); size != "15356" {
		t.Errorf("as much as possible is %s KiB", size) // 16385 - 1028, in whole blocks
	}
	do(t, "mdadm --stop md8")
	growMixedOffset(t, disk)
}

// growMixedOffset asks for an offset within a block.
func growMixedOffset(t *testing.T, disk string) {
	if o := ours("--create", "/dev/md8", "--run", "--quiet", "-l10", "-n2", "-z8000", "-c4", "--data-offset=1028", "/dev/ram0", disk); o.code != 0 {
		t.Fatal(o)
	}
	lab.ArraysIdle(t)
	o := ours("--grow", "/dev/md8", "-c8", "--data-offset=1201")
	if o.code != 1 || !strings.Contains(o.err, "data offset of 2402 sectors is not a multiple of the logical blocks of /dev/md8") {
		t.Errorf("--data-offset: %v", o)
	}
	if a := strings.TrimSpace(readText(t, "/sys/block/md8/md/sync_action")); a != "idle" {
		t.Errorf("the array is %s", a)
	}
	do(t, "mdadm --stop md8")
}

// buildMixed makes arrays without metadata.
func buildMixed(t *testing.T, disk string) {
	build := []string{"--build", "/dev/md8", "-l1", "-n2", "/dev/ram0", disk}
	resynced := func() bool {
		t.Helper()
		lab.ArraysIdle(t)
		ok := strings.Contains(readText(t, "/proc/mdstat"), "[UU]")
		do(t, "mdadm --stop md8")
		return ok
	}
	if o := peers(t, build...); o.code != 0 || resynced() {
		t.Errorf("built by mdadm: all of the disk was written to: %v", o)
	}
	if o := ours(build...); o.code != 1 || !strings.Contains(o.err, "size of 16385K is not a multiple of the logical blocks of "+disk+", which have 4096 bytes: give --size=16384") {
		t.Errorf("build: %v", o)
	}
	if _, err := os.Stat("/sys/block/md8/md"); err == nil {
		t.Error("a refused --build has made the array")
	}
	if o := ours(append(build, "--size=16384")...); o.code != 0 || !resynced() {
		t.Errorf("build with a size: %v", o)
	}
}

// createMixedLinear puts a disk with blocks of 4096 bytes behind one that does not end
// with such a block, so that every block of the array there lies across two of the disk.
func createMixedLinear(t *testing.T, disk string) {
	create := []string{"--create", "/dev/md8", "--run", "-llinear", "-n2", "/dev/ram0", disk}
	readable := func() bool {
		t.Helper()
		f, err := os.Open("/dev/md8")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = f.ReadAt(make([]byte, 4096), 20<<20)
		return err == nil
	}
	if o := peers(t, create...); o.code != 0 || readable() {
		t.Errorf("mdadm's array can be read: %v", o)
	}
	do(t, "mdadm --stop md8")
	if o := ours(create...); o.code != 1 || !strings.Contains(o.err, "give --rounding=4") {
		t.Errorf("linear: %v", o)
	}
	if o := ours(append(create, "--rounding=4")...); o.code != 0 || !readable() {
		t.Errorf("linear with --rounding: %v", o)
	}
	do(t, "mdadm --stop md8")
}
