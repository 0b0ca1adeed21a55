package block

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	ioblock "github.com/mdkit/mdkit/ioctl/block"
	iomd "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/sysfs"
)

func TestMain(m *testing.M) { lab.Main(m) }

func labNum(t *testing.T, path string) Num {
	t.Helper()
	f, err := ioblock.Open(path, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	major, minor, err := ioblock.Number(f)
	if err != nil {
		t.Fatal(err)
	}
	return Num{major, minor}
}

func labHolders(t *testing.T, path, want string) {
	t.Helper()
	got, err := Holders(sysfs.Host, labNum(t, path))
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("%s: %v, %v, want %s", path, got, err, want)
	}
}

// addPartition tells the kernel about a partition; its place is in bytes.
func addPartition(t *testing.T, disk string, number int32, start, length int64) {
	t.Helper()
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := struct {
		start, length int64
		number        int32
		names         [128]byte
	}{start: start, length: length, number: number}
	arg := unix.BlkpgIoctlArg{Op: unix.BLKPG_ADD_PARTITION, Datalen: int32(unsafe.Sizeof(part)), Data: (*byte)(unsafe.Pointer(&part))}
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg))); no != 0 {
		t.Fatalf("BLKPG %s: %v", disk, no)
	}
}

// TestLabHolders puts devices to use on a real kernel, and checks what Holders
// and Openers find.
func TestLabHolders(t *testing.T) {
	lab.Run(
		t,
		lab.Spec{Modules: []string{"raid0"}, Disks: []lab.Disk{{Size: 16 << 20}, {Size: 8 << 20}}},
		lab.Case{Name: "attributes", Run: func(t *testing.T, g *lab.Guest) {
			addPartition(t, g.Disks[1], 3, 1<<20, 2<<20)
			names, err := Names(sysfs.Host)
			if err != nil || !slices.Contains(names, "ubdb") || slices.Contains(names, "ubdb3") {
				t.Errorf("names %v, %v", names, err)
			}
			part, err := OpenNum(sysfs.Host, labNum(t, g.Disks[1]+"3"))
			if err != nil {
				t.Fatal(err)
			}
			start, err1 := part.Start()
			size, err2 := part.Sectors()
			n, ok, err3 := part.Partition()
			if part.Name() != "ubdb3" || start != 2048 || size != 4096 || n != 3 || !ok || err1 != nil || err2 != nil || err3 != nil {
				t.Errorf("%s at %d+%d, number %d %v", part.Name(), start, size, n, ok)
			}
			disk, err := part.Disk()
			if err != nil || disk.Name() != "ubdb" {
				t.Errorf("disk %v, %v", disk, err)
			}
			parts, err := disk.Partitions()
			if err != nil || len(parts) != 1 || parts[0].Name() != "ubdb3" {
				t.Errorf("partitions %v, %v", parts, err)
			}
			vars, err := part.Uevent()
			if err != nil || vars["DEVNAME"] != "ubdb3" || vars["DEVTYPE"] != "partition" || vars["PARTN"] != "3" {
				t.Errorf("uevent %v, %v", vars, err)
			}
			if _, err := part.DiskSeq(); err != nil {
				t.Error(err)
			}
			q, err := part.Queue()
			if err != nil {
				t.Fatal(err)
			}
			for name, get := range map[string]func() (uint64, error){
				"logical_block_size": q.LogicalBlockSize, "physical_block_size": q.PhysicalBlockSize,
				"hw_sector_size": q.HardwareSectorSize, "minimum_io_size": q.MinimumIOSize,
				"optimal_io_size": q.OptimalIOSize, "read_ahead_kb": q.ReadAheadKiB, "max_sectors_kb": q.MaxSectorsKiB,
				"discard_granularity": q.DiscardGranularity, "discard_max_bytes": q.DiscardMaxBytes,
				"write_zeroes_max_bytes": q.WriteZeroesMaxBytes,
			} {
				if _, err := get(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for name, get := range map[string]func() (bool, error){"rotational": q.Rotational, "fua": q.FUA, "dax": q.DAX} {
				if _, err := get(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if c, err := q.WriteCache(); err != nil || c == "" {
				t.Errorf("write_cache %q, %v", c, err)
			}
			if z, err := q.Zoned(); err != nil || z != "none" {
				t.Errorf("zoned %q, %v", z, err)
			}
			if err := q.SetReadAheadKiB(256); err != nil {
				t.Error(err)
			}
			if n, err := q.ReadAheadKiB(); n != 256 || err != nil {
				t.Errorf("read_ahead_kb %d, %v", n, err)
			}
		}},
		lab.Case{Name: "array", Run: func(t *testing.T, g *lab.Guest) {
			if err := sysfs.WriteFile(sysfs.Host.Sys("module/raid0/parameters/default_layout"), "2"); err != nil {
				t.Fatal(err)
			}
			d, err := iomd.OpenNumber(9, 0, os.O_RDWR)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := d.SetArrayInfo(&iomd.ArrayInfo{RaidDisks: 1, NrDisks: 1, NotPersistent: 1, ChunkSize: 65536}); err != nil {
				t.Fatal(err)
			}
			n := labNum(t, g.Disks[0])
			if err := d.AddNewDisk(iomd.DiskInfo{Major: int32(n.Major), Minor: int32(n.Minor), State: iomd.DiskActive | iomd.DiskSync}); err != nil {
				t.Fatal(err)
			}
			if err := d.RunArray(); err != nil {
				t.Fatal(err)
			}
			_, err = ioblock.OpenExclusive(g.Disks[0], false)
			t.Log(err)
			labHolders(t, g.Disks[0], "[ubda is held by md0]")
			md, err := Open(sysfs.Host, "md0")
			if err != nil {
				t.Fatal(err)
			}
			if s, err := md.Slaves(); err != nil || fmt.Sprint(s) != "[ubda]" {
				t.Errorf("slaves %v, %v", s, err)
			}
			procs, err := Openers(sysfs.Host, Num{9, 0})
			if err != nil || !slices.ContainsFunc(procs, func(p Process) bool { return p.PID == os.Getpid() && p.Command != "" }) {
				t.Errorf("openers %v, %v; this is %d", procs, err, os.Getpid())
			}
			lab.Poll(t, func() string {
				if err := d.StopArray(); err != nil {
					return "the array to stop: " + err.Error()
				}
				return ""
			})
			labHolders(t, g.Disks[0], "[]")
		}},
		lab.Case{Name: "swap", Run: func(t *testing.T, g *lab.Guest) {
			addPartition(t, g.Disks[1], 1, 4<<20, 2<<20)
			node := g.Disks[1] + "1"
			makeSwap(t, node, 2<<20)
			p, err := unix.BytePtrFromString(node)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, no := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(p)), 0, 0); no != 0 {
				t.Fatalf("swapon: %v", no)
			}
			defer unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(p)), 0, 0)
			name := filepath.Base(node)
			labHolders(t, node, "["+name+" is swapped to]")
			labHolders(t, g.Disks[1], "["+name+" is swapped to]")
		}},
	)
}

// makeSwap writes the header that swapon requires (include/linux/swap.h union
// swap_header): version and last page at 1024, the magic at the end of the
// page.
func makeSwap(t *testing.T, node string, size int) {
	t.Helper()
	page := os.Getpagesize()
	hdr := make([]byte, page)
	last := uint32(size/page - 1)
	hdr[1024] = 1
	hdr[1028], hdr[1029], hdr[1030], hdr[1031] = byte(last), byte(last>>8), byte(last>>16), byte(last>>24)
	copy(hdr[page-10:], "SWAPSPACE2")
	f, err := os.OpenFile(node, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(hdr); err != nil {
		t.Fatal(err)
	}
}
