package live

import (
	"context"
	"os"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// PlanAction plans to set the sync action of the array at path: idle, frozen, check,
// repair (mdadm 4.2, mdadm.c SetAction). Errors are reported.
func PlanAction(fs sysfs.FS, path, action string, report note.Reporter) (*plan.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, report.Fail(err, "live.couldnt-open", path, note.Errno{Err: err})
	}
	f.Close()
	a, err := ArrayAt(fs, path)
	if err != nil {
		return nil, report.Fail(err, "live.no-md-array", path)
	}
	set := a.SyncActionTo(sysmd.SyncAction(action))
	return &plan.Plan{Steps: []plan.Step{plan.NewStep(plan.SettingInfo(set), func(context.Context) error {
		log := note.ListenToKernel()
		defer log.Close()
		if err := set.Write(); err != nil {
			report.Say(note.Always, "live.count-not-set-action", path, action, note.Errno{Err: err})
			report.KernelSaid(log, a.Name())
			report.ExplainBusy(a, err)
			return &note.Reported{Err: err}
		}
		return nil
	}, nil)}}, nil
}

// ArrayAt returns the array whose device is at path.
func ArrayAt(fs sysfs.FS, path string) (*sysmd.Array, error) {
	major, minor, err := device.StatDevice(path)
	if err != nil {
		return nil, err
	}
	dev, err := sysblock.OpenNum(fs, sysblock.Num{Major: major, Minor: minor})
	if err != nil {
		return nil, err
	}
	return sysmd.Open(fs, dev.Name())
}

// Container reports whether the device at path is a container of external metadata, and
// of which kind. It fails with mdctl.ErrNotArray if there is no array at path.
func Container(fs sysfs.FS, path string) (metadata string, ok bool, err error) {
	a, err := ArrayAt(fs, path)
	if err != nil {
		return "", false, mdctl.ErrNotArray
	}
	m, err := a.Metadata()
	if err != nil {
		return "", false, err
	}
	_, _, _, member := m.Subarray()
	return m.External, m.Kind == sysmd.MetadataExternal && !member, nil
}
