package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Running is an array on this system, named by the user: one to stop, to
// start, or to make read-only or writable.
type Running struct {
	Path   string // as the user gave it
	Kernel string // the kernel's name, such as md0

	fs     sysfs.FS
	num    sysblock.Num
	report note.Reporter
}

// FindRunning finds the array by the path of its device or by its kernel name. Failures
// are reported.
func FindRunning(fs sysfs.FS, name string, report note.Reporter) (*Running, error) {
	r := &Running{Path: name, fs: fs, report: report}
	if !strings.HasPrefix(name, "/") {
		if d, err := sysmd.Open(fs, name); err == nil {
			if b, err := d.Block(); err == nil {
				if r.num, err = b.Num(); err == nil {
					r.Kernel = name
					return r, nil
				}
			}
		}
	}
	dev, err := mdctl.Open(name, os.O_RDONLY)
	switch {
	case errors.Is(err, mdctl.ErrNotArray):
		return nil, report.Fail(err, "live.does-not-appear-be-md-device", name)
	case err != nil:
		return nil, report.Fail(err, "live.error-opening", name, note.Errno{Err: err})
	}
	defer dev.Close()
	if _, err := dev.Version(); err != nil {
		return nil, report.Fail(err, "live.does-not-appear-be-md-device", name)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dev.File().Fd()), &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", name, err)
	}
	r.num = sysblock.Num{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)}
	b, err := sysblock.OpenNum(fs, r.num)
	if err != nil {
		return nil, report.Fail(err, "live.cannot-find-sysfs", name)
	}
	r.Kernel = b.Name()
	return r, nil
}

// ioctlStep returns a step that opens the array and sends the driver a request.
func (r *Running) ioctlStep(name string, do func(*mdctl.Device) error) plan.Step {
	return plan.NewIoctl(r.Path, name, "", func() error {
		dev, err := mdctl.OpenNumber(r.num.Major, r.num.Minor, os.O_RDONLY)
		if err != nil {
			return err
		}
		return errors.Join(do(dev), dev.Close())
	}, plan.NoUndo)
}

// active reports an error unless the array runs.
func (r *Running) active() error {
	a, err := sysmd.Open(r.fs, r.Kernel)
	if err == nil {
		var s sysmd.State
		if s, err = a.State(); err == nil && s != sysmd.Clear && s != sysmd.Inactive {
			return nil
		}
	}
	err = errors.Join(fmt.Errorf("%s: %w", r.Path, mdctl.ErrNoArray), err)
	return r.report.Fail(err, "live.does-not-appear-be-active", r.Path)
}

// PlanReadOnly plans to make the array read-only, or writable again.
func (r *Running) PlanReadOnly(readOnly bool) (*plan.Plan, error) {
	if err := r.active(); err != nil {
		return nil, err
	}
	name, word, do := "RESTART_ARRAY_RW", "writable", (*mdctl.Device).RestartArrayReadWrite
	if readOnly {
		name, word, do = "STOP_ARRAY_RO", "readonly", (*mdctl.Device).StopArrayReadOnly
	}
	return &plan.Plan{Steps: []plan.Step{r.ioctlStep(name, func(dev *mdctl.Device) error {
		log := note.ListenToKernel()
		defer log.Close()
		err := do(dev)
		if err != nil {
			r.report.Say(note.Always, "live.failed-set", word, r.Path, note.Errno{Err: err})
			r.report.KernelSaid(log, r.Kernel)
			r.report.Holders(note.Always, r.Path, err)
			return &note.Reported{Err: err}
		}
		return nil
	})}}, nil
}

