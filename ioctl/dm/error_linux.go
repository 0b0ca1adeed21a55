package dm

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Classes of failure. An [*Error] matches those that apply under errors.Is, and
// the errno as well.
var (
	ErrNotExist    = errors.New("no such device")                               // ENXIO, ENODEV, ENOENT
	ErrBusy        = errors.New("busy")                                         // EBUSY: in use
	ErrExist       = errors.New("exists already")                               // EBUSY to Create and Rename, EEXIST
	ErrPermission  = errors.New("permission denied")                            // EACCES, EPERM
	ErrInvalid     = errors.New("refused as it stands")                         // EINVAL, and what is refused before the kernel is asked
	ErrNoTarget    = errors.New("no such target type")                          // EINVAL to TargetVersion
	ErrUnsupported = errors.New("not supported by this kernel")                 // ENOTTY, EOPNOTSUPP, or an interface version too low
	ErrNoMemory    = errors.New("out of memory")                                // ENOMEM
	ErrInterrupted = errors.New("interrupted by a signal")                      // EINTR
	ErrNoTable     = errors.New("no live table")                                // a message to a device without one
	ErrReplyLost   = errors.New("done, but the reply did not fit")              // a message that was not repeated
	ErrReply       = errors.New("malformed reply of the kernel")                // see ReplyError
	ErrNoPath      = errors.New("no usable path")                               // ENOTCONN to ProbePaths
	ErrNoDriver    = errors.New("the device mapper is not there")               // there is no control device and none can be made
	ErrStuck       = errors.New("the kernel has not ended it within")           // see StuckError
	ErrPoll        = errors.New("the control device cannot be waited for here") // Transport without a descriptor
)

// errMinorTaken is what ENXIO means to Create with a number.
var errMinorTaken = fmt.Errorf("the minor number is taken: %w", ErrExist)

// Error is a refused command. It prints as one line: the command, the device,
// what the errno means for this command, and the errno.
type Error struct {
	Command Command
	Device  string        // how the device was named; may be empty
	Errno   syscall.Errno // what the kernel returned; 0 if Class says it all
	Class   error         // class that does not follow from the errno alone; may be nil
	Reason  string        // the kernel's own words from its log, if somebody has read it
}

// Error returns the one line.
func (e *Error) Error() string {
	s := e.Command.String()
	if e.Device != "" {
		s += " " + e.Device
	}
	s += ": " + e.Meaning()
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.Errno != 0 {
		s += " (" + errnoName(e.Errno) + ")"
	}
	return s
}

// Meaning says what the refusal means for this command.
func (e *Error) Meaning() string {
	if e.Class != nil {
		return e.Class.Error()
	}
	if m, ok := meanings[commandErrno{e.Command, e.Errno}]; ok {
		return m
	}
	if m, ok := meanings[commandErrno{anyCommand, e.Errno}]; ok {
		return m
	}
	return e.Errno.Error()
}

// Unwrap returns the errno, so that errors.Is(err, unix.EBUSY) holds.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Errno != 0 {
		all = append(all, e.Errno)
	}
	if e.Class != nil {
		all = append(all, e.Class)
	}
	return all
}

// Is matches the classes.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrExist:
		return e.Errno == unix.EEXIST ||
			e.Errno == unix.EBUSY && (e.Command == CmdDevCreate || e.Command == CmdDevRename)
	case ErrNotExist:
		if e.Command == CmdDevCreate {
			return false // it is the minor number that is not available
		}
	case ErrUnsupported:
		// Kernels that do not know this command pass it on to a path of the
		// multipath device, whose driver answers as for any ioctl it does not
		// know.
		if e.Command == CmdMpathProbePaths && e.Errno == unix.EINVAL {
			return true
		}
	case ErrNoTarget:
		return e.Errno == unix.EINVAL && e.Command == CmdGetTargetVersion
	case ErrNoPath:
		return e.Errno == unix.ENOTCONN && e.Command == CmdMpathProbePaths
	}
	class, ok := classes[e.Errno]
	return ok && target == class
}

