package md

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Classes of failure. An [*Error] matches one of them under errors.Is, and the
// errno as well.
var (
	ErrBusy        = errors.New("busy")                         // EBUSY: in use, or in a state that forbids it
	ErrNotExist    = errors.New("no such device or member")     // ENOENT, ENXIO
	ErrNoArray     = errors.New("no array, or not running")     // ENODEV
	ErrNotArray    = errors.New("not an md device")             // ENOTBLK, or ENOTTY to a request every md kernel knows
	ErrExist       = errors.New("exists already")               // EEXIST
	ErrPermission  = errors.New("permission denied")            // EACCES, EPERM
	ErrInvalid     = errors.New("refused as it stands")         // EINVAL, EBADF, EOVERFLOW
	ErrReadOnly    = errors.New("read-only")                    // EROFS
	ErrNoSpace     = errors.New("too small")                    // ENOSPC, E2BIG, EFBIG
	ErrIO          = errors.New("i/o error or too few members") // EIO
	ErrInterrupted = errors.New("interrupted by a signal")      // EINTR
	ErrUnsupported = errors.New("not supported by this kernel") // ENOTTY, EOPNOTSUPP, ENOTSUPP
)

// errNotSupp is the kernel's own ENOTSUPP (include/linux/errno.h), which is not
// meant for userspace but reaches it from raid0.
const errNotSupp = syscall.Errno(524)

// Error is a refused request. It prints as one line: the request, the device,
// the member or file it was about, what the errno means for this request, and
// the errno.
type Error struct {
	Op      string        // the kernel's name of the request, "STOP_ARRAY"; or "open"
	Device  string        // path of the md device
	Subject string        // member as major:minor, bitmap file, or disk number; may be empty
	Errno   syscall.Errno // what the kernel returned
}

// Error returns the one line.
func (e *Error) Error() string {
	s := e.Op + " " + e.Device
	if e.Subject != "" {
		s += " (" + e.Subject + ")"
	}
	return fmt.Sprintf("%s: %s (%s)", s, e.Meaning(), errnoName(e.Errno))
}

// Meaning says what the errno means for this request.
func (e *Error) Meaning() string {
	if m, ok := meanings[opErrno{e.Op, e.Errno}]; ok {
		return m
	}
	if m, ok := meanings[opErrno{"", e.Errno}]; ok {
		return m
	}
	return e.Errno.Error()
}

// Unwrap returns the errno, so that errors.Is(err, unix.EBUSY) holds.
func (e *Error) Unwrap() error { return e.Errno }

// Is matches the classes.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotArray:
		// RAID_VERSION has no argument that could be wrong, so EINVAL too comes
		// from drivers that are not md: they return ENOTTY, or EINVAL for
		// whatever they do not know.
		return e.Errno == unix.ENOTBLK || e.Errno == unix.ENOTTY && knownSince24(e.Op) ||
			e.Errno == unix.EINVAL && e.Op == reqRaidVersion.name
	case ErrUnsupported:
		return e.Errno == unix.ENOTTY || e.Errno == unix.EOPNOTSUPP || e.Errno == errNotSupp
	}
	class, ok := classes[e.Errno]
	return ok && target == class
}

func knownSince24(op string) bool {
	switch op {
	case reqRaidVersion.name, reqGetArrayInfo.name, reqGetDiskInfo.name, reqSetArrayInfo.name,
		reqAddNewDisk.name, reqRunArray.name, reqStopArray.name:
		return true
	}
	return false
}

func errnoName(no syscall.Errno) string {
	if no == errNotSupp {
		return "ENOTSUPP"
	}
	if name := unix.ErrnoName(no); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(no))
}

// openError wraps the error that os or unix returned when a node was opened.
func openError(device string, err error) error {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return fmt.Errorf("open %s: %w", device, err)
	}
	return &Error{Op: "open", Device: device, Errno: no}
}

var classes = map[syscall.Errno]error{
	unix.EBUSY:     ErrBusy,
	unix.ENOENT:    ErrNotExist,
	unix.ENXIO:     ErrNotExist,
	unix.ENODEV:    ErrNoArray,
	unix.EEXIST:    ErrExist,
	unix.EACCES:    ErrPermission,
	unix.EPERM:     ErrPermission,
	unix.EINVAL:    ErrInvalid,
	unix.EBADF:     ErrInvalid,
	unix.EOVERFLOW: ErrInvalid,
	unix.EROFS:     ErrReadOnly,
	unix.ENOSPC:    ErrNoSpace,
	unix.E2BIG:     ErrNoSpace,
	unix.EFBIG:     ErrNoSpace,
	unix.EIO:       ErrIO,
	unix.EINTR:     ErrInterrupted,
}
