package member

import (
	"context"
	"strconv"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/sysfs"
)

// replace asks the kernel to copy a member to a spare and then to fail it.
func (m *Manager) replace(ctx context.Context, t *Target) (bool, error) {
	m.freeze(ctx)
	dir, d := m.memberOf(t)
	switch {
	case d == nil:
		m.Report.Say(note.Always, "%s not found in %s so cannot --replace it", t.Name, m.Array)
		return false, errDeclined
	case d.RaidDisk < 0:
		m.Report.Say(note.Always, "%s is not active and so cannot be replaced.", t.Name)
		return false, errDeclined
	}
	if err := m.apply(ctx, m.attrStep(dir, "state", "want_replacement")); err != nil {
		m.Report.Say(note.Always, "Failed to request replacement for %s", t.Name)
		m.Report.Extra(note.Always, "%v", err)
		return false, &note.Said{Err: err}
	}
	m.Report.Say(note.Normal, "Marked %s (device %d in %s) for replacement", t.Name, d.RaidDisk, m.Array)
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
	dir, d := m.memberOf(t)
	switch {
	case d == nil:
		m.Report.Say(note.Always, "%s not found in %s so cannot make it preferred replacement", t.Name, m.Array)
		return errDeclined
	case d.State&mdctl.DiskFaulty != 0:
		m.Report.Say(note.Always, "%s is faulty and cannot be a replacement", t.Name)
		return errDeclined
	case d.RaidDisk >= 0:
		m.Report.Say(note.Always, "%s is active and cannot be a replacement", t.Name)
		return errDeclined
	}
	if err := m.apply(ctx, m.attrStep(dir, "slot", strconv.Itoa(t.slot))); err != nil {
		m.Report.Say(note.Always, "Failed to set %s as preferred replacement.", t.Name)
		m.Report.Extra(note.Always, "%v", err)
		return &note.Said{Err: err}
	}
	m.Report.Say(note.Normal, "Marked %s in %s as replacement for device %d", t.Name, m.Array, t.slot)
	return nil
}

// memberOf finds the attributes and the description of a member, with its slot
// as sysfs has it; nil if the target is none.
func (m *Manager) memberOf(t *Target) (sysfs.Dir, *mdctl.DiskInfo) {
	d, ok := m.Live.Disk(t.Major, t.Minor)
	if !ok {
		return "", nil
	}
	name, err := live.KernelNameOf(t.Major, t.Minor)
	if err != nil {
		return "", nil
	}
	dir := m.Live.MemberDir(name)
	found := *d
	found.RaidDisk = md.SlotNone
	if slot, err := dir.ReadUint("slot"); err == nil {
		found.RaidDisk = int32(slot)
	}
	return dir, &found
}