// PlanRun plans to start an array that is assembled but not running, read-only until the
// first write (Incremental.c, IncrementalScan). If the array already runs, the plan is
// empty.
func (r *Running) PlanRun() (*plan.Plan, error) {
	a, err := sysmd.Open(r.fs, r.Kernel)
	if err != nil {
		return nil, err
	}
	if s, err := a.State(); err == nil && s != sysmd.Clear && s != sysmd.Inactive {
		return &plan.Plan{}, nil
	}
	path := "/dev/" + r.Kernel
	if entries, err := (node.Map{}).Read(); err == nil {
		for _, e := range entries {
			if e.Name == r.Kernel {
				path = e.Path
			}
		}
	}
	set := a.StateTo(sysmd.ReadAuto)
	info := plan.SettingInfo(set)
	info.What = "start"
	return &plan.Plan{Steps: []plan.Step{plan.NewStep(info, func(context.Context) error {
		log := note.ListenToKernel()
		defer log.Close()
		if err := set.Write(); err != nil {
			r.report.Say(note.Always, "live.failed-start-array", path, note.Errno{Err: err})
			for _, line := range note.Heard(log, r.Kernel) {
				r.report.Extra(note.Always, "live.kernel", line)
			}
			return &note.Reported{Err: err}
		}
		r.report.Say(note.Normal, "live.started-array", path)
		return nil
	}, nil)}}, nil
}

// PlanStop plans to stop the array. Programs that only look at it may have it open for a
// moment, so the request is repeated for five seconds.
func (r *Running) PlanStop() *plan.Plan {
	var dev *mdctl.Device
	open := plan.NewStep(plan.StepInfo{Kind: plan.KindDevice, Target: r.Path, What: "open for exclusive use"},
		func(context.Context) error {
			var err error
			dev, err = mdctl.OpenNumber(r.num.Major, r.num.Minor, os.O_RDONLY|unix.O_EXCL)
			if err != nil {
				r.report.Say(note.Normal, "live.cannot-get-exclusive-access", r.Path, note.Of("live.perhaps-in-use"))
				r.report.Holders(note.Normal, r.Path, err)
				return &note.Reported{Err: err}
			}
			return nil
		}, func(context.Context) error { return dev.Close() })
	stop := plan.NewPatientIoctl(r.Path, "STOP_ARRAY", "",
		func(ctx context.Context) error {
			err := dev.StopArray()
			for tries := 1; errors.Is(err, mdctl.ErrBusy) && tries < 25 && node.Pause(ctx, 200*time.Millisecond); tries++ {
				err = dev.StopArray()
			}
			if err != nil {
				r.report.Say(note.Normal, "live.failed-stop-array", r.Path, note.Errno{Err: err})
				if errors.Is(err, mdctl.ErrBusy) {
					r.report.More(note.Normal, "live.perhaps-in-use")
					r.report.Holders(note.Normal, r.Path, err)
				}
				return &note.Reported{Err: err}
			}
			r.report.Say(note.Normal, "live.stopped", r.Path)
			return dev.Close()
		}, func(context.Context) error { return plan.ErrNoUndo })
	forget := plan.NewStep(plan.StepInfo{Kind: plan.KindMap, Target: r.Kernel, What: "take out of the map"},
		func(context.Context) error { return node.Map{}.Remove(r.Kernel) }, nil)
	turn := plan.AsideStep(func(ctx context.Context) error { r.toTurn(ctx); return nil })
	return &plan.Plan{Steps: []plan.Step{open, turn, stop, forget}}
}

// RunningPaths lists a device path for each array in /proc/mdstat, each array before
// those that it is built on.
func RunningPaths(fs sysfs.FS) ([]string, error) {
	stat, err := sysmd.ReadMdstat(fs)
	if err != nil {
		return nil, err
	}
	var order []string
	for _, a := range stat.Arrays {
		at := len(order)
		for _, m := range a.Members {
			for i, name := range order[:at] {
				if name == m.Name {
					at = i
					break
				}
			}
		}
		order = append(order[:at], append([]string{a.Name}, order[at:]...)...)
	}
	for i, name := range order {
		order[i] = "/dev/" + name
		if short, ok := strings.CutPrefix(name, "md_"); ok {
			if _, err := os.Stat(node.NamesDir + "/" + short); err == nil {
				order[i] = node.NamesDir + "/" + short
			}
		}
	}
	return order, nil
}
