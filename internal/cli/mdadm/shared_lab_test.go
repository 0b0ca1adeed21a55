package mdadm

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// sharedSuperblock has disks whose 0.90 superblock is that of a last partition, too.
// mdadm 4.2 takes the disks.
func sharedSuperblock(t *testing.T) {
	reset(t)
	defer reset(t)
	partitioned := func(name string) {
		mbr := make([]byte, 512)
		copy(mbr[510:], "\x55\xaa")
		mbr[446+4] = 0xfd
		binary.LittleEndian.PutUint32(mbr[446+8:], 2048)
		binary.LittleEndian.PutUint32(mbr[446+12:], ramSize/512-2048)
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(mbr); err != nil {
			t.Fatal(err)
		}
		flush(t, name)
	}
	do(t, quickCreate+"md9 -e0.90 -l1 -n2 r0 r1")
	do(t, "mdadm --stop md9")
	disks := []string{"/dev/ram0", "/dev/ram1"}
	for _, disk := range disks {
		partitioned(disk)
	}
	const words = "the superblock at its end is that of its partition 1"
	want, got := peers(t, "--examine", disks[0]), ours("--examine", disks[0])
	want.out += "       " + words + ": give that partition\n"
	if got != want {
		t.Errorf("--examine: %v, want %v", got, want)
	}
	if o := ours("--examine", "--json", disks[0]); !strings.Contains(o.out, `"shared_with_partition": 1`) {
		t.Errorf("--examine --json: %v", o)
	}
	for _, line := range [][]string{
		append([]string{"--assemble", "/dev/md9"}, disks...),
		append([]string{"--assemble", "/dev/md9", "--force"}, disks...),
		{"--incremental", disks[0]},
		append([]string{"--zero-superblock"}, disks...),
	} {
		o := ours(line...)
		if o.code == 0 || line[0] != "--incremental" && strings.Count(o.err, words) != len(disks) {
			t.Errorf("%v: %v", line, o)
		}
		if stat := readText(t, "/proc/mdstat"); strings.Contains(stat, "md9") || strings.Contains(stat, "md127") {
			t.Fatalf("%v has put an array together:\n%s", line, stat)
		}
	}
	if o := ours("--examine", disks[0]); o.code != 0 {
		t.Errorf("the superblock is gone: %v", o)
	}
	if o := peers(t, append([]string{"--assemble", "/dev/md9"}, disks...)...); o.code != 0 {
		t.Errorf("mdadm refuses as well: %v", o)
	}
	do(t, "mdadm --stop md9")
	if o := ours(append([]string{"--zero-superblock", "--force"}, disks...)...); o.code != 0 {
		t.Errorf("--force: %v", o)
	}
}