var classes = map[syscall.Errno]error{
	unix.ENXIO:      ErrNotExist,
	unix.ENODEV:     ErrNotExist,
	unix.ENOENT:     ErrNotExist,
	unix.EBUSY:      ErrBusy,
	unix.EACCES:     ErrPermission,
	unix.EPERM:      ErrPermission,
	unix.EINVAL:     ErrInvalid,
	unix.ENOTTY:     ErrUnsupported,
	unix.EOPNOTSUPP: ErrUnsupported,
	unix.ENOMEM:     ErrNoMemory,
	unix.EINTR:      ErrInterrupted,
}

func errnoName(no syscall.Errno) string {
	if name := unix.ErrnoName(no); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(no))
}

// anyCommand stands for every command in meanings.
const anyCommand Command = ^Command(0)

type commandErrno struct {
	cmd Command
	no  syscall.Errno
}

// meanings says why drivers/md/dm-ioctl.c and what it calls return an errno to
// a command.
var meanings = map[commandErrno]string{
	{anyCommand, unix.EACCES}:     "needs root (CAP_SYS_ADMIN)",
	{anyCommand, unix.EPERM}:      "not permitted",
	{anyCommand, unix.ENXIO}:      "no such device",
	{anyCommand, unix.ENODEV}:     "no such device",
	{anyCommand, unix.ENOENT}:     "no such device",
	{anyCommand, unix.ENOTTY}:     "this kernel does not know the command",
	{anyCommand, unix.EOPNOTSUPP}: "this device does not know the command",
	{anyCommand, unix.EINVAL}:     "the kernel does not accept that; its log may say more",
	{anyCommand, unix.EBUSY}:      "the device is in use",
	{anyCommand, unix.ENOMEM}:     "the kernel is out of memory",
	{anyCommand, unix.EINTR}:      "interrupted by a signal",
	{anyCommand, unix.EFAULT}:     "the kernel could not reach the buffer",
	{anyCommand, unix.EIO}:        "i/o error",

	{CmdVersion, unix.EINVAL}: "the kernel speaks another version of the interface",

	{CmdDevCreate, unix.EBUSY}:  "a device of that name, UUID or minor number exists already",
	{CmdDevCreate, unix.EINVAL}: "not a name or a minor number for a device",
	{CmdDevCreate, unix.ENXIO}:  "the minor number is taken, or none is left",

	{CmdDevRemove, unix.EBUSY}: "still in use: mounted, under another device, or open in a process",

	{CmdDevRename, unix.EBUSY}:  "a device of that name or UUID exists already",
	{CmdDevRename, unix.EINVAL}: "not a name for a device, or it has a UUID already",

	{CmdDevSuspend, unix.EINVAL}: "the table does not fit the device it is for",
	{CmdDevSuspend, unix.EINTR}:  "interrupted while waiting for I/O to end",
	{CmdDevSuspend, unix.EBUSY}:  "another suspend or freeze is under way",

	{CmdDevWait, unix.EINTR}: "interrupted while waiting for an event",

	{CmdTableLoad, unix.EINVAL}:  "the table is not accepted; the kernel log says why",
	{CmdTableLoad, unix.EBUSY}:   "a device of the table is in use elsewhere, or two targets claim the same",
	{CmdTableLoad, unix.ENOENT}:  "a target or a device of the table is not there",
	{CmdTableLoad, unix.ENODEV}:  "a device of the table is not there",
	{CmdTableLoad, unix.EROFS}:   "a device of the table is read-only",
	{CmdTableLoad, unix.EACCES}:  "a device of the table is read-only, or root (CAP_SYS_ADMIN) is needed",
	{CmdTableLoad, unix.ENOTBLK}: "the table names something that is no block device",
	{CmdTableLoad, unix.ENOKEY}:  "the key is not in the keyring",

	{CmdTargetMsg, unix.EINVAL}:     "the target does not take that message; the kernel log says why",
	{CmdTargetMsg, unix.EOPNOTSUPP}: "the target cannot do that now",

	{CmdDevSetGeometry, unix.EINVAL}: "not a geometry: cylinders up to 65535, heads and sectors up to 255, the start within the device",

	{CmdGetTargetVersion, unix.EINVAL}: "no such target type, and no module for it",

	{CmdMpathProbePaths, unix.ENOTCONN}: "no path is usable",
	{CmdMpathProbePaths, unix.ENOTTY}:   "not a multipath device, or a kernel before 6.16",
	{CmdMpathProbePaths, unix.EINVAL}:   "not a multipath device, or a kernel before 6.16",
}
