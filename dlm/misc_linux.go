package dlm

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/sysfs"
)

// miscMajor is the major number of all devices of the DLM (MISC_MAJOR).
const miscMajor = 10

// miscMinor finds a device in /proc/misc by its name. A device that is not there is
// [fs.ErrNotExist].
func miscMinor(root sysfs.FS, name string) (uint32, error) {
	text, err := sysfs.ReadProc(root.Proc("misc"))
	if err != nil {
		return 0, err
	}
	s := bufio.NewScanner(strings.NewReader(text))
	for s.Scan() {
		number, n, ok := strings.Cut(strings.TrimSpace(s.Text()), " ")
		if !ok || n != name {
			continue
		}
		minor, err := strconv.ParseUint(number, 10, 20)
		if err != nil {
			return 0, &sysfs.ParseError{Path: root.Proc("misc"), Text: s.Text(), Want: "a number and a name"}
		}
		return uint32(minor), nil
	}
	return 0, fmt.Errorf("%s in %s: %w", name, root.Proc("misc"), fs.ErrNotExist)
}

// openMisc opens a device by its number: through the node where udev or devtmpfs has
// put it, or through one of our own that is gone again when this returns.
func openMisc(name string, minor uint32, flags int) (*os.File, error) {
	dev := unix.Mkdev(miscMajor, minor)
	for _, dir := range []string{"/dev", "/dev/misc"} {
		if f, err := openNode(filepath.Join(dir, name), dev, flags); err == nil || errors.Is(err, unix.EACCES) {
			return f, err
		}
	}
	dir, err := os.MkdirTemp("/dev", ".mdkit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	node := filepath.Join(dir, "node")
	if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(dev)); err != nil {
		return nil, fmt.Errorf("make a node for %s: %w", name, err)
	}
	return openNode(node, dev, flags)
}

// openNode opens a node, if it is that device's.
func openNode(path string, dev uint64, flags int) (*os.File, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != dev {
		unix.Close(fd)
		return nil, fmt.Errorf("%s is another device: %w", path, fs.ErrNotExist)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openDevice opens one of the two devices that are there as long as the module is.
func openDevice(root sysfs.FS, op, name string, flags int) (*os.File, error) {
	fail := func(class error, meaning string, err error) (*os.File, error) {
		return nil, &Error{Op: op, Mode: ModeNone, Class: class, Meaning: meaning, Err: err}
	}
	minor, err := miscMinor(root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(ErrNoDLM, name+" is not in "+root.Proc("misc")+": load the module dlm", nil)
	case err != nil:
		return fail(nil, "", err)
	}
	f, err := openMisc(name, minor, flags)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fail(ErrPermission, "", err)
	case err != nil:
		return fail(nil, "", err)
	}
	return f, nil
}

// Monitor is the descriptor that tells the kernel that its DLM is controlled: when
// the last one closes, the kernel stops all lockspaces (fs/dlm/user.c
// monitor_device_close).
type Monitor struct{ f *os.File }

// OpenMonitor opens the monitor device, before the local node is added to [Config].
func OpenMonitor(root sysfs.FS) (*Monitor, error) {
	f, err := openDevice(root, "open the DLM's monitor device", "dlm-monitor", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &Monitor{f}, nil
}

// Close gives control up.
func (m *Monitor) Close() error { return m.f.Close() }
