package block

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/sysfs"
)

// machine has a disk sda with two partitions, an array md0 on sda1 and another
// disk, swap on sda2, a mapped device on md0, and a controller with a slash in
// its name.
const machine = `
sys/block/sda -> ../devices/pci0/sda
sys/block/md0 -> ../devices/virtual/block/md0
sys/block/dm-0 -> ../devices/virtual/block/dm-0
sys/block/cciss!c0d0 -> ../devices/cciss!c0d0
sys/class/block/sda -> ../../devices/pci0/sda
sys/class/block/sda1 -> ../../devices/pci0/sda/sda1
sys/class/block/sda10 -> ../../devices/pci0/sda/sda10
sys/class/block/md0 -> ../../devices/virtual/block/md0
sys/class/block/dm-0 -> ../../devices/virtual/block/dm-0
sys/class/block/cciss!c0d0 -> ../../devices/cciss!c0d0
sys/dev/block/8:0 -> ../../devices/pci0/sda
sys/dev/block/8:1 -> ../../devices/pci0/sda/sda1
sys/dev/block/8:10 -> ../../devices/pci0/sda/sda10
sys/dev/block/9:0 -> ../../devices/virtual/block/md0
sys/dev/block/253:0 -> ../../devices/virtual/block/dm-0
sys/dev/block/104:0 -> ../../devices/cciss!c0d0
sys/devices/pci0/sda/dev = 8:0
sys/devices/pci0/sda/size = 2097152
sys/devices/pci0/sda/ro = 0
sys/devices/pci0/sda/removable = 1
sys/devices/pci0/sda/diskseq = 7
sys/devices/pci0/sda/uevent = MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk
sys/devices/pci0/sda/queue/logical_block_size = 512
sys/devices/pci0/sda/queue/physical_block_size = 4096
sys/devices/pci0/sda/queue/hw_sector_size = 512
sys/devices/pci0/sda/queue/minimum_io_size = 4096
sys/devices/pci0/sda/queue/optimal_io_size = 0
sys/devices/pci0/sda/queue/rotational = 1
sys/devices/pci0/sda/queue/read_ahead_kb = 128
sys/devices/pci0/sda/queue/max_sectors_kb = 1280
sys/devices/pci0/sda/queue/discard_granularity = 4096
sys/devices/pci0/sda/queue/discard_max_bytes = 1073741824
sys/devices/pci0/sda/queue/write_zeroes_max_bytes = 0
sys/devices/pci0/sda/queue/write_cache = write back
sys/devices/pci0/sda/queue/fua = 0
sys/devices/pci0/sda/queue/zoned = none
sys/devices/pci0/sda/queue/dax = 0
sys/devices/pci0/sda/holders/
sys/devices/pci0/sda/slaves/
sys/devices/pci0/sda/sda10/dev = 8:10
sys/devices/pci0/sda/sda10/partition = 10
sys/devices/pci0/sda/sda10/start = 1000000
sys/devices/pci0/sda/sda10/holders/
sys/devices/pci0/sda/sda1/dev = 8:1
sys/devices/pci0/sda/sda1/partition = 1
sys/devices/pci0/sda/sda1/start = 2048
sys/devices/pci0/sda/sda1/size = 4096
sys/devices/pci0/sda/sda1/ro = 1
sys/devices/pci0/sda/sda1/holders/md0 -> ../../../../virtual/block/md0
sys/devices/virtual/block/md0/dev = 9:0
sys/devices/virtual/block/md0/holders/dm-0 -> ../../dm-0
sys/devices/virtual/block/md0/slaves/cciss!c0d0 -> ../../../../cciss!c0d0
sys/devices/virtual/block/md0/slaves/sda1 -> ../../../../pci0/sda/sda1
sys/devices/virtual/block/dm-0/dev = 253:0
sys/devices/virtual/block/dm-0/dm/name = vg-root
sys/devices/virtual/block/dm-0/holders/
sys/devices/cciss!c0d0/dev = 104:0
sys/devices/cciss!c0d0/holders/md0 -> ../../virtual/block/md0
proc/self/mountinfo = 21 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n22 21 0:40 / /mnt/a\\040b rw - btrfs /dev/cciss/c0d0 rw\n23 21 0:4 / /proc rw - proc proc rw\nshort line
proc/swaps = Filename Type Size Used Priority\n/dev/sda10 partition 1024 0 -2\n/swapfile file 1024 0 -3
`

