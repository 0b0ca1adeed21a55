package md

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sizes and offsets are those of md_u.h, counted by hand from its ints.
func TestLayout(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"mdu_version_t", unsafe.Sizeof(Version{}), 12},
		{"mdu_array_info_t", unsafe.Sizeof(ArrayInfo{}), 72},
		{"mdu_disk_info_t", unsafe.Sizeof(DiskInfo{}), 20},
		{"mdu_param_t", unsafe.Sizeof(Param{}), 12},
		{"mdu_bitmap_file_t", unsafe.Sizeof(BitmapFile{}), 4096},
		{"array ctime", unsafe.Offsetof(ArrayInfo{}.CTime), 12},
		{"array level", unsafe.Offsetof(ArrayInfo{}.Level), 16},
		{"array not_persistent", unsafe.Offsetof(ArrayInfo{}.NotPersistent), 36},
		{"array utime", unsafe.Offsetof(ArrayInfo{}.UTime), 40},
		{"array state", unsafe.Offsetof(ArrayInfo{}.State), 44},
		{"array layout", unsafe.Offsetof(ArrayInfo{}.Layout), 64},
		{"array chunk_size", unsafe.Offsetof(ArrayInfo{}.ChunkSize), 68},
		{"disk raid_disk", unsafe.Offsetof(DiskInfo{}.RaidDisk), 12},
		{"disk state", unsafe.Offsetof(DiskInfo{}.State), 16},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, c.got, c.want)
		}
	}
}

// The numbers are what a C compiler gives for md_u.h with the generic encoding.
func TestRequestNumbers(t *testing.T) {
	if dirShift != 30 {
		// On architectures with another encoding, x/sys/unix knows a request to
		// compare with.
		got := request{0x72, dirRead, unsafe.Sizeof(uintptr(0)), ""}.code() &^ 0xff00
		if want := uintptr(unix.BLKGETSIZE64) &^ 0xff00; got != want {
			t.Fatalf("_IOR encodes to %#x, want %#x", got, want)
		}
		return
	}
	for _, c := range []struct {
		req  request
		want uintptr
	}{
		{reqRaidVersion, 0x800c0910},
		{reqGetArrayInfo, 0x80480911},
		{reqGetDiskInfo, 0x80140912},
		{reqRaidAutorun, 0x914},
		{reqGetBitmapFile, 0x90000915},
		{reqClearArray, 0x920},
		{reqAddNewDisk, 0x40140921},
		{reqHotRemoveDisk, 0x922},
		{reqSetArrayInfo, 0x40480923},
		{reqSetDiskInfo, 0x924},
		{reqWriteRaidInfo, 0x925},
		{reqUnprotectArray, 0x926},
		{reqProtectArray, 0x927},
		{reqHotAddDisk, 0x928},
		{reqSetDiskFaulty, 0x929},
		{reqHotGenerateError, 0x92a},
		{reqSetBitmapFile, 0x4004092b},
		{reqRunArray, 0x400c0930},
		{reqStopArray, 0x932},
		{reqStopArrayRO, 0x933},
		{reqRestartArrayRW, 0x934},
		{reqClusteredDiskNack, 0x935},
	} {
		if got := c.req.code(); got != c.want {
			t.Errorf("%s = %#x, want %#x", c.req.name, got, c.want)
		}
	}
}

func TestEncodeDev(t *testing.T) {
	for _, c := range []struct{ major, minor, want uint32 }{
		{8, 16, 0x810},
		{9, 127, 0x97f},
		{253, 256, 0x10fd00},
		{259, 0x12345, 0x12310345},
	} {
		if got := encodeDev(c.major, c.minor); got != c.want {
			t.Errorf("encodeDev(%d, %d) = %#x, want %#x", c.major, c.minor, got, c.want)
		}
	}
}

// fakeDevice answers every request with errno, after recording it.
type fakeCall struct {
	code uintptr
	val  uintptr
	arg  unsafe.Pointer
}

func fakeDevice(t *testing.T, errno syscall.Errno) (*Device, *fakeCall) {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var last fakeCall
	return &Device{f: f, name: "/dev/md9", ioctl: func(_ *os.File, code uintptr, arg unsafe.Pointer, val uintptr) error {
		last = fakeCall{code: code, val: val, arg: arg}
		if errno != 0 {
			return errno
		}
		return nil
	}}, &last
}

