package array

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
)

// device is a block device, or a regular file standing in for one, opened to
// be looked at or changed.
type device struct {
	*block.File
	major, minor uint32 // 0 and 0 for regular files
}

// openDevice opens the device called name: a path, or "major:minor", for which
// a node is made and removed again. Cached blocks are dropped first, because
// the kernel's md driver writes superblocks past the cache.
func openDevice(name string, flag block.OpenFlag) (*device, error) {
	path := name
	if major, minor, ok := parseDevNumber(name); ok {
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
	d := &device{File: f}
	if f.IsBlockDevice() {
		if err := d.identify(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return d, nil
}

// identify learns the device number and drops cached blocks.
func (d *device) identify() error {
	fd, err := unix.FcntlInt(d.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return &block.Error{Op: "open", Device: d.Name(), Off: -1, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.Name())
	defer f.Close()
	if d.major, d.minor, err = blockctl.Number(f); err != nil {
		return err
	}
	return blockctl.FlushBuffers(f)
}

// parseDevNumber reads "major:minor" as mdadm does (util.c, get_maj_min): in
// any base strtoul(3) knows.
func parseDevNumber(s string) (major, minor uint32, ok bool) {
	a, b, found := strings.Cut(s, ":")
	if !found {
		return 0, 0, false
	}
	x, err1 := strconv.ParseUint(a, 0, 32)
	y, err2 := strconv.ParseUint(b, 0, 32)
	return uint32(x), uint32(y), err1 == nil && err2 == nil
}

// temporaryNode makes a device node that nobody else sees the name of.
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

// statDevice gives the number of the block device at path without opening it.
func statDevice(path string) (major, minor uint32, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, &block.Error{Op: "stat", Device: path, Off: -1, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, &block.Error{Op: "stat", Device: path, Off: -1, Err: block.ErrNotDevice}
	}
	return unix.Major(st.Rdev), unix.Minor(st.Rdev), nil
}

// errnoText gives the C library's text for the errno in err, which is how
// mdadm prints reasons: "Device or resource busy". An error without an errno
// gives its own text.
func errnoText(err error) string {
	var no unix.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	if unix.ErrnoName(no) == "" {
		return fmt.Sprintf("Unknown error %d", int(no))
	}
	text := no.Error()
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

// Reason gives the C library's text for the errno in err, or its own text if
// it has none: what mdadm prints behind a colon.
func Reason(err error) string { return errnoText(err) }