func fixture(t *testing.T) sysfs.FS {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.TrimSpace(machine)) {
		line = strings.TrimSuffix(line, "\n")
		name, target, isLink := strings.Cut(line, " -> ")
		name, text, isFile := strings.Cut(name, " = ")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		switch {
		case isLink:
			err = os.Symlink(target, path)
		case isFile:
			text = strings.ReplaceAll(text, `\n`, "\n")
			text = strings.ReplaceAll(text, `\\`, `\`)
			err = os.WriteFile(path, []byte(text+"\n"), 0o644)
		default:
			err = os.MkdirAll(path, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fsys, err := sysfs.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func open(t *testing.T, fsys sysfs.FS, name string) *Device {
	t.Helper()
	d, err := Open(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNamesAndNumbers(t *testing.T) {
	fsys := fixture(t)
	names, err := Names(fsys)
	if err != nil || fmt.Sprint(names) != "[cciss/c0d0 dm-0 md0 sda]" {
		t.Errorf("%v, %v", names, err)
	}
	for _, c := range []struct{ name, num string }{{"sda", "8:0"}, {"sda10", "8:10"}, {"cciss/c0d0", "104:0"}, {"dm-0", "253:0"}} {
		num, err := open(t, fsys, c.name).Num()
		if err != nil || num.String() != c.num {
			t.Errorf("%s has %v, %v", c.name, num, err)
		}
		d, err := OpenNum(fsys, num)
		if err != nil || d.Name() != c.name || d.Node() != "/dev/"+c.name {
			t.Errorf("%v is %v, %v", num, d, err)
		}
	}
	if _, err := Open(fsys, "sdz"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := OpenNum(fsys, Num{8, 99}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no block device of that number") {
		t.Error(err)
	}
	for _, bad := range []string{"", "8", "8:", ":1", "8:1:2", "-1:0", "4096:0", "0:1048576", " 8:0"} {
		if n, err := ParseNum(bad); err == nil {
			t.Errorf("ParseNum(%q) = %v", bad, n)
		}
	}
}

func TestDevice(t *testing.T) {
	fsys := fixture(t)
	sda, sda1 := open(t, fsys, "sda"), open(t, fsys, "sda1")
	if n, err := sda.Sectors(); n != 2097152 || err != nil {
		t.Errorf("sectors %d, %v", n, err)
	}
	if ro, err := sda1.ReadOnly(); !ro || err != nil {
		t.Errorf("read-only %v, %v", ro, err)
	}
	if r, err := sda.Removable(); !r || err != nil {
		t.Errorf("removable %v, %v", r, err)
	}
	if _, err := sda1.Removable(); !errors.Is(err, sysfs.ErrNotSupported) {
		t.Error(err)
	}
	if n, ok, err := sda1.Partition(); n != 1 || !ok || err != nil {
		t.Errorf("partition %d %v %v", n, ok, err)
	}
	if _, ok, err := sda.Partition(); ok || err != nil {
		t.Errorf("disk is a partition: %v", err)
	}
	if n, err := sda1.Start(); n != 2048 || err != nil {
		t.Errorf("start %d, %v", n, err)
	}
	if n, err := sda1.DiskSeq(); n != 7 || err != nil {
		t.Errorf("diskseq %d, %v", n, err)
	}
	parts, err := sda.Partitions()
	if err != nil || len(parts) != 2 || parts[0].Name() != "sda1" || parts[1].Name() != "sda10" {
		t.Errorf("partitions %v, %v", parts, err)
	}
	disk, err := sda1.Disk()
	if err != nil || disk.Name() != "sda" {
		t.Errorf("disk %v, %v", disk, err)
	}
	md0 := open(t, fsys, "md0")
	if s, err := md0.Slaves(); err != nil || fmt.Sprint(s) != "[cciss/c0d0 sda1]" {
		t.Errorf("slaves %v, %v", s, err)
	}
	if h, err := md0.Holders(); err != nil || fmt.Sprint(h) != "[dm-0]" {
		t.Errorf("holders %v, %v", h, err)
	}
	if n, err := open(t, fsys, "dm-0").MapperName(); n != "vg-root" || err != nil {
		t.Errorf("mapper name %q, %v", n, err)
	}
	if v, err := sda.Uevent(); err != nil || v["DEVTYPE"] != "disk" || len(v) != 4 {
		t.Errorf("uevent %v, %v", v, err)
	}
	if err := sda.Announce("change"); err != nil {
		t.Error(err)
	}
	if text, err := sda.Dir().Read("uevent"); err != nil || !strings.HasPrefix(text, "change") {
		t.Errorf("uevent got %q, %v", text, err)
	}
	if sda.Dir().Path("x") != string(sda.Dir())+"/x" {
		t.Error(sda.Dir())
	}
}

func TestQueue(t *testing.T) {
	fsys := fixture(t)
	q, err := open(t, fsys, "sda1").Queue() // a partition has the queue of its disk
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		get  func() (uint64, error)
		want uint64
	}{
		"logical_block_size":     {q.LogicalBlockSize, 512},
		"physical_block_size":    {q.PhysicalBlockSize, 4096},
		"hw_sector_size":         {q.HardwareSectorSize, 512},
		"minimum_io_size":        {q.MinimumIOSize, 4096},
		"optimal_io_size":        {q.OptimalIOSize, 0},
		"read_ahead_kb":          {q.ReadAheadKiB, 128},
		"max_sectors_kb":         {q.MaxSectorsKiB, 1280},
		"discard_granularity":    {q.DiscardGranularity, 4096},
		"discard_max_bytes":      {q.DiscardMaxBytes, 1 << 30},
		"write_zeroes_max_bytes": {q.WriteZeroesMaxBytes, 0},
	} {
		if got, err := c.get(); got != c.want || err != nil {
			t.Errorf("%s = %d, %v", name, got, err)
		}
	}
	if r, err := q.Rotational(); !r || err != nil {
		t.Errorf("rotational %v, %v", r, err)
	}
	if r, err := q.FUA(); r || err != nil {
		t.Errorf("fua %v, %v", r, err)
	}
	if r, err := q.DAX(); r || err != nil {
		t.Errorf("dax %v, %v", r, err)
	}
	if s, err := q.WriteCache(); s != "write back" || err != nil {
		t.Errorf("write_cache %q, %v", s, err)
	}
	if s, err := q.Zoned(); s != "none" || err != nil {
		t.Errorf("zoned %q, %v", s, err)
	}
	if err := q.SetReadAheadKiB(4096); err != nil {
		t.Error(err)
	}
	if s, err := q.Dir().Read("read_ahead_kb"); !strings.HasPrefix(s, "4096") || err != nil {
		t.Errorf("read_ahead_kb %q, %v", s, err)
	}
}

func TestHolders(t *testing.T) {
	fsys := fixture(t)
	for num, want := range map[string]string{
		"8:0":   "[sda1 is held by md0 sda10 is swapped to]", // through its partitions
		"8:1":   "[sda1 is held by md0]",
		"8:10":  "[sda10 is swapped to]",
		"9:0":   "[md0 is held by dm-0]",
		"253:0": "[dm-0 is mounted on /]",
		"104:0": "[cciss/c0d0 is held by md0 cciss/c0d0 is mounted on /mnt/a b]", // a file system with a number of its own
	} {
		n, err := ParseNum(num)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Holders(fsys, n); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v, want %s", num, got, err, want)
		}
	}
	if _, err := Holders(fsys, Num{1, 1}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// The running system's own /proc has no block device open by number 0:0.
func TestOpeners(t *testing.T) {
	procs, err := Openers(sysfs.Host, Num{0, 0})
	if err != nil || len(procs) != 0 {
		t.Errorf("%v, %v", procs, err)
	}
}
