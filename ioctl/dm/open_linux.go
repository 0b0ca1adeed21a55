package dm

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Folder is where the control device and the nodes of mapped devices are.
const Folder = "/dev/mapper"

// The control device's number (include/linux/miscdevice.h): the minor has been
// fixed since Linux 2.6.36 and was dynamic before.
const (
	miscMajor  = 10
	fixedMinor = 236
)

// Open opens the control device /dev/mapper/control. If that is missing or is
// something else, Open creates it with the number in /proc/misc or, if the
// folder cannot be written, opens a temporary node of its own. Opening it makes
// the kernel load the driver if that is a module.
//
// The error matches [ErrPermission], or [ErrNoDriver] if there is no device
// mapper.
func Open() (*Control, error) { return OpenIn(Folder) }

// OpenIn is Open with the control device in a folder other than /dev/mapper.
func OpenIn(dir string) (*Control, error) {
	t, err := Kernel(dir)
	if err != nil {
		return nil, err
	}
	return NewControl(t), nil
}

// Kernel opens the Transport to the kernel that OpenIn uses, for callers that
// want to wrap it: NewControl(Record(t)).
func Kernel(dir string) (Transport, error) {
	path := filepath.Join(dir, "control")
	open := func() (*os.File, error) { return openControl(path) }
	f, err := open()
	if err != nil {
		return nil, err
	}
	return &kernel{f: f, path: path, open: open}, nil
}

func openControl(path string) (*os.File, error) {
	minor, listed, err := controlMinor("/proc/misc")
	if err != nil {
		return nil, openError(path, err)
	}
	dev := unix.Mkdev(miscMajor, minor)
	f, err := openNode(path, dev)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errWrongNode) {
		if err = makeControl(path, dev); err == nil {
			f, err = openNode(path, dev)
		} else {
			f, err = openTemporary(dev)
		}
	}
	if err != nil {
		if !listed && (errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)) {
			err = fmt.Errorf("%w, and no module dm_mod was loaded for it: %w", ErrNoDriver, err)
		}
		return nil, openError(path, err)
	}
	return f, nil
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open the device mapper at %s: %w: %w", path, ErrPermission, err)
	}
	return fmt.Errorf("open the device mapper at %s: %w", path, err)
}

// controlMinor finds the minor number among the misc devices. A driver that is
// not loaded yet is not listed there; its minor is the fixed one.
func controlMinor(misc string) (minor uint32, listed bool, err error) {
	f, err := os.Open(misc)
	if errors.Is(err, fs.ErrNotExist) {
		return fixedMinor, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		num, name, _ := strings.Cut(strings.TrimSpace(s.Text()), " ")
		if strings.TrimSpace(name) != "device-mapper" {
			continue
		}
		n, err := strconv.ParseUint(num, 10, 20)
		if err != nil {
			return 0, false, fmt.Errorf("%s: %w", misc, err)
		}
		return uint32(n), true, nil
	}
	return fixedMinor, false, s.Err()
}

var errWrongNode = errors.New("not the control device")

// openNode opens path if it is the device with that number. The descriptor is
// non-blocking, which lets the runtime wait for it.
func openNode(path string, dev uint64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil {
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok || fi.Mode()&fs.ModeCharDevice == 0 || uint64(st.Rdev) != dev {
			err = errWrongNode
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// makeControl makes the node, and its folder if need be, replacing anything
// that is not the control device.
func makeControl(path string, dev uint64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return unix.Mknod(path, unix.S_IFCHR|0o600, int(dev))
}

// openTemporary opens the device through a node that is removed right away.
func openTemporary(dev uint64) (*os.File, error) {
	var first error
	for _, parent := range []string{"/dev", os.TempDir()} {
		f, err := openTemporaryIn(parent, dev)
		if err == nil {
			return f, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func openTemporaryIn(parent string, dev uint64) (*os.File, error) {
	dir, err := os.MkdirTemp(parent, ".mdkit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "control")
	if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(dev)); err != nil {
		return nil, fmt.Errorf("make a device node: %w", err)
	}
	return openNode(path, dev)
}
