package dmsetup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// device is a device as the command line names it: by name, by UUID or by
// number.
type device struct {
	name  string // as the user has it; the node is called so
	known string // the name as the kernel has it
	uuid  string // as the kernel has it
	num   dm.Number
	byNum bool

	numText  string // the number as messages have it, if it is none
	creating bool   // it is being made: it has a number from its second step on
}

// String is the device as it was named.
func (d device) String() string {
	if d.name != "" {
		return d.name
	}
	return d.selector().String()
}

// selector is the device for ioctl/dm.
func (d device) selector() dm.Device {
	switch {
	case d.byNum:
		return dm.ByNumber(d.num.Major, d.num.Minor)
	case d.uuid != "":
		return dm.ByUUID(d.uuid)
	}
	return dm.ByName(d.known)
}

// label is how messages about a refused command name the device: the name, the
// UUID and the number, each if it is known, with the blanks of the original.
func (d device) label() string {
	s := d.known + " " + d.uuid
	if d.byNum {
		s = " "
	}
	if d.num.Major > 0 {
		s += fmt.Sprintf("(%d:%d)", d.num.Major, d.num.Minor)
	}
	return s + d.numText
}

// device finds out which device a command is for: the first word, or what
// --uuid or --major and --minor say.
func (s *session) device(c call) (device, error) {
	if name, ok := c.first(); ok {
		return s.named(name)
	}
	a := s.args
	switch {
	case a.Has(dmopt.UUID):
		return s.withUUID(a.Text[dmopt.UUID])
	case a.Has(dmopt.Major) && a.Has(dmopt.Minor):
		return s.numbered(a.Number[dmopt.Major], a.Number[dmopt.Minor])
	}
	return device{}, s.refuse("No device specified.")
}

// deviceAside is device for commands whose words are not devices when an
// option names one. It returns the words that are left.
func (s *session) deviceAside(c call) (device, []string, error) {
	a := s.args
	if a.Has(dmopt.UUID) || a.Has(dmopt.Major) {
		d, err := s.device(call{})
		return d, c.args, err
	}
	d, err := s.device(c)
	if len(c.args) > 0 {
		c.args = c.args[1:]
	}
	return d, c.args, err
}

// numbered finds a device by number. As in the original a major number that is
// not positive is refused, and a negative minor number is none at all.
func (s *session) numbered(major, minor int) (device, error) {
	switch {
	case minor >= 0 && major <= 0:
		_ = s.refuse("Missing major number for persistent device.")
		return device{}, s.refuse("Couldn't create ioctl argument.")
	case minor < 0:
		return device{numText: choose(major > 0, fmt.Sprintf("(%d:)", major), "")}, nil
	}
	return device{num: dm.Number{Major: uint32(major), Minor: uint32(minor)}, byNum: true}, nil
}

// withUUID finds a device by UUID.
func (s *session) withUUID(uuid string) (device, error) {
	known, err := s.mangleUUID(uuid)
	return device{uuid: known}, err
}

// named finds a device by name, or by the path of a node.
func (s *session) named(name string) (device, error) {
	if strings.Contains(name, "/") {
		found, err := s.nameOfNode(name)
		return device{name: found, known: found}, err
	}
	known, err := s.mangleName(name)
	return device{name: name, known: known}, err
}

// newName is named for a device that does not exist yet.
func (s *session) newName(name string) (device, error) {
	if strings.Contains(name, "/") {
		return device{}, s.refuse("Name \"%s\" invalid. It contains \"/\".", name)
	}
	return s.named(name)
}

// nameOfNode finds the name of the device that the node at path belongs to: its
// own if there is such a node in /dev/mapper, or that of another node there with
// the same number. What is not found as it stands is looked for in /dev.
func (s *session) nameOfNode(path string) (string, error) {
	mapper := s.folder()
	last := path[strings.LastIndexByte(path, '/')+1:]
	num, err := nodeNumber(path)
	if err != nil {
		if len(path) < 3 || path[0] == '/' || strings.Count(path, "/") != 1 {
			return "", s.refuse("Device %s not found", path)
		}
		if num, err = nodeNumber(mapper + "/../" + path); err != nil {
			return "", s.refuse("Device %s not found", path)
		}
	} else if other, err := nodeNumber(mapper + "/" + last); err == nil && other == num {
		return last, nil
	}
	entries, err := os.ReadDir(mapper)
	if err != nil {
		_ = s.refuse("opendir: %s: %v", mapper, err)
	}
	for _, e := range entries {
		if other, err := nodeNumber(filepath.Join(mapper, e.Name())); err == nil && other == num {
			return e.Name(), nil
		}
	}
	return "", s.refuse("Device %s not found", last)
}

// nodeNumber is the number of the device behind a path.
func nodeNumber(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return uint64(st.Rdev), err
}

// taskNames are the names that messages have for what was refused.
const (
	taskCreate        = "create"
	taskReload        = "reload"
	taskRemove        = "remove"
	taskRemoveAll     = "remove_all"
	taskSuspend       = "suspend"
	taskResume        = "resume"
	taskInfo          = "info"
	taskDeps          = "deps"
	taskRename        = "rename"
	taskStatus        = "status"
	taskTable         = "table"
	taskWait          = "waitevent"
	taskNames         = "names"
	taskClear         = "clear"
	taskMknodes       = "mknodes"
	taskVersions      = "versions"
	taskMessage       = "message"
	taskGeometry      = "setgeometry"
	taskTargetVersion = "target-version"
)

// taskError is a command that the kernel refused, in the words of libdevmapper.
type taskError struct {
	task  string
	label string // device.label
	errno syscall.Errno
	err   error    // what it is about, for exit codes
	more  []string // what the kernel said, who holds the device
}

func (e *taskError) Error() string {
	return fmt.Sprintf("device-mapper: %s ioctl on %s failed: %s", e.task, e.label, errnoText(e.errno))
}

func (e *taskError) Unwrap() error { return e.err }

// errnoText is strerror(3), whose first letter is a capital.
func errnoText(errno syscall.Errno) string {
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
