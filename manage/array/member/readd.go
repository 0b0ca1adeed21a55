package member

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// reAddByAttr asks the kernel to take back a failed member that it still knows. It
// reports whether the kernel did so.
func (m *Manager) reAddByAttr(ctx context.Context, t *Target) (bool, error) {
	if t.Verb != VerbReAdd && t.Verb != verbReAddFaulty {
		return false, nil
	}
	name, err := live.KernelNameOf(t.Major, t.Minor)
	if err != nil {
		return false, nil
	}
	d, member := m.Live.Disk(t.Major, t.Minor)
	if !member {
		return false, nil // the kernel does not know it
	}
	step := plan.Foreseen(plan.NewSetting(m.Live.Sysfs.MemberAt(name).CommandTo(sysmd.ReAdd), nil), func() error {
		if d.State&mdctl.DiskFaulty == 0 || d.RaidDisk >= 0 {
			return unix.EINVAL
		}
		return nil
	})
	if m.try(ctx, step) != nil {
		return false, nil // reAdd is tried next
	}
	m.Report.Say(note.Always, "member.re-add-succeed", t.Name, m.Live.Name)
	return true, nil
}

// reAdd puts a former member back in the slot that its superblock gives, if the kernel
// finds that it missed nothing, or nothing that is not in the bitmap. It reports whether
// the kernel did so.
func (m *Manager) reAdd(ctx context.Context, t *Target, d *device.Device, s *fresh.Sample) (bool, error) {
	if m.clustered() {
		// The kernel brings back what this node's bitmap says, and not what other nodes have
		// written in the meantime (md.c, md_add_new_disk; only re-add by sysfs asks them,
		// md-cluster.c, gather_bitmaps).
		if t.Verb == VerbReAdd {
			m.Report.Extra(note.Always, "member.re-add-of-cluster", t.Name)
		}
		return false, nil
	}
	old, bad := md.LoadSuper(d, m.Live.Version)
	if bad != nil || isShared(d, old) {
		return false, nil
	}
	was, number := old.State(), int(old.DevNumber())
	if !was.Active || was.Faulty || s != nil && s.Member.UUID() != old.UUID() || m.Live.Taken(number) {
		return false, nil
	}
	disk := mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.Major), Minor: int32(t.Minor), RaidDisk: int32(old.Slot()),
		State: flagBits(mdctl.DiskState(md.DiskBits0(was))|m.shareState(), t.Subdev),
	}
	path := m.pathOf(t)
	steps := []plan.Step{device.DropPartitions(path)}
	if t.WriteMostly != Keep || t.FailFast != Keep {
		edit := md.EditSuper(old)
		setFlags(edit, t.Subdev)
		steps = append(steps, plan.NewWrite(path, "superblock "+old.Version.String(), old.Offset, edit.Bytes()))
	}
	steps = append(steps, plan.Foreseen(m.addStep(disk), func() error {
		if !m.mayReturn(old, s) {
			return unix.EINVAL
		}
		return m.Live.ForeseeMember(t.Major, t.Minor, d)
	}))
	log := note.ListenToKernel()
	defer log.Close()
	defer m.keepOthersOut(ctx)()
	err := m.try(ctx, steps...)
	switch {
	case err == nil:
		m.Live.Disks = append(m.Live.Disks, disk)
		m.Report.Say(note.Normal, "member.re-added", t.Name)
		return true, nil
	case errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EROFS):
		m.Report.Say(note.Always, "member.add-new-device-failed-2", t.Name, note.Errno{Err: err})
		m.Report.KernelSaid(log, m.Live.Name)
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		return false, &note.Reported{Err: err}
	}
	return false, nil
}

// mayReturn predicts the kernel's answer for a dry run (md.c, super_1_validate and
// super_90_validate): the member must have missed nothing, or only what is in the
// bitmap.
func (m *Manager) mayReturn(old *md.Member, s *fresh.Sample) bool {
	switch {
	case s == nil:
		return true
	case old.Events() >= s.Member.Events():
		return true
	case s.Bitmap == nil:
		return false
	}
	return old.Events() >= s.Bitmap.EventsCleared
}

// setFlags applies per-device settings to a superblock.
func setFlags(s md.SuperEdit, sd Subdev) {
	if s.V1 != nil {
		for _, f := range []struct {
			set Setting
			bit md.DevFlags
		}{{sd.WriteMostly, md.DevWriteMostly}, {sd.FailFast, md.DevFailFast}} {
			switch f.set {
			case On:
				s.V1.DevFlags |= f.bit
			case Off:
				s.V1.DevFlags &^= f.bit
			}
		}
		return
	}
	// mdadm 4.2 sets these bits in the state of the array instead, where they have no
	// meaning (super0.c, update_super0).
	d := &s.V0.ThisDisk
	d.State = md.DiskState(flagBits(mdctl.DiskState(d.State), sd))
	if int(d.Number) < len(s.V0.Disks) {
		s.V0.Disks[d.Number].State = d.State
	}
}
