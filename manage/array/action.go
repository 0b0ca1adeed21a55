package array

import (
	"context"
	"os"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/live"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// PlanAction has the array at path do something: idle, frozen, check, repair
// (mdadm 4.2, mdadm.c SetAction). What is wrong is reported.
func PlanAction(fs sysfs.FS, path, action string, report Reporter) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, report.fail(err, "Couldn't open %s: %s", path, errnoText(err))
	}
	f.Close()
	a, err := arrayAt(fs, path)
	if err != nil {
		return nil, report.fail(err, "%s is no an md array", path)
	}
	info := StepInfo{Kind: KindSysfs, Target: a.Dir().Path("sync_action"), What: "sync_action", Value: action}
	return &Plan{Steps: []Step{NewStep(info, func(context.Context) error {
		log := live.ListenToKernel()
		defer log.Close()
		if err := a.SetSyncAction(sysmd.SyncAction(action)); err != nil {
			report.say(Always, "Count not set action for %s to %s: %s", path, action, errnoText(err))
			report.kernelSaid(log, a.Name())
			report.explainBusy(a, err)
			return &Said{err}
		}
		return nil
	}, nil)}}, nil
}

// explainBusy says what an array is doing that refuses to do something else.
func (r Reporter) explainBusy(a *sysmd.Array, err error) {
	if doing, readErr := a.SyncAction(); readErr == nil && doing != sysmd.Idle {
		r.extra(Always, "%s is held up by its own %s; --action=idle ends that", a.Name(), doing)
	}
}

// arrayAt finds the array whose device is at path.
func arrayAt(fs sysfs.FS, path string) (*sysmd.Array, error) {
	major, minor, err := statDevice(path)
	if err != nil {
		return nil, err
	}
	dev, err := sysblock.OpenNum(fs, sysblock.Num{Major: major, Minor: minor})
	if err != nil {
		return nil, err
	}
	return sysmd.Open(fs, dev.Name())
}

// Container reports whether the device at path is a container of external
// metadata, and of which; it fails with mdctl.ErrNotArray for what is no array.
func Container(fs sysfs.FS, path string) (metadata string, ok bool, err error) {
	a, err := arrayAt(fs, path)
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
