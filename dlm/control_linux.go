package dlm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/sysfs"
)

// SpaceFlags say how a lockspace is made (DLM_LSFL_*).
type SpaceFlags uint32

// The flags that user space has a use for.
const (
	FileSystem SpaceFlags = 4 // FS: for a cluster file system
	Exclusive  SpaceFlags = 8 // NEWEXCL: it must not exist yet
)

// Control is the device that makes and removes lockspaces.
type Control struct {
	f    *os.File
	root sysfs.FS
}

// OpenControl opens the device. It needs the DLM in the kernel ([ErrNoDLM]), and
// refuses kernels with 32-bit pointers and other versions of the interface by name.
func OpenControl(root sysfs.FS) (*Control, error) {
	const op = "open the DLM's control device"
	if strconv.IntSize != 64 {
		return nil, &Error{Op: op, Mode: ModeNone, Class: ErrUnsupported, Meaning: "only programs with 64-bit pointers speak to the lock device here"}
	}
	f, err := openDevice(root, op, "dlm-control", unix.O_RDWR)
	if err != nil {
		return nil, err
	}
	b := make([]byte, versionSize)
	if _, err := f.Read(b); err != nil {
		f.Close()
		return nil, &Error{Op: op, Mode: ModeNone, Err: err}
	}
	major, minor := binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])
	if major != interfaceVersion[0] || minor < interfaceVersion[1] {
		f.Close()
		return nil, &Error{Op: op, Mode: ModeNone, Class: ErrVersion, Meaning: fmt.Sprintf("the kernel has %d.%d, this is %d.%d", major, minor, interfaceVersion[0], interfaceVersion[1])}
	}
	return &Control{f: f, root: root}, nil
}

// Close closes the device. Lockspaces stay.
func (c *Control) Close() error { return c.f.Close() }

// Create makes a lockspace and returns the minor number of its device, as
// [Control.CreateWith] does. exclusive makes a lockspace that this kernel has already
// [ErrExist].
func (c *Control) Create(ctx context.Context, name string, exclusive bool) (minor uint32, err error) {
	if exclusive {
		return c.CreateWith(ctx, name, Exclusive)
	}
	return c.CreateWith(ctx, name, 0)
}

// CreateWith makes a lockspace and returns the minor number of its device. The kernel
// asks the controller to join it, and waits for that. Unless it is to be new, one more
// user of a lockspace that there is already is counted, and one more [Control.Remove] is
// needed.
//
// When the context ends first, the kernel still waits. Once it is done, the lockspace
// is removed again.
func (c *Control) CreateWith(ctx context.Context, name string, flags SpaceFlags) (minor uint32, err error) {
	if err := CheckLockspaceName(name); err != nil {
		return 0, err
	}
	type made struct {
		minor int
		err   error
	}
	done := make(chan made, 1)
	go func() {
		n, err := c.write(spaceRequest(cmdCreate, uint32(flags), 0, name))
		done <- made{n, err}
	}()
	select {
	case m := <-done:
		return uint32(m.minor), explainCreate(name, m.err)
	case <-ctx.Done():
		go func() {
			if m := <-done; m.err == nil {
				c.write(spaceRequest(cmdRemove, 0, uint32(m.minor), "")) //nolint:errcheck // nobody is left to tell
			}
		}()
		return 0, waited("create lockspace", name, "", ModeNone, "no controller has answered the kernel's request to join", ctx.Err())
	}
}

// write writes a request. The kernel returns a number for what it made where others
// return a length, so that package os must not judge it.
func (c *Control) write(b []byte) (int, error) {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	return writeRequest(raw, b)
}

func writeRequest(raw syscall.RawConn, b []byte) (n int, err error) {
	cerr := raw.Control(func(fd uintptr) {
		for {
			n, err = unix.Write(int(fd), b)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	if cerr != nil {
		return 0, cerr
	}
	return n, err
}

func explainCreate(name string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: "create lockspace", Space: name, Mode: ModeNone, Err: err}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return e
	}
	e.Class = classOf(errno)
	switch errno {
	case unix.EUNATCH, unix.ENOTCONN: // without a monitor, and without a local address
		e.Class, e.Meaning = ErrNoController, "no controller serves the kernel's DLM; start one (mdkit cluster up, or corosync and dlm_controld)"
	case unix.EBADR:
		e.Class = ErrClusterName
	case unix.EEXIST:
		e.Meaning = "this kernel has a lockspace of that name already"
	}
	return e
}

// Remove takes one user from a lockspace's count; the last one makes this node leave
// it. With force it goes even if locks are still held by others' descriptors;
// otherwise that is [ErrBusy]. The kernel asks the controller to leave, and waits for
// that.
func (c *Control) Remove(ctx context.Context, name string, force bool) error {
	minor, err := miscMinor(c.root, devicePrefix+name)
	if err != nil {
		return &Error{Op: "remove lockspace", Space: name, Mode: ModeNone, Class: ErrNoLockspace, Meaning: "no program has made one of that name on this node"}
	}
	var flags uint32
	if force {
		flags = forceFree
	}
	err = await(ctx, "remove lockspace", name, func() error {
		_, err := c.write(spaceRequest(cmdRemove, flags, minor, ""))
		return err
	})
	if err == nil || errors.Is(err, ErrStillWaiting) {
		return err
	}
	e := &Error{Op: "remove lockspace", Space: name, Mode: ModeNone, Err: err}
	var errno unix.Errno
	if errors.As(err, &errno) {
		e.Class = classOf(errno)
		if errno == unix.EBUSY {
			e.Meaning = "locks are held in it"
		}
	}
	return e
}

// SetPermissions changes the mode of a lockspace's device, by which it is open to others
// than root. The node is where udev or devtmpfs has put it.
func (c *Control) SetPermissions(name string, mode os.FileMode) error {
	fail := func(class error, meaning string, err error) error {
		return &Error{Op: "change the device's mode of lockspace", Space: name, Mode: ModeNone, Class: class, Meaning: meaning, Err: err}
	}
	minor, err := miscMinor(c.root, devicePrefix+name)
	if err != nil {
		return fail(ErrNoLockspace, "no program has made one of that name on this node", nil)
	}
	f, err := openMisc(devicePrefix+name, minor, unix.O_RDWR)
	if err != nil {
		return fail(nil, "", err)
	}
	defer f.Close()
	if err := f.Chmod(mode); err != nil {
		return fail(nil, "", err)
	}
	return nil
}

// devicePrefix begins the name of a lockspace's device (fs/dlm/user.c name_prefix).
const devicePrefix = "dlm_"
