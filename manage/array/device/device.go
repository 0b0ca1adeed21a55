// Package device opens devices by the names that people give them, a path or a number,
// and provides their nodes, their names and exclusive access to them.
package device

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
)

// Device is a block device, or a regular file standing in for one, opened for reading or
// writing.
type Device struct {
	*block.File
	Major, Minor uint32 // 0 and 0 for regular files
}

// Open opens the device called name: a path, or "major:minor", for which a temporary
// node is made. Cached blocks are dropped first, because the kernel's md driver writes
// superblocks past the cache.
func Open(name string, flag block.OpenFlag) (*Device, error) {
	path := name
	if major, minor, ok := ParseDevNumber(name); ok {
		node, remove, err := temporaryNode(major, minor)
		if err != nil {
			return nil, &block.Error{Op: "open", Device: name, Off: -1, Err: err}
		}
		defer remove()
		path = node
	}
	f, err := block.OpenFile(path, flag)
	if err != nil {
		return nil, err
	}
	d := &Device{File: f}
	if f.IsBlockDevice() {
		if err := d.identify(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return d, nil
}

// identify reads the device number and drops cached blocks.
func (d *Device) identify() error {
	fd, err := unix.FcntlInt(d.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return &block.Error{Op: "open", Device: d.Name(), Off: -1, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.Name())
	defer f.Close()
	if d.Major, d.Minor, err = blockctl.Number(f); err != nil {
		return err
	}
	return blockctl.FlushBuffers(f)
}

// ParseDevNumber reads "major:minor" as mdadm does (util.c, get_maj_min), in any base
// that strtoul(3) knows.
func ParseDevNumber(s string) (major, minor uint32, ok bool) {
	a, b, found := strings.Cut(s, ":")
	if !found {
		return 0, 0, false
	}
	x, err1 := strconv.ParseUint(a, 0, 32)
	y, err2 := strconv.ParseUint(b, 0, 32)
	return uint32(x), uint32(y), err1 == nil && err2 == nil
}

// temporaryNode makes a device node under a name that other users cannot see.
func temporaryNode(major, minor uint32) (path string, remove func(), err error) {
	for _, parent := range []string{"/dev", os.TempDir()} {
		dir, mkErr := os.MkdirTemp(parent, ".mdkit-")
		if mkErr != nil {
			err = mkErr
			continue
		}
		path = filepath.Join(dir, "node")
		err = unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor)))
		if err == nil {
			return path, func() { os.RemoveAll(dir) }, nil
		}
		os.RemoveAll(dir)
	}
	return "", nil, fmt.Errorf("make a device node: %w", err)
}

// StatDevice returns the number of the block device at path without opening it.
func StatDevice(path string) (major, minor uint32, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, &block.Error{Op: "stat", Device: path, Off: -1, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, &block.Error{Op: "stat", Device: path, Off: -1, Err: block.ErrNotDevice}
	}
	return unix.Major(st.Rdev), unix.Minor(st.Rdev), nil
}

// NodeOf returns a path for a device, given its kernel name.
func NodeOf(fs sysfs.FS, name string) (string, error) {
	dev, err := sysblock.Open(fs, name)
	if err != nil {
		return "", err
	}
	num, err := dev.Num()
	if err != nil {
		return "", err
	}
	return DevicePath(num.Major, num.Minor, name), nil
}

// ClaimDevice returns nil if the device is free, that is, can be opened exclusively.
func ClaimDevice(path string) error {
	if _, _, byNumber := ParseDevNumber(path); !byNumber {
		d, err := block.OpenFile(path, block.ForReading|block.Exclusive) // its cached blocks may stay
		if err != nil {
			return err
		}
		return d.Close()
	}
	d, err := Open(path, block.ForReading|block.Exclusive)
	if err != nil {
		return err
	}
	return d.Close()
}

// SectorSize returns the device's logical block size in bytes, 512 if it is not known.
func (d *Device) SectorSize() int64 {
	fd, err := unix.FcntlInt(d.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return md.SectorSize
	}
	f := os.NewFile(uintptr(fd), d.Name())
	defer f.Close()
	n, err := blockctl.LogicalBlockSize(f)
	if err != nil {
		return md.SectorSize
	}
	return int64(n)
}

// byIDDir holds names of devices that stay the same on another machine.
const byIDDir = "/dev/disk/by-id"

// NamesByID lists the names of the device in /dev/disk/by-id.
func (d *Device) NamesByID() []string {
	if d.Major == 0 && d.Minor == 0 {
		return nil
	}
	entries, err := os.ReadDir(byIDDir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		major, minor, err := StatDevice(filepath.Join(byIDDir, e.Name()))
		if err == nil && major == d.Major && minor == d.Minor {
			names = append(names, e.Name())
		}
	}
	return names
}

// AllDevices returns the nodes of all devices in /proc/partitions, last first, as mdadm
// does (config.c, load_partitions).
func AllDevices(fs sysfs.FS) []string {
	f, err := os.Open(fs.Proc("partitions"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var paths []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) != 4 {
			continue
		}
		major, err1 := strconv.ParseUint(w[0], 10, 32)
		minor, err2 := strconv.ParseUint(w[1], 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		paths = append(paths, DevicePath(uint32(major), uint32(minor), w[3]))
	}
	slices.Reverse(paths)
	return paths
}

// DevicePath returns a path for a device: the node with the kernel's name, if it exists
// and is that device; otherwise the number, which Open understands.
func DevicePath(major, minor uint32, kernelName string) string {
	path := "/dev/" + strings.ReplaceAll(kernelName, "!", "/")
	if a, b, err := StatDevice(path); err == nil && a == major && b == minor {
		return path
	}
	return strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
}