// requests lists every method that issues a request, under the kernel's name.
func requests(d *Device) map[string]func() error {
	return map[string]func() error{
		"RAID_VERSION":        func() error { _, err := d.Version(); return err },
		"GET_ARRAY_INFO":      func() error { _, err := d.ArrayInfo(); return err },
		"GET_DISK_INFO":       func() error { _, err := d.DiskInfo(3); return err },
		"RAID_AUTORUN":        d.RaidAutorun,
		"GET_BITMAP_FILE":     func() error { _, err := d.BitmapFile(); return err },
		"CLEAR_ARRAY":         d.ClearArray,
		"ADD_NEW_DISK":        func() error { return d.AddNewDisk(DiskInfo{Major: 8, Minor: 16}) },
		"HOT_REMOVE_DISK":     func() error { return d.HotRemoveDisk(8, 16) },
		"SET_ARRAY_INFO":      func() error { return d.SetArrayInfo(&ArrayInfo{}) },
		"SET_DISK_INFO":       func() error { return d.SetDiskInfo(DiskInfo{}) },
		"WRITE_RAID_INFO":     d.WriteRaidInfo,
		"UNPROTECT_ARRAY":     d.UnprotectArray,
		"PROTECT_ARRAY":       d.ProtectArray,
		"HOT_ADD_DISK":        func() error { return d.HotAddDisk(8, 16) },
		"SET_DISK_FAULTY":     func() error { return d.SetDiskFaulty(8, 16) },
		"HOT_GENERATE_ERROR":  func() error { return d.HotGenerateError(8, 16) },
		"SET_BITMAP_FILE":     func() error { return d.SetBitmapFile(d.f) },
		"RUN_ARRAY":           d.RunArray,
		"STOP_ARRAY":          d.StopArray,
		"STOP_ARRAY_RO":       d.StopArrayReadOnly,
		"RESTART_ARRAY_RW":    d.RestartArrayReadWrite,
		"CLUSTERED_DISK_NACK": d.ClusteredDiskNack,
	}
}

// Every request combined with every errno: the error names request and device,
// has a meaning in words, and matches the errno and exactly the class of that
// errno.
func TestErrorsOfEveryRequest(t *testing.T) {
	all := []error{
		ErrBusy, ErrNotExist, ErrNoArray, ErrExist, ErrPermission, ErrInvalid,
		ErrReadOnly, ErrNoSpace, ErrIO, ErrInterrupted,
	}
	for errno, class := range classes {
		d, _ := fakeDevice(t, errno)
		for name, call := range requests(d) {
			err := call()
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%s with %v gave %v", name, errno, err)
			}
			if !errors.Is(err, errno) {
				t.Errorf("%v does not match its errno", err)
			}
			for _, c := range all {
				if got, want := errors.Is(err, c), c == class; got != want {
					t.Errorf("errors.Is(%v, %v) = %v", err, c, got)
				}
			}
			text := err.Error()
			if !strings.HasPrefix(text, name+" /dev/md9") || !strings.HasSuffix(text, "("+unix.ErrnoName(errno)+")") || strings.Contains(text, "\n") {
				t.Errorf("error text %q", text)
			}
		}
	}
}

// meanings is keyed by names: one that is not a request would never be found.
func TestMeaningsNameRequests(t *testing.T) {
	d, _ := fakeDevice(t, 0)
	known := requests(d)
	for key := range meanings {
		if key.op == "" || key.op == "open" {
			continue
		}
		if known[key.op] == nil {
			t.Errorf("a meaning for %q, which is not a request", key.op)
		}
	}
}

