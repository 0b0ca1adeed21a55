package array

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/live"
)

// fail declares a member failed. One that the array cannot do without is
// refused before the kernel hears of it: kernels differ in whether they fail it
// all the same (Linux 6.1 does for raid4, 5, 6 and 10, and answers EBUSY after
// the deed).
func (m *manager) fail(ctx context.Context, t *target) (bool, error) {
	if !m.Force && m.needs(t) {
		m.Report.say(Always, "set device faulty failed for %s:  %s", t.Name, errnoText(ErrLastMember))
		m.Report.extra(Always, "%s cannot go on without it; --force fails it all the same", m.Array)
		return false, &Said{ErrLastMember}
	}
	step := m.ioctlStep("SET_DISK_FAULTY", t.number(), func() error { return m.dev.SetDiskFaulty(t.major, t.minor) })
	if t.detached != "" {
		step = m.attrStep(t.detached, "state", "faulty")
	}
	log := live.ListenToKernel()
	defer log.Close()
	if err := m.apply(ctx, step); err != nil {
		m.Report.say(Always, "set device faulty failed for %s:  %s", t.Name, errnoText(err))
		m.Report.kernelSaid(log, m.live.Name)
		return false, &Said{failError(err)}
	}
	m.live.markFailed(t)
	m.Report.say(Normal, "set %s faulty in %s", t.Name, m.Array)
	return true, nil
}

// failError keeps the class of a refused SET_DISK_FAULTY.
func failError(err error) error {
	if errors.Is(err, unix.EBUSY) {
		return errors.Join(ErrLastMember, err)
	}
	return err
}

// needs reports whether the array cannot go on without the target.
func (m *manager) needs(t *target) bool {
	if t.detached == "" {
		return m.live.lastOf(t.major, t.minor)
	}
	slot, err := t.detached.ReadUint("slot")
	if err != nil {
		return false // a spare, or on its way out
	}
	for i := range m.live.Disks {
		if d := &m.live.Disks[i]; d.RaidDisk == int32(slot) {
			return m.live.lastOf(uint32(d.Major), uint32(d.Minor))
		}
	}
	return false
}

// markFailed notes in the description what failing does, for dry runs.
func (l *liveArray) markFailed(t *target) {
	if d, ok := l.disk(t.major, t.minor); ok {
		d.State |= mdctl.DiskFaulty
		d.State &^= mdctl.DiskSync | mdctl.DiskActive
		d.RaidDisk = slotNone
	}
}
