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
		Modules: []string{"raid1", "brd rd_nr=2 rd_size=16384", "sd_mod", "scsi_debug sector_size=4096 dev_size_mb=32"},
		Files:   lab.Peer(t, "mdadm").Files,
	}, lab.Case{Name: "4Kn", Run: func(t *testing.T, _ *lab.Guest) {
		var disk string
		lab.Until(t, "the disk of scsi_debug", func() bool {
			found, _ := filepath.Glob("/dev/sd?")
			if len(found) > 0 {
				disk = found[0]
			}
			return disk != ""
		})
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
	}})
}
