package member

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// fail marks a member as failed. A member that the array cannot do without is refused
// without asking the kernel: kernels differ in whether they fail it all the same (Linux
// 6.1 does for raid4, 5, 6 and 10, and returns EBUSY nevertheless).
func (m *Manager) fail(ctx context.Context, t *Target) (bool, error) {
	if !m.Force && m.needs(t) {
		m.Report.Say(note.Always, "member.array-needs-it", t.Name, m.Array, note.Errno{Err: ErrLastMember})
		m.Report.Extra(note.Always, "member.cannot-go-on-without-it-force-fails", m.Array)
		return false, &note.Reported{Err: ErrLastMember}
	}
	step := m.ioctlStep("SET_DISK_FAULTY", t.number(), func() error { return m.Dev.SetDiskFaulty(t.Major, t.Minor) })
	if t.detached != nil {
		step = plan.NewSetting(t.detached.CommandTo(sysmd.Fail), nil)
	}
	log := note.ListenToKernel()
	defer log.Close()
	if err := m.apply(ctx, step); err != nil {
		m.Report.Say(note.Always, "member.set-device-faulty-failed", t.Name, note.Errno{Err: err})
		m.Report.KernelSaid(log, m.Live.Name)
		return false, &note.Reported{Err: failError(err)}
	}
	markFailed(m.Live, t)
	m.Report.Say(note.Normal, "member.set-faulty", t.Name, m.Array)
	return true, nil
}

// failError turns EBUSY from SET_DISK_FAULTY into ErrLastMember as well.
func failError(err error) error {
	if errors.Is(err, unix.EBUSY) {
		return errors.Join(ErrLastMember, err)
	}
	return err
}

// needs reports whether the array cannot go on without the target.
func (m *Manager) needs(t *Target) bool {
	if t.detached == nil {
		return m.Live.LastOf(t.Major, t.Minor)
	}
	slot, err := t.detached.Slot()
	if err != nil || slot < 0 {
		return false // a spare, or a member that is being replaced
	}
	for i := range m.Live.Disks {
		if d := &m.Live.Disks[i]; d.RaidDisk == int32(slot) {
			return m.Live.LastOf(uint32(d.Major), uint32(d.Minor))
		}
	}
	return false
}

// markFailed records in the array's description that a member has failed, for dry runs.
func markFailed(l *live.Array, t *Target) {
	if d, ok := l.Disk(t.Major, t.Minor); ok {
		d.State |= mdctl.DiskFaulty
		d.State &^= mdctl.DiskSync | mdctl.DiskActive
		d.RaidDisk = md.SlotNone
	}
}
