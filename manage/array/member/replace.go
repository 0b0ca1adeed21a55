package member

import (
	"context"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// replace asks the kernel to copy a member to a spare and then to fail the member.
func (m *Manager) replace(ctx context.Context, t *Target) (bool, error) {
	m.freeze(ctx)
	there, d := m.memberOf(t)
	switch {
	case d == nil:
		m.Report.Say(note.Always, "member.not-found-so-cannot-replace", t.Name, m.Array)
		return false, errDeclined
	case d.RaidDisk < 0:
		m.Report.Say(note.Always, "member.not-active-and-so-cannot-be-replaced", t.Name)
		return false, errDeclined
	}
	if err := m.apply(ctx, plan.NewSetting(there.CommandTo(sysmd.WantReplacement), nil)); err != nil {
		m.Report.Say(note.Always, "member.failed-request-replacement", t.Name)
		m.Report.Extra(note.Always, note.Reason, err)
		return false, &note.Reported{Err: err}
	}
	m.Report.Say(note.Normal, "member.marked-device-for-replacement", t.Name, d.RaidDisk, m.Array)
	for i := range m.queue {
		if w := &m.queue[i]; w.Verb == VerbWith {
			w.Verb, w.slot = verbWithPaired, int(d.RaidDisk)
			break
		}
	}
	return true, nil
}

// replaceWith chooses the spare for a replacement.
func (m *Manager) replaceWith(ctx context.Context, t *Target) error {
	there, d := m.memberOf(t)
	switch {
	case d == nil:
		m.Report.Say(note.Always, "member.not-found-so-cannot-make-it-preferred-replacement", t.Name, m.Array)
		return errDeclined
	case d.State&mdctl.DiskFaulty != 0:
		m.Report.Say(note.Always, "member.faulty-and-cannot-be-replacement", t.Name)
		return errDeclined
	case d.RaidDisk >= 0:
		m.Report.Say(note.Always, "member.active-and-cannot-be-replacement", t.Name)
		return errDeclined
	}
	if err := m.apply(ctx, plan.NewSetting(there.SlotTo(sysmd.Slot(t.slot)), nil)); err != nil {
		m.Report.Say(note.Always, "member.failed-set-as-preferred-replacement", t.Name)
		m.Report.Extra(note.Always, note.Reason, err)
		return &note.Reported{Err: err}
	}
	m.Report.Say(note.Normal, "member.marked-as-replacement-for-device", t.Name, m.Array, t.slot)
	return nil
}

// memberOf returns the sysfs member and the description of a target, with the slot from
// sysfs; nil if the target is not a member.
func (m *Manager) memberOf(t *Target) (*sysmd.Member, *mdctl.DiskInfo) {
	d, ok := m.Live.Disk(t.Major, t.Minor)
	if !ok {
		return nil, nil
	}
	name, err := live.KernelNameOf(t.Major, t.Minor)
	if err != nil {
		return nil, nil
	}
	there := m.Live.Sysfs.MemberAt(name)
	found := *d
	found.RaidDisk = md.SlotNone
	if slot, err := there.Slot(); err == nil && slot >= 0 {
		found.RaidDisk = int32(slot)
	}
	return there, &found
}
