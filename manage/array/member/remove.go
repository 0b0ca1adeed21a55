package member

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Times to wait for a member that is still busy with requests, as in mdadm (util.c,
// hot_remove_disk).
const (
	removeRetry  = 10 * time.Millisecond
	removeWait   = 5
	removeForced = 500
)

// remove removes a failed member or a spare from the array.
func (m *Manager) remove(ctx context.Context, t *Target) (bool, error) {
	step := m.removeStep(t)
	if t.detached != nil {
		set := t.detached.CommandTo(sysmd.Remove)
		step = plan.NewStep(plan.SettingInfo(set), func(context.Context) error { return m.Patiently(set.Write) }, nil)
	}
	log := note.ListenToKernel()
	defer log.Close()
	if err := m.apply(ctx, step); err != nil {
		m.Report.Say(note.Always, "member.hot-remove-failed", t.Name, note.Errno{Err: err})
		m.explainRemove(t, err)
		m.Report.KernelSaid(log, m.Live.Name)
		return false, &note.Reported{Err: err}
	}
	drop(m.Live, t)
	// Not hidden by -q, because mdadm passes its arguments in the wrong order.
	m.Report.Say(note.Always, "member.hot-removed", t.Name, m.Array)
	return true, nil
}

// removeStep returns the HOT_REMOVE_DISK step.
func (m *Manager) removeStep(t *Target) plan.Step {
	step := m.ioctlStep("HOT_REMOVE_DISK", t.number(), func() error { return m.HotRemove(t) })
	return plan.Foreseen(step, func() error {
		if m.letGo == nil {
			m.letGo = make(map[devNumber]bool)
		}
		m.letGo[devNumber{t.Major, t.Minor}] = true
		return nil
	})
}

// explainRemove reports what the errno means here.
func (m *Manager) explainRemove(t *Target, err error) {
	d, member := m.Live.Disk(t.Major, t.Minor)
	switch {
	case !member && errors.Is(err, unix.ENXIO):
		m.Report.Extra(note.Always, "member.it-not-member", m.Array)
	case member && errors.Is(err, unix.EBUSY) && d.RaidDisk >= 0 && d.State&mdctl.DiskFaulty == 0:
		m.Report.Extra(note.Always, "member.it-active-slot-fail-it-first", d.RaidDisk)
	}
}

// HotRemove asks the kernel by device number or, if the kernel refuses because the array
// does not run, by sysfs attribute.
func (m *Manager) HotRemove(t *Target) error {
	err := m.Patiently(func() error { return m.Dev.HotRemoveDisk(t.Major, t.Minor) })
	if !errors.Is(err, unix.ENODEV) {
		return err
	}
	name, nameErr := live.KernelNameOf(t.Major, t.Minor)
	if nameErr != nil {
		return err
	}
	if writeErr := m.Live.Sysfs.MemberAt(name).Command(sysmd.Remove); writeErr != nil {
		return err
	}
	return nil
}

// Patiently retries for a while as long as the error is EBUSY.
func (m *Manager) Patiently(try func() error) error {
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

// drop records in the array's description that a member is gone, for dry runs.
func drop(l *live.Array, t *Target) {
	l.Disks = slices.DeleteFunc(l.Disks, func(d mdctl.DiskInfo) bool {
		return uint32(d.Major) == t.Major && uint32(d.Minor) == t.Minor
	})
}

// number returns the device number for the description of a step.
func (t *Target) number() string { return fmt.Sprintf("%d:%d", t.Major, t.Minor) }

// isKernelName reports whether mdadm takes the word for a kernel name.
func isKernelName(s string) bool {
	for _, c := range s {
		if c == '/' || c == ':' {
			return false
		}
	}
	return len(s) < 50
}

// findByKernelName looks for a member by the name of its folder in sysfs.
func (m *Manager) findByKernelName(t *Target) error {
	if t.Verb != VerbRemove && t.Verb != VerbFail {
		m.Report.Say(note.Always, "member.only-meaningful-with-r-or-f", t.Name, t.Verb)
		return errDeclined
	}
	there, err := m.Live.Sysfs.Member(t.Name)
	if err != nil {
		m.Report.Say(note.Always, "member.does-not-appear-be-component", t.Name, m.Array)
		if !errors.Is(err, fs.ErrNotExist) {
			m.Report.Extra(note.Always, note.Reason, err)
		}
		return errDeclined
	}
	if n, err := there.Number(); err == nil {
		t.Major, t.Minor = n.Major, n.Minor
		return nil
	}
	t.detached = there
	return nil
}
