package array

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/live"
	"github.com/mdkit/mdkit/sysfs"
)

// How long to wait for a member that is still busy with requests: mdadm's
// figures (util.c, hot_remove_disk).
const (
	removeRetry  = 10 * time.Millisecond
	removeWait   = 5
	removeForced = 500
)

// remove takes a failed member or a spare out of the array.
func (m *manager) remove(ctx context.Context, t *target) (bool, error) {
	step := m.ioctlStep("HOT_REMOVE_DISK", t.number(), func() error { return m.hotRemove(t) })
	if t.detached != "" {
		step = NewStep(StepInfo{Kind: KindSysfs, Target: t.detached.Path("state"), What: "state", Value: "remove"},
			func(context.Context) error {
				return m.patiently(func() error { return t.detached.Write("state", "remove") })
			}, nil)
	}
	log := live.ListenToKernel()
	defer log.Close()
	if err := m.apply(ctx, step); err != nil {
		m.Report.say(Always, "hot remove failed for %s: %s", t.Name, errnoText(err))
		m.explainRemove(t, err)
		m.Report.kernelSaid(log, m.live.Name)
		return false, &Said{err}
	}
	m.live.drop(t)
	// Not hidden by -q, as mdadm passes its arguments in the wrong order.
	m.Report.say(Always, "hot removed %s from %s", t.Name, m.Array)
	return true, nil
}

// explainRemove says what the errno means here.
func (m *manager) explainRemove(t *target, err error) {
	d, member := m.live.disk(t.major, t.minor)
	switch {
	case !member && errors.Is(err, unix.ENXIO):
		m.Report.extra(Always, "it is not a member of %s", m.Array)
	case member && errors.Is(err, unix.EBUSY) && d.RaidDisk >= 0 && d.State&mdctl.DiskFaulty == 0:
		m.Report.extra(Always, "it is active in slot %d; fail it first", d.RaidDisk)
	}
}

// hotRemove asks the kernel by device number or, where that refuses because
// the array does not run, by attribute.
func (m *manager) hotRemove(t *target) error {
	err := m.patiently(func() error { return m.dev.HotRemoveDisk(t.major, t.minor) })
	if !errors.Is(err, unix.ENODEV) {
		return err
	}
	name, nameErr := kernelNameOf(t.major, t.minor)
	if nameErr != nil {
		return err
	}
	if writeErr := m.live.memberDir(name).Write("state", "remove"); writeErr != nil {
		return err
	}
	return nil
}

// patiently tries again for a while as long as the answer is EBUSY.
func (m *manager) patiently(try func() error) error {
	left := removeWait
	if m.Force {
		left = removeForced
	}
	for {
		err := try()
		if !errors.Is(err, unix.EBUSY) || left <= 0 {
			return err
		}
		left--
		time.Sleep(removeRetry)
	}
}

// drop notes in the description what removing does, for dry runs.
func (l *liveArray) drop(t *target) {
	l.Disks = slices.DeleteFunc(l.Disks, func(d mdctl.DiskInfo) bool {
		return uint32(d.Major) == t.major && uint32(d.Minor) == t.minor
	})
}

// number writes the device number for the description of a step.
func (t *target) number() string { return fmt.Sprintf("%d:%d", t.major, t.minor) }

// isKernelName reports whether mdadm takes the word for a name of the kernel.
func isKernelName(s string) bool {
	for _, c := range s {
		if c == '/' || c == ':' {
			return false
		}
	}
	return len(s) < 50
}

// findByKernelName looks for a member by the name its folder in sysfs has.
func (m *manager) findByKernelName(t *target) error {
	if t.Verb != VerbRemove && t.Verb != VerbFail {
		m.Report.say(Always, "%s only meaningful with -r or -f, not -%c", t.Name, t.Verb)
		return errDeclined
	}
	dir := m.live.memberDir(t.Name)
	if text, err := dir.Read("block/dev"); err == nil {
		var ok bool
		if t.major, t.minor, ok = parseDevNumber(text); ok {
			return nil
		}
	}
	if _, err := dir.Read("state"); err != nil {
		m.Report.say(Always, "%s does not appear to be a component of %s", t.Name, m.Array)
		if !errors.Is(err, sysfs.ErrNotSupported) {
			m.Report.extra(Always, "%v", err)
		}
		return errDeclined
	}
	t.detached = dir
	return nil
}
