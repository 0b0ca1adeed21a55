package md

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// num returns the device number of a node.
func num(t *testing.T, path string) (major, minor uint32) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
}

func disk(t *testing.T, path string, slot int32) DiskInfo {
	t.Helper()
	major, minor := num(t, path)
	d := DiskInfo{Number: slot, Major: int32(major), Minor: int32(minor), RaidDisk: slot}
	if slot >= 0 {
		d.State = DiskActive | DiskSync
	}
	return d
}

// fresh opens the device of md0 while there is no array on it.
func fresh(t *testing.T) *Device {
	t.Helper()
	d, err := OpenNumber(9, 0, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err = patiently(t, func() error {
			if d.gone.Load() {
				return nil
			}
			return d.StopArray()
		}); err != nil {
			t.Error(err)
		}
		d.Close()
	})
	return d
}

// setUp makes an array without metadata and binds its members.
func setUp(t *testing.T, d *Device, info ArrayInfo, disks ...string) {
	t.Helper()
	info.NotPersistent = 1
	info.RaidDisks = max(info.RaidDisks, int32(len(disks)))
	info.NrDisks = int32(len(disks))
	if err := d.SetArrayInfo(&info); err != nil {
		t.Fatal(err)
	}
	for i, path := range disks {
		if err := d.AddNewDisk(disk(t, path, int32(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func run(t *testing.T, d *Device) {
	t.Helper()
	if err := d.RunArray(); err != nil {
		t.Fatal(err)
	}
}

// refused checks a refusal of a real kernel: its errno is one of those given,
// it belongs to the class, and there is a meaning beyond that of the errno
// alone.
func refused(t *testing.T, err error, class error, errnos ...syscall.Errno) {
	t.Helper()
	t.Log(err)
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("no *Error: %v", err)
		return
	}
	if !slices.Contains(errnos, e.Errno) || !errors.Is(err, class) {
		t.Errorf("%v: want %v, one of %v", err, class, errnos)
	}
	if e.Meaning() == e.Errno.Error() {
		t.Errorf("%v has no meaning of its own", err)
	}
}

// TestLabRequests issues every request of md_u.h on a real kernel: it checks
// what successful ones change, and what refusals mean.
func TestLabRequests(t *testing.T) {
	lab.Run(
		t,
		lab.Spec{
			Modules: []string{"raid0", "raid1", "raid456"},
			Disks:   []lab.Disk{{Size: 16 << 20}, {Size: 16 << 20}, {Size: 12 << 20}, {Size: 8 << 20}, {Size: 1 << 20}},
		},
		lab.Case{Name: "version", Run: func(t *testing.T, g *lab.Guest) {
			d := fresh(t)
			v, err := d.Version()
			if err != nil || v.String() != "0.90.3" {
				t.Errorf("version %v, %v", v, err)
			}
			ubd, err := Open(g.Disks[0], os.O_RDONLY)
			if err != nil {
				t.Fatal(err)
			}
			defer ubd.Close()
			_, err = ubd.Version()
			refused(t, err, ErrNotArray, unix.ENOTTY, unix.EINVAL)
		}},
		lab.Case{Name: "nothing set up", Run: func(t *testing.T, g *lab.Guest) {
			d := fresh(t)
			major, minor := num(t, g.Disks[0])
			_, err := d.ArrayInfo()
			refused(t, err, ErrNoArray, unix.ENODEV)
			_, err = d.DiskInfo(0)
			refused(t, err, ErrNoArray, unix.ENODEV)
			if path, err := d.BitmapFile(); err != nil || path != "" {
				t.Errorf("bitmap file %q, %v", path, err)
			}
			refused(t, d.RunArray(), ErrInvalid, unix.EINVAL)
			refused(t, d.SetDiskFaulty(major, minor), ErrNoArray, unix.ENODEV)
			refused(t, d.HotRemoveDisk(major, minor), ErrNoArray, unix.ENODEV)
			refused(t, d.HotAddDisk(major, minor), ErrNoArray, unix.ENODEV)
			refused(t, d.StopArrayReadOnly(), ErrNoArray, unix.ENODEV)
			refused(t, d.RestartArrayReadWrite(), ErrNoArray, unix.ENODEV)
			if err := d.RemoveBitmapFile(); errors.Is(err, ErrInvalid) {
				refused(t, err, ErrInvalid, unix.EINVAL) // built without CONFIG_MD_BITMAP_FILE
			} else {
				refused(t, err, ErrNotExist, unix.ENOENT)
			}
			// An array without members can be described by its number of slots.
			if err := d.SetArrayInfo(&ArrayInfo{RaidDisks: 2, Level: 1, NotPersistent: 1}); err != nil {
				t.Fatal(err)
			}
			refused(t, d.RestartArrayReadWrite(), ErrNotExist, unix.ENXIO)
			refused(t, d.ClusteredDiskNack(), ErrInvalid, unix.EINVAL)
		}},
		lab.Case{Name: "never implemented", Run: func(t *testing.T, g *lab.Guest) {
			d := fresh(t)
			major, minor := num(t, g.Disks[0])
			for _, err := range []error{
				d.RaidAutorun(), d.ClearArray(), d.SetDiskInfo(disk(t, g.Disks[0], 0)), d.WriteRaidInfo(),
				d.UnprotectArray(), d.ProtectArray(), d.HotGenerateError(major, minor),
			} {
				refused(t, err, ErrUnsupported, unix.ENOTTY)
			}
		}},
		lab.Case{Name: "set up", Run: labSetUp},
		lab.Case{Name: "describe", Run: labDescribe},
		lab.Case{Name: "run", Run: labRun},
		lab.Case{Name: "switch", Run: labSwitch},
		lab.Case{Name: "members", Run: labMembers},
		lab.Case{Name: "change", Run: labChange},
		lab.Case{Name: "privilege", Run: labPrivilege},
	)
}

func labSetUp(t *testing.T, g *lab.Guest) {
	d := fresh(t)
	refused(t, d.SetArrayInfo(&ArrayInfo{MajorVersion: 7}), ErrInvalid, unix.EINVAL)
	if err := d.SetArrayInfo(&ArrayInfo{MajorVersion: 1, MinorVersion: 2}); err != nil {
		t.Fatal(err)
	}
	// An empty disk has no metadata 1.2, and one of 1 MiB is too small for it.
	refused(t, d.AddNewDisk(disk(t, g.Disks[0], 0)), ErrInvalid, unix.EINVAL)
	refused(t, d.AddNewDisk(disk(t, g.Disks[4], 0)), ErrInvalid, unix.EINVAL)
	if err := d.StopArray(); err != nil {
		t.Fatal(err)
	}
	refused(t, d.SetArrayInfo(&ArrayInfo{}), ErrNoArray, unix.ENODEV)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d = fresh(t)
	setUp(t, d, ArrayInfo{Level: 1, RaidDisks: 3}, g.Disks[0])
	refused(t, d.SetArrayInfo(&ArrayInfo{Level: 1, RaidDisks: 2}), ErrBusy, unix.EBUSY)
	refused(t, d.AddNewDisk(disk(t, g.Disks[0], 1)), ErrBusy, unix.EBUSY)
	refused(t, d.AddNewDisk(DiskInfo{Number: 1, Major: 240, Minor: 3, RaidDisk: 1}), ErrNotExist, unix.ENXIO)
	refused(t, d.AddNewDisk(DiskInfo{Number: 1, Major: 5000, Minor: 3, RaidDisk: 1}), ErrInvalid, unix.EOVERFLOW)
	// Somebody else holds it.
	f, err := os.OpenFile(g.Disks[1], os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, d.AddNewDisk(disk(t, g.Disks[1], 1)), ErrBusy, unix.EBUSY)
	f.Close()
	// Another device with the same member number.
	same := disk(t, g.Disks[1], 1)
	same.Number = 0
	refused(t, d.AddNewDisk(same), ErrBusy, unix.EBUSY)
	if err := d.AddNewDisk(disk(t, g.Disks[1], 1)); err != nil {
		t.Error(err)
	}
	_, err = Open(g.Disks[1], os.O_RDWR|unix.O_EXCL)
	refused(t, err, ErrBusy, unix.EBUSY)
	// A text file, a folder, nothing at all.
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, os.TempDir(), "/dev/null"} {
		_, err = Open(path, os.O_RDONLY)
		refused(t, err, ErrNotArray, unix.ENOTBLK)
	}
	_, err = Open("/dev/absent", os.O_RDONLY)
	refused(t, err, ErrNotExist, unix.ENOENT)
	_, err = OpenNumber(240, 77, os.O_RDONLY)
	refused(t, err, ErrNotExist, unix.ENXIO)
}

func labDescribe(t *testing.T, g *lab.Guest) {
	d := fresh(t)
	if d.Name() != "9:0" {
		t.Errorf("name %q", d.Name())
	}
	setUp(t, d, ArrayInfo{Level: 5, Size: 4096, ChunkSize: 65536, Layout: 2, State: ArrayClean}, g.Disks[:3]...)
	run(t, d)
	if err := d.AddNewDisk(disk(t, g.Disks[3], -1)); err != nil {
		t.Fatal(err)
	}
	info, err := d.ArrayInfo()
	if err != nil {
		t.Fatal(err)
	}
	if now := uint32(time.Now().Unix()); info.CTime > now || info.CTime+3600 < now {
		t.Errorf("created at %d, now is %d", info.CTime, now)
	}
	state := info.State &^ ArrayClean // it may be dirty for a moment
	info.CTime, info.UTime, info.State = 0, 0, 0
	want := ArrayInfo{
		MinorVersion: 90, PatchVersion: 3, Level: 5, Size: 4096, NrDisks: 4, RaidDisks: 3, NotPersistent: 1,
		ActiveDisks: 3, WorkingDisks: 4, SpareDisks: 1, Layout: 2, ChunkSize: 65536,
	}
	if info != want || state != 0 {
		t.Errorf("got  %+v %v\nwant %+v", info, state, want)
	}
	for i := range 5 {
		info, err := d.DiskInfo(i)
		if err != nil {
			t.Fatal(err)
		}
		want := DiskInfo{Number: int32(i), RaidDisk: -1, State: DiskRemoved}
		if i < 4 {
			want = disk(t, g.Disks[i], int32(i))
		}
		if i == 3 {
			want.RaidDisk, want.State = -1, 0
		}
		if info != want {
			t.Errorf("disk %d is %+v, want %+v", i, info, want)
		}
	}
}

func labRun(t *testing.T, g *lab.Guest) {
	t.Run("twice", func(t *testing.T) {
		d := fresh(t)
		setUp(t, d, ArrayInfo{Level: 1}, g.Disks[:2]...)
		run(t, d)
		refused(t, d.RunArray(), ErrBusy, unix.EBUSY)
	})
	t.Run("no such level", func(t *testing.T) {
		d := fresh(t)
		setUp(t, d, ArrayInfo{Level: 7}, g.Disks[:2]...)
		refused(t, d.RunArray(), ErrInvalid, unix.EINVAL)
	})
	t.Run("two of four", func(t *testing.T) {
		d := fresh(t)
		setUp(t, d, ArrayInfo{Level: 5, RaidDisks: 4, ChunkSize: 65536, Layout: 2, State: ArrayClean}, g.Disks[:2]...)
		refused(t, d.RunArray(), ErrIO, unix.EIO)
	})
	t.Run("no chunk", func(t *testing.T) {
		d := fresh(t)
		setUp(t, d, ArrayInfo{Level: 0}, g.Disks[:2]...)
		refused(t, d.RunArray(), ErrInvalid, unix.EINVAL)
	})
	t.Run("raid0 of unequal members", func(t *testing.T) {
		d := fresh(t)
		setUp(t, d, ArrayInfo{Level: 0, ChunkSize: 65536}, g.Disks[1:4]...)
		err := d.RunArray()
		refused(t, err, ErrUnsupported, errNotSupp, unix.EOPNOTSUPP)
		if !strings.Contains(err.Error(), "default_layout") {
			t.Error("no word of the way out")
		}
	})
}

func labSwitch(t *testing.T, g *lab.Guest) {
	d := fresh(t)
	setUp(t, d, ArrayInfo{Level: 1, State: ArrayClean}, g.Disks[:2]...)
	refused(t, d.RestartArrayReadWrite(), ErrInvalid, unix.EINVAL)
	run(t, d)
	refused(t, d.RestartArrayReadWrite(), ErrBusy, unix.EBUSY)

	other, err := OpenNumber(9, 0, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, d.StopArray(), ErrBusy, unix.EBUSY)
	refused(t, d.StopArrayReadOnly(), ErrBusy, unix.EBUSY)
	other.Close()

	if err := d.StopArrayReadOnly(); err != nil {
		t.Fatal(err)
	}
	// Kernels since 6.13 accept a second one as already done.
	if err := d.StopArrayReadOnly(); err != nil {
		refused(t, err, ErrNotExist, unix.ENXIO)
	}
	refused(t, d.AddNewDisk(disk(t, g.Disks[2], -1)), ErrReadOnly, unix.EROFS)
	if err := d.RestartArrayReadWrite(); err != nil {
		t.Error(err)
	}
	if err := d.AddNewDisk(disk(t, g.Disks[2], -1)); err != nil {
		t.Error(err)
	}
	if err := d.StopArray(); err != nil {
		t.Error(err)
	}
	_, err = d.ArrayInfo()
	refused(t, err, ErrNoArray, unix.ENODEV)
}

func labMembers(t *testing.T, g *lab.Guest) {
	d := fresh(t)
	setUp(t, d, ArrayInfo{Level: 1, State: ArrayClean}, g.Disks[:2]...)
	run(t, d)
	major, minor := num(t, g.Disks[0])
	refused(t, d.HotRemoveDisk(major, minor), ErrBusy, unix.EBUSY)
	absentMajor, absentMinor := num(t, g.Disks[4])
	refused(t, d.HotRemoveDisk(absentMajor, absentMinor), ErrNotExist, unix.ENXIO)
	refused(t, d.SetDiskFaulty(absentMajor, absentMinor), ErrNoArray, unix.ENODEV)
	// Each member has 16 MiB in use; the fourth disk has 8.
	smallMajor, smallMinor := num(t, g.Disks[3])
	refused(t, d.HotAddDisk(smallMajor, smallMinor), ErrNoSpace, unix.ENOSPC)
	if err := d.SetDiskFaulty(major, minor); err != nil {
		t.Fatal(err)
	}
	info, err := d.DiskInfo(0)
	if err != nil || info.State != DiskFaulty {
		t.Errorf("failed disk %+v, %v", info, err)
	}
	lastMajor, lastMinor := num(t, g.Disks[1])
	refused(t, d.SetDiskFaulty(lastMajor, lastMinor), ErrBusy, unix.EBUSY)
	if err := patiently(t, func() error { return d.HotRemoveDisk(major, minor) }); err != nil {
		t.Error(err)
	}
	if info, err := d.DiskInfo(0); err != nil || info.State != DiskRemoved {
		t.Errorf("removed disk %+v, %v", info, err)
	}
}

// patiently repeats a call while the kernel says busy.
func patiently(t *testing.T, call func() error) (err error) {
	t.Helper()
	lab.Poll(t, func() string {
		if err = call(); errors.Is(err, ErrBusy) {
			return err.Error()
		}
		return ""
	})
	return err
}

func labChange(t *testing.T, g *lab.Guest) {
	d := fresh(t)
	setUp(t, d, ArrayInfo{Level: 1, Size: 4096, State: ArrayClean}, g.Disks[:2]...)
	run(t, d)
	info, err := d.ArrayInfo()
	if err != nil {
		t.Fatal(err)
	}
	// Writing back what was read changes nothing.
	if err := d.SetArrayInfo(&info); err != nil {
		t.Error(err)
	}
	grown := info
	grown.Size = 8192
	changed := func() error {
		return patiently(t, func() error { return d.SetArrayInfo(&grown) })
	}
	if err := changed(); err != nil {
		t.Error(err)
	}
	if info, err := d.ArrayInfo(); err != nil || info.Size != 8192 {
		t.Errorf("size %d, %v", info.Size, err)
	}
	grown.Size = 1 << 20
	refused(t, changed(), ErrNoSpace, unix.ENOSPC)
	grown.Size, grown.Level = 8192, 5
	refused(t, changed(), ErrInvalid, unix.EINVAL)

	// Bitmap files that are refused: one that is not regular and, on kernels
	// with bitmap files, one that is not open for writing.
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	refused(t, patiently(t, func() error { return d.SetBitmapFile(null) }), ErrInvalid, unix.EBADF, unix.EINVAL)
}

// labPrivilege takes CAP_SYS_ADMIN from one thread and tries everything.
func labPrivilege(t *testing.T, g *lab.Guest) {
	d := fresh(t)
	setUp(t, d, ArrayInfo{Level: 1, State: ArrayClean}, g.Disks[:2]...)
	run(t, d)
	errs := map[string]error{}
	done := make(chan error)
	go func() {
		// The thread ends with the goroutine, because it stays locked.
		runtime.LockOSThread()
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&hdr, &data[0]); err != nil {
			done <- err
			return
		}
		data[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			done <- err
			return
		}
		for name, call := range requests(d) {
			errs[name] = call()
		}
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for name, err := range errs {
		switch name {
		case "RAID_VERSION", "GET_ARRAY_INFO", "GET_DISK_INFO":
			if err != nil {
				t.Errorf("needs no privilege: %v", err)
			}
		case "CLEAR_ARRAY", "SET_DISK_INFO", "WRITE_RAID_INFO", "UNPROTECT_ARRAY", "PROTECT_ARRAY", "HOT_GENERATE_ERROR", "RAID_AUTORUN":
			refused(t, err, ErrUnsupported, unix.ENOTTY)
		default:
			refused(t, err, ErrPermission, unix.EACCES)
		}
	}
}
