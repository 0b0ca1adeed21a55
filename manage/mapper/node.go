package mapper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// Owner is the owner, group and mode of a node.
type Owner struct {
	UID, GID int
	Mode     uint32 // permission bits
}

// DefaultOwner is what Debian's dmsetup gives nodes: root, group disk, 0660.
var DefaultOwner = Owner{UID: 0, GID: 6, Mode: 0o660}

// Nodes is the folder with a node for each mapped device. Where udev runs, it manages
// the folder; otherwise Nodes does.
type Nodes struct {
	Dir string // /dev/mapper if empty
}

func (n Nodes) dir() string {
	if n.Dir == "" {
		return dm.Folder
	}
	return n.Dir
}

// ErrNodeName marks a name that a node cannot have: a path, or that of the control
// device.
var ErrNodeName = errors.New("not a name for a node")

// ErrNotNode marks a file in place of a node.
var ErrNotNode = errors.New("something else than a block device is there")

// Path returns the path of a device's node.
func (n Nodes) Path(name string) string { return filepath.Join(n.dir(), name) }

func (n Nodes) path(name string) (string, error) {
	switch {
	case name == "", name == ".", name == "..", name == "control", strings.Contains(name, "/"):
		return "", fmt.Errorf("%s in %s: %w", name, n.dir(), ErrNodeName)
	}
	return n.Path(name), nil
}

// Add makes a device's node, and reports whether it was missing or another device's. A
// node of this device is left unchanged, including its owner.
func (n Nodes) Add(name string, num dm.Number, o Owner) (made bool, err error) {
	path, err := n.path(name)
	if err != nil {
		return false, err
	}
	dev := unix.Mkdev(num.Major, num.Minor)
	var st unix.Stat_t
	switch err := unix.Stat(path, &st); {
	case err == nil && st.Mode&unix.S_IFMT != unix.S_IFBLK:
		return false, fmt.Errorf("%s: %w", path, ErrNotNode)
	case err == nil && st.Rdev == dev:
		return false, nil
	case err == nil:
		if err := os.Remove(path); err != nil {
			return false, err
		}
	}
	if err := os.MkdirAll(n.dir(), 0o755); err != nil {
		return false, err
	}
	// Somebody else may have been faster, most likely udev.
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(dev)); errors.Is(err, unix.EEXIST) {
		return false, nil
	} else if err != nil {
		return false, &os.PathError{Op: "mknod", Path: path, Err: err}
	}
	return true, errors.Join(os.Chown(path, o.UID, o.GID), os.Chmod(path, fs.FileMode(o.Mode)&fs.ModePerm))
}

// Remove removes a device's node, or whatever is in its place except a folder, and
// reports whether there was anything.
func (n Nodes) Remove(name string) (bool, error) {
	path, err := n.path(name)
	if err != nil {
		return false, err
	}
	switch err := unix.Unlink(path); {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EISDIR):
		return false, nil
	case err != nil:
		return false, &os.PathError{Op: "unlink", Path: path, Err: err}
	}
	return true, nil
}

// Rename renames a device's node, replacing any existing one. It is not an error if
// there is no node.
func (n Nodes) Rename(name, newName string) error {
	from, err := n.path(name)
	if err != nil {
		return err
	}
	to, err := n.path(newName)
	if err != nil {
		return err
	}
	if fi, err := os.Stat(to); err == nil && fi.Mode().Type() != fs.ModeDevice {
		return fmt.Errorf("%s: %w", to, ErrNotNode)
	}
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Names lists the names in the folder except that of the control device.
func (n Nodes) Names() ([]string, error) {
	entries, err := os.ReadDir(n.dir())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "control" {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// NameAt returns the name of the device that has its node at path: the last part of path
// if the folder has that node, or else the name of another node there with the same
// number. A relative path that does not exist is looked for in the parent of the folder,
// which is /dev. The error is a [*PathError].
func (n Nodes) NameAt(path string) (string, error) {
	last := path[strings.LastIndexByte(path, '/')+1:]
	num, err := nodeNumber(path)
	if err != nil {
		if len(path) < 3 || path[0] == '/' || strings.Count(path, "/") != 1 {
			return "", &PathError{Path: path}
		}
		if num, err = nodeNumber(n.dir() + "/../" + path); err != nil {
			return "", &PathError{Path: path}
		}
	} else if other, err := nodeNumber(n.dir() + "/" + last); err == nil && other == num {
		return last, nil
	}
	entries, err := os.ReadDir(n.dir())
	for _, e := range entries {
		if other, err := nodeNumber(filepath.Join(n.dir(), e.Name())); err == nil && other == num {
			return e.Name(), nil
		}
	}
	return "", &PathError{Path: last, Err: err}
}

// nodeNumber returns the number of the device at path.
func nodeNumber(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return uint64(st.Rdev), err
}

// PathError is a path that does not belong to a mapped device.
type PathError struct {
	Path string
	Err  error // why the folder of nodes could not be read; nil if it could
}

// Error returns a single line.
func (e *PathError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("device %s not found: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("device %s not found", e.Path)
}

// Unwrap returns why the folder could not be read.
func (e *PathError) Unwrap() error { return e.Err }
