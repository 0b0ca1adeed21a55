package dmtask

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
)

// LibraryVersion is the version of libdevmapper whose messages these are.
const LibraryVersion = "1.02.185 (2022-05-18)"

// TaskNames are the names of refused tasks in messages.
const (
	TaskCreate        = "create"
	TaskReload        = "reload"
	TaskRemove        = "remove"
	TaskRemoveAll     = "remove_all"
	TaskSuspend       = "suspend"
	TaskResume        = "resume"
	TaskInfo          = "info"
	TaskDeps          = "deps"
	TaskRename        = "rename"
	TaskStatus        = "status"
	TaskTable         = "table"
	TaskWait          = "waitevent"
	TaskNames         = "names"
	TaskClear         = "clear"
	TaskMknodes       = "mknodes"
	TaskVersions      = "versions"
	TaskMessage       = "message"
	TaskGeometry      = "setgeometry"
	TaskTargetVersion = "target-version"
)

// TaskError is a task that the kernel refused, in the words of libdevmapper.
type TaskError struct {
	Task  string
	Label string // device.Label
	Errno syscall.Errno
	Err   error    // the underlying error, for exit codes
	More  []string // what the kernel logged, and what holds the device
}

// Error returns the line that libdevmapper prints.
func (e *TaskError) Error() string {
	return fmt.Sprintf("device-mapper: %s ioctl on %s failed: %s", e.Task, e.Label, ErrnoText(e.Errno))
}

// Unwrap returns the error of ioctl/dm.
func (e *TaskError) Unwrap() error { return e.Err }

// ErrnoText returns what strerror(3) does, beginning with a capital letter.
func ErrnoText(errno syscall.Errno) string {
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// explained returns the additions to a refusal: what the kernel logged, and what holds
// the device.
func explained(err error) []string {
	more := stuck(err)
	var full *mapper.Error
	if !errors.As(err, &full) {
		return more
	}
	for _, i := range full.Below {
		more = append(more, fmt.Sprintf("%s (%v) below is suspended, and holds back I/O: dmsetup resume %[1]s", i.Name, i.Number))
	}
	for _, line := range full.Kernel {
		more = append(more, "kernel: "+line)
	}
	if full.Held != "" {
		more = append(more, full.Held)
	}
	return more
}

// stuck says what has become of a command that the kernel did not end.
func stuck(err error) []string {
	var late *dm.StuckError
	switch {
	case !errors.As(err, &late):
		return nil
	case late.Ended && late.Cause != nil:
		return []string{fmt.Sprintf("the kernel had waited for %v, and was interrupted", late.After)}
	case late.Cause != nil:
		return []string{fmt.Sprintf("the kernel has waited for %v, and cannot be interrupted: the command may still take effect", late.After)}
	case late.Ended:
		return []string{fmt.Sprintf("the kernel waited for more than %v, and was interrupted (--timeout)", late.After)}
	}
	return []string{fmt.Sprintf("the kernel waits for more than %v (--timeout), and cannot be interrupted: the command may still take effect", late.After)}
}

// driverError is a failure to reach the device mapper.
type driverError struct {
	path string
	err  error
}

// Error returns a single line.
func (e *driverError) Error() string { return e.err.Error() }

// Unwrap returns the error of ioctl/dm.
func (e *driverError) Unwrap() error { return e.err }

func (e *driverError) lines() []string {
	var lines []string
	if errno := Errno(e.err); errno != 0 {
		lines = append(lines, fmt.Sprintf("%s: open failed: %s", e.path, ErrnoText(errno)))
	} else {
		lines = append(lines, e.err.Error())
	}
	lines = append(lines, "Failure to communicate with kernel device-mapper driver.")
	if os.Geteuid() == 0 {
		lines = append(lines, "Check that device-mapper is available in the kernel.")
	}
	return append(lines, "Incompatible libdevmapper "+LibraryVersion+" and kernel driver (unknown version).")
}

// Errno returns the errno at the bottom of an error, 0 if there is none.
func Errno(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}
