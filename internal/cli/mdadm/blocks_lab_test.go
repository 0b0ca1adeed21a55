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
		Modules: []string{"raid1", "linear", "brd rd_nr=2 rd_size=16385", "sd_mod", "scsi_debug sector_size=4096 dev_size_mb=32 delay=0"},
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
		createMixed(t, debugDisk(t))
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
