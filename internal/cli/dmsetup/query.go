package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// host is the running system.
const host = sysfs.Host

// libraryVersion is the version of libdevmapper whose words these are.
const libraryVersion = "1.02.185 (2022-05-18)"

// kernel is the connection to the device mapper, opened when it is first asked
// for.
type kernel struct {
	ctl *dm.Control
}

func (k *kernel) close() {
	if k.ctl != nil {
		k.ctl.Close()
	}
}

// control opens the device mapper.
func (s *session) control() (*dm.Control, error) {
	if s.ctl != nil {
		return s.ctl, nil
	}
	ctl, err := dm.OpenIn(s.folder())
	if err != nil {
		return nil, s.complain(&driverError{path: filepath.Join(s.folder(), "control"), err: err})
	}
	s.ctl = ctl
	return ctl, nil
}

// driverError is a device mapper that cannot be reached.
type driverError struct {
	path string
	err  error
}

func (e *driverError) Error() string { return e.err.Error() }

func (e *driverError) Unwrap() error { return e.err }

func (e *driverError) lines() []string {
	var lines []string
	if errno := errnoOf(e.err); errno != 0 {
		lines = append(lines, fmt.Sprintf("%s: open failed: %s", e.path, errnoText(errno)))
	} else {
		lines = append(lines, e.err.Error())
	}
	lines = append(lines, "Failure to communicate with kernel device-mapper driver.")
	if os.Geteuid() == 0 {
		lines = append(lines, "Check that device-mapper is available in the kernel.")
	}
	return append(lines, "Incompatible libdevmapper "+libraryVersion+" and kernel driver (unknown version).")
}

// errnoOf is the errno at the bottom of an error, 0 if there is none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}

// lines is what an error prints.
func (s *session) lines(err error) []string {
	var (
		usage  *dmopt.UsageError
		driver *driverError
		task   *taskError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return []string{"Interrupted."}
	case errors.As(err, &usage):
		return usage.Lines
	case errors.As(err, &driver):
		return driver.lines()
	case errors.As(err, &task):
		lines := []string{task.Error()}
		for _, m := range task.more {
			lines = append(lines, "  "+m)
		}
		return lines
	}
	return []string{"dmsetup: " + err.Error()}
}

// failed makes the error of a refused task. What was refused before the kernel
// was asked keeps its own words.
func (s *session) failed(task string, d device, err error) error {
	if err == nil {
		return nil
	}
	errno := errnoOf(err)
	switch {
	case errno == 0 && d.selector() == (dm.Device{}) && task != taskCreate && task != taskTargetVersion:
		errno = unix.ENXIO // no device at all
	case errno == 0 && (errors.Is(err, dm.ErrInvalid) || errors.Is(err, mapper.ErrEmptyName)):
		errno = unix.EINVAL // refused before the kernel was asked
	case errno == 0:
		return err
	}
	return &taskError{task: task, label: d.label(), errno: errno, err: err, more: explained(err)}
}

// nobody is the answer to a question about no device at all.
func nobody(d device) error {
	if d.selector() == (dm.Device{}) {
		return &dm.Error{Errno: unix.ENXIO}
	}
	return nil
}

// askInfo asks for a device's state; nil without an error means that there is
// no such device.
func (s *session) askInfo(task string, d device) (*dm.Info, error) {
	ctl, err := s.control()
	if err != nil {
		return nil, err
	}
	info, err := dm.Info{}, nobody(d)
	if err == nil {
		info, err = ctl.Status(d.selector(), dm.StatusOptions{
			Inactive: s.args.Has(dmopt.Inactive), NoOpenCount: s.args.Has(dmopt.NoOpenCount),
		})
	}
	if errnoOf(err) == unix.ENXIO {
		return nil, nil //nolint:nilnil // as documented
	}
	if err != nil {
		return nil, s.failed(task, d, err)
	}
	return &info, s.unmangleInfo(&info)
}