func TestRequestsSucceed(t *testing.T) {
	d, last := fakeDevice(t, 0)
	seen := map[uintptr]string{}
	for _, name := range slices.Sorted(maps.Keys(requests(d))) {
		d, last := fakeDevice(t, 0) // a new one: after STOP_ARRAY some requests are refused without asking the kernel
		if err := requests(d)[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if other, ok := seen[last.code]; ok {
			t.Errorf("%s and %s issue the same request %#x", name, other, last.code)
		}
		seen[last.code] = name
	}
	if len(seen) != 22 {
		t.Errorf("%d requests, md_u.h has 22", len(seen))
	}
	if err := d.HotRemoveDisk(259, 0x12345); err != nil || last.val != 0x12310345 {
		t.Errorf("HotRemoveDisk passed %#x, %v", last.val, err)
	}
	if err := d.RemoveBitmapFile(); err != nil || int32(last.val) != -1 {
		t.Errorf("RemoveBitmapFile passed %#x, %v", last.val, err)
	}
	if err := d.StopArray(); err != nil {
		t.Error(err)
	}
	// If an array could be set up now, it could not be stopped.
	last.code = 0
	if err := d.SetArrayInfo(nil); !errors.Is(err, ErrNoArray) || last.code != 0 {
		t.Errorf("SetArrayInfo after StopArray: %v, request %#x", err, last.code)
	}
	d, last = fakeDevice(t, 0)
	if err := d.SetArrayInfo(nil); err != nil || last.arg != nil || last.code != reqSetArrayInfo.code() {
		t.Errorf("SetArrayInfo(nil) passed %v, %v", last.arg, err)
	}
}

func TestAnswers(t *testing.T) {
	d, _ := fakeDevice(t, 0)
	d.ioctl = func(_ *os.File, code uintptr, arg unsafe.Pointer, _ uintptr) error {
		switch code {
		case reqGetDiskInfo.code():
			di := (*DiskInfo)(arg)
			if di.Number != 7 {
				t.Errorf("asked for disk %d", di.Number)
			}
			di.State = DiskRemoved
			di.RaidDisk = -1
		case reqGetBitmapFile.code():
			copy((*BitmapFile)(arg).Pathname[:], "/var/bitmap\x00junk")
		}
		return nil
	}
	di, err := d.DiskInfo(7)
	if err != nil || di.State != DiskRemoved || di.RaidDisk != -1 {
		t.Errorf("DiskInfo = %+v, %v", di, err)
	}
	path, err := d.BitmapFile()
	if err != nil || path != "/var/bitmap" {
		t.Errorf("BitmapFile = %q, %v", path, err)
	}
}

func TestClassesThatNeedTheRequest(t *testing.T) {
	for _, c := range []struct {
		err         *Error
		notArray    bool
		unsupported bool
	}{
		{&Error{Op: "RAID_VERSION", Errno: unix.ENOTTY}, true, true},
		{&Error{Op: "CLEAR_ARRAY", Errno: unix.ENOTTY}, false, true},
		{&Error{Op: "open", Errno: unix.ENOTBLK}, true, false},
		{&Error{Op: "RUN_ARRAY", Errno: errNotSupp}, false, true},
		{&Error{Op: "RUN_ARRAY", Errno: unix.EINVAL}, false, false},
	} {
		if errors.Is(c.err, ErrNotArray) != c.notArray || errors.Is(c.err, ErrUnsupported) != c.unsupported {
			t.Errorf("%v: not an array %v, unsupported %v", c.err, !c.notArray, !c.unsupported)
		}
	}
	err := &Error{Op: "RUN_ARRAY", Device: "/dev/md0", Errno: errNotSupp}
	if want := "default_layout"; !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "(ENOTSUPP)") {
		t.Errorf("%q does not mention %s", err, want)
	}
}

func TestOpenRefusesWhatIsNoArray(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want error
	}{
		{file, ErrNotArray},
		{dir, ErrNotArray},
		{os.DevNull, ErrNotArray},
		{filepath.Join(dir, "absent"), ErrNotExist},
		{filepath.Join(dir, "absent"), fs.ErrNotExist},
	} {
		d, err := Open(c.path, os.O_RDONLY)
		if err == nil {
			d.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("Open(%s) = %v, want %v", c.path, err, c.want)
		}
	}
}

// A real ioctl(2) on something that is not md: this tests the transport instead
// of the fake.
func TestRealIoctlOnAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	d := &Device{f: r, name: "pipe", ioctl: sysIoctl}
	if _, err := d.Version(); !errors.Is(err, ErrNotArray) {
		t.Errorf("Version on a pipe = %v", err)
	}
	if err := d.StopArray(); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("StopArray on a pipe = %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Version(); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Version after Close = %v", err)
	}
}
