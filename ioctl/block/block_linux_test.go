package block

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// requests lists every function that issues a request, under the kernel's name.
var requests = map[string]func(f *os.File) error{
	"BLKGETSIZE64":     func(f *os.File) error { _, err := Size(f); return err },
	"BLKSSZGET":        func(f *os.File) error { _, err := LogicalBlockSize(f); return err },
	"BLKPBSZGET":       func(f *os.File) error { _, err := PhysicalBlockSize(f); return err },
	"BLKIOMIN":         func(f *os.File) error { _, err := MinimumIOSize(f); return err },
	"BLKIOOPT":         func(f *os.File) error { _, err := OptimalIOSize(f); return err },
	"BLKALIGNOFF":      func(f *os.File) error { _, err := AlignmentOffset(f); return err },
	"BLKROGET":         func(f *os.File) error { _, err := ReadOnly(f); return err },
	"BLKROTATIONAL":    func(f *os.File) error { _, err := Rotational(f); return err },
	"BLKDISCARDZEROES": func(f *os.File) error { _, err := DiscardZeroes(f); return err },
	"BLKROSET":         func(f *os.File) error { return SetReadOnly(f, true) },
	"BLKFLSBUF":        FlushBuffers,
	"BLKRRPART":        RereadPartitions,
	"BLKDISCARD":       func(f *os.File) error { return Discard(f, 0, 4096) },
	"BLKZEROOUT":       func(f *os.File) error { return ZeroOut(f, 0, 4096) },
}

// On a plain file every request reaches the kernel and is refused there.
func TestRequestsOnAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plain")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, call := range requests {
		err := call(f)
		if !errors.Is(err, ErrNotBlock) || !errors.Is(err, unix.ENOTTY) {
			t.Errorf("%s on a file = %v", name, err)
			continue
		}
		if want := name + " " + path + ": not a block device (ENOTTY)"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	if err := Discard(f, -512, 512); !errors.Is(err, ErrInvalid) {
		t.Errorf("Discard at -512 = %v", err)
	}
	if _, _, err := Number(f); !errors.Is(err, ErrNotBlock) {
		t.Errorf("Number of a file = %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]error{
		dir:                          ErrNotBlock,
		os.DevNull:                   ErrNotBlock,
		filepath.Join(dir, "absent"): ErrNotExist,
	} {
		f, err := OpenExclusive(path, false)
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("OpenExclusive(%s) = %v, want %v", path, err, want)
		}
	}
	if _, err := OpenExclusive(filepath.Join(dir, "absent"), true); err == nil {
		t.Error("OpenExclusive made a file")
	}
}

func TestErrorClasses(t *testing.T) {
	for errno, class := range classes {
		err := &Error{Op: "BLKDISCARD", Device: "/dev/sda", Errno: errno}
		for _, c := range []error{ErrBusy, ErrNotBlock, ErrNotExist, ErrPermission, ErrInvalid, ErrReadOnly, ErrIO, ErrUnsupported} {
			if errors.Is(err, c) != (c == class) {
				t.Errorf("errors.Is(%v, %v) = %v", err, c, c != class)
			}
		}
	}
	if got := (&Error{Op: "open", Device: "/dev/sda", Errno: unix.EBUSY}).Error(); !strings.Contains(got, "held by another device (EBUSY)") {
		t.Error(got)
	}
	for key := range meanings {
		if key.op != "" && key.op != "open" && requests[key.op] == nil {
			t.Errorf("a meaning for %q, which is not a request", key.op)
		}
	}
}