// askList asks for all devices. The original asks in the order of the kernel.
func (s *session) askList() ([]dm.Entry, error) {
	ctl, err := s.control()
	if err != nil {
		return nil, err
	}
	list, err := ctl.List(dm.ListOptions{})
	if err != nil {
		return nil, s.failed(taskNames, device{}, err)
	}
	var bad error
	for i := range list {
		bad = errors.Join(bad, s.unmangle("name", &list[i].Name), s.unmangle("UUID", &list[i].UUID))
	}
	return list, bad
}

// askTargets asks for the table or the status of a device; nil without an error
// means that there is no such device, which only status forgives.
func (s *session) askTargets(task string, d device, kind dm.Kind) (*dm.Info, []dm.Target, error) {
	ctl, err := s.control()
	if err != nil {
		return nil, nil, err
	}
	var info dm.Info
	var targets []dm.Target
	if err = nobody(d); err == nil {
		info, targets, err = ctl.TableStatus(d.selector(), dm.TableStatusOptions{
			Kind: kind, NoFlush: s.args.Has(dmopt.NoFlush), Inactive: s.args.Has(dmopt.Inactive),
		})
	}
	if task == taskStatus && errnoOf(err) == unix.ENXIO {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, s.failed(task, d, err)
	}
	return &info, targets, s.unmangleInfo(&info)
}

// askDeps asks which devices a device uses.
func (s *session) askDeps(d device, inactive bool) (*dm.Info, []dm.Number, error) {
	ctl, err := s.control()
	if err != nil {
		return nil, nil, err
	}
	var info dm.Info
	var deps []dm.Number
	if err = nobody(d); err == nil {
		info, deps, err = ctl.Deps(d.selector(), dm.DepsOptions{Inactive: inactive})
	}
	if err != nil {
		return nil, nil, s.failed(taskDeps, d, err)
	}
	return &info, deps, s.unmangleInfo(&info)
}

// kernelName gives the kernel's name of a device, with the "!" that stands for a
// slash in it.
func kernelName(n dm.Number) (string, bool) {
	d, err := block.OpenNum(host, block.Num{Major: n.Major, Minor: n.Minor})
	if err != nil {
		return "", false
	}
	return strings.ReplaceAll(d.Name(), "/", "!"), true
}

// mapName gives the name of a mapped device, and the kernel's name of others.
func mapName(n dm.Number) (string, bool) {
	d, err := block.OpenNum(host, block.Num{Major: n.Major, Minor: n.Minor})
	if err != nil {
		return "", false
	}
	if name, err := d.MapperName(); err == nil {
		return name, true
	}
	return kernelName(n)
}

// readAhead is how much is read ahead of a device, in sectors of 512 bytes. A
// device that never had a table is not in sysfs yet; the original then opens
// its node, and says so where that fails.
func (s *session) readAhead(info *dm.Info) (uint32, bool) {
	dir := sysfs.Dir(host.Sys("dev", "block", info.Number.String()))
	if kib, err := dir.ReadUint("bdi/read_ahead_kb"); err == nil {
		return uint32(kib) * 2, true
	}
	path := filepath.Join(s.folder(), info.Name)
	f, err := os.Open(path)
	if err != nil {
		s.warn("%s: open failed: %s", path, errnoText(errnoOf(err)))
		return 0, false
	}
	defer f.Close()
	sectors, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKRAGET)
	if err != nil {
		s.warn("%s: BLKRAGET failed: %s", info.Name, errnoText(errnoOf(err)))
		return 0, false
	}
	return uint32(sectors), true
}

// mappedMajor is the major number of mapped devices, 0 if there is none.
func mappedMajor() uint32 {
	text, err := sysfs.ReadProc(host.Proc("devices"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 2 && f[1] == "device-mapper" {
			n, _ := strconv.ParseUint(f[0], 10, 32)
			return uint32(n)
		}
	}
	return 0
}
