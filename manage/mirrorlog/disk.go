package mirrorlog

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	table "github.com/mdkit/mdkit/engine/dm"
)

// OpenDisk opens the device of a log, by path or by "major:minor". It is read and
// written past the page cache, so that it needs no memory while a mirror that waits
// for it is what memory must be written back to.
func OpenDisk(name string) (Disk, error) {
	path := name
	if major, minor, ok := table.Ref(name).Number(); ok {
		dir, err := os.MkdirTemp("", ".mdkit-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "node")
		if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor))); err != nil {
			return nil, fmt.Errorf("make a device node for %s: %w", name, err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	d := &blockDisk{File: f}
	if err := d.identify(); err != nil {
		f.Close()
		return nil, err
	}
	return d, nil
}

type blockDisk struct {
	*os.File
	number string
	size   int64
}

func (d *blockDisk) identify() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(d.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return fmt.Errorf("%s: %w", d.File.Name(), unix.ENOTBLK)
	}
	d.number = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	size, err := d.Seek(0, 2)
	d.size = size
	return err
}

func (d *blockDisk) Number() string { return d.number }
func (d *blockDisk) Size() int64    { return d.size }

// ReadAt and WriteAt use a buffer that is aligned as O_DIRECT requires.
func (d *blockDisk) ReadAt(p []byte, off int64) (int, error) {
	b := aligned(len(p))
	n, err := d.File.ReadAt(b, off)
	copy(p, b[:n])
	return n, err
}

func (d *blockDisk) WriteAt(p []byte, off int64) (int, error) {
	b := aligned(len(p))
	copy(b, p)
	return d.File.WriteAt(b, off)
}

func aligned(n int) []byte {
	b := make([]byte, n+storeAlign)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (storeAlign - 1)
	return b[skip : int(skip)+n]
}

// BootID reads the id that tells this run of the kernel from all others (random(4)).
func BootID() (id [16]byte, err error) {
	const path = "/proc/sys/kernel/random/boot_id"
	text, err := os.ReadFile(path)
	if err != nil {
		return id, err
	}
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%s: %q is no boot_id", path, text)
	}
	return [16]byte(b), nil
}
