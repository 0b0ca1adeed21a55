package array

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/live"
)

// reAddByAttr asks the kernel to take back a failed member that it still
// knows. It reports whether the kernel did.
func (m *manager) reAddByAttr(ctx context.Context, t *target) (bool, error) {
	if t.Verb != VerbReAdd && t.Verb != verbReAddFaulty {
		return false, nil
	}
	name, err := kernelNameOf(t.major, t.minor)
	if err != nil {
		return false, nil
	}
	d, member := m.live.disk(t.major, t.minor)
	if !member {
		return false, nil // the kernel has no folder for it
	}
	if m.DryRun && (d.State&mdctl.DiskFaulty == 0 || d.RaidDisk >= 0) {
		return false, nil
	}
	if m.apply(ctx, m.attrStep(m.live.memberDir(name), "state", "re-add")) != nil {
		return false, nil // there is another way
	}
	m.Report.say(Always, "re-add %s to %s succeed", t.Name, m.live.Name)
	return true, nil
}

// reAdd puts a former member back where its superblock says it was, if the
// kernel finds that all it missed is in the bitmap, or that it missed nothing.
// It reports whether that was so.
func (m *manager) reAdd(ctx context.Context, t *target, d *device, s *sample) (bool, error) {
	old, bad := loadSuper(d, m.live.Version)
	if bad != nil {
		return false, nil
	}
	was := infoOf(old)
	if !was.State.Active || was.State.Faulty || s != nil && s.member.UUID() != was.UUID || m.live.taken(was.Number) {
		return false, nil
	}
	if m.DryRun && !m.mayReturn(old, s) {
		return false, nil
	}
	disk := mdctl.DiskInfo{
		Number: int32(was.Number), Major: int32(t.major), Minor: int32(t.minor), RaidDisk: int32(was.Slot),
		State: flagBits(mdctl.DiskState(diskState0(was.State)), t.Subdev),
	}
	path := m.pathOf(t)
	steps := []Step{dropPartitions(path)}
	if t.WriteMostly != Keep || t.FailFast != Keep {
		edit := copySuper(old)
		edit.setFlags(t.Subdev)
		steps = append(steps, NewWrite(path, "superblock "+old.Version.String(), old.Offset, edit.bytes()))
	}
	log := live.ListenToKernel()
	defer log.Close()
	err := m.apply(ctx, append(steps, m.addStep(disk))...)
	switch {
	case err == nil:
		m.live.Disks = append(m.live.Disks, disk)
		m.Report.say(Normal, "re-added %s", t.Name)
		return true, nil
	case errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EROFS):
		m.Report.say(Always, "add new device failed for %s: %s", t.Name, errnoText(err))
		m.Report.kernelSaid(log, m.live.Name)
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		return false, &Said{err}
	}
	return false, nil
}

// taken reports whether a member has the number.
func (l *liveArray) taken(number int) bool {
	for i := range l.Disks {
		if int(l.Disks[i].Number) == number {
			return true
		}
	}
	return false
}

// mayReturn foretells the kernel's answer for a dry run (md.c,
// super_1_validate and super_90_validate): the member must have missed
// nothing, or nothing that the bitmap does not remember.
func (m *manager) mayReturn(old *md.Member, s *sample) bool {
	switch {
	case s == nil:
		return true
	case old.Events() >= s.member.Events():
		return true
	case s.bitmap == nil:
		return false
	}
	return old.Events() >= s.bitmap.EventsCleared
}

// setFlags applies per-device settings to a superblock.
func (s super) setFlags(sd Subdev) {
	if s.v1 != nil {
		for _, f := range []struct {
			set Setting
			bit md.DevFlags
		}{{sd.WriteMostly, md.DevWriteMostly}, {sd.FailFast, md.DevFailFast}} {
			switch f.set {
			case On:
				s.v1.DevFlags |= f.bit
			case Off:
				s.v1.DevFlags &^= f.bit
			}
		}
		return
	}
	// mdadm 4.2 sets these bits in the state of the array instead, where they
	// mean nothing (super0.c, update_super0).
	d := &s.v0.ThisDisk
	d.State = md.DiskState(flagBits(mdctl.DiskState(d.State), sd))
	if int(d.Number) < len(s.v0.Disks) {
		s.v0.Disks[d.Number].State = d.State
	}
}
