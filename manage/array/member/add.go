package member

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// maxSize0 is how much of a device metadata 0.90 can use, in bytes: it counts KiB in 32
// bits.
const maxSize0 = 4 << 40

// add adds a device to the array: in its former slot, if the verb allows that and the
// kernel agrees, else as a spare, if the verb allows that.
func (m *Manager) add(ctx context.Context, t *Target) (bool, error) {
	if done, err := m.reAddByAttr(ctx, t); done || err != nil {
		return false, err // mdadm does not count it
	}
	if t.Verb == verbReAddFaulty {
		// Its superblock says what it was; adding it will show whether it could be
		// removed.
		_ = m.apply(ctx, m.removeStep(t))
		drop(m.Live, t)
	}
	if name, err := live.KernelNameOf(t.Major, t.Minor); err == nil && name == m.Live.Name {
		// mdadm 4.2 and the kernel make the array a member of itself, after which it can
		// never be stopped.
		if t.Verb == verbReAddMissing {
			m.Report.Say(note.Chatty, "member.re-add-for-not-possible", t.Name, m.Array)
			return false, nil
		}
		m.Report.Say(note.Always, "member.cannot-open", t.Name, note.Errno{Err: unix.EBUSY})
		m.Report.Extra(note.Always, "member.it-array-itself")
		return false, &note.Reported{Err: unix.EBUSY}
	}
	if err := m.unclaimed(t); err != nil {
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		m.Report.Say(note.Always, "member.cannot-open", t.Name, note.Errno{Err: err})
		m.Report.Holders(note.Always, t.Name, err)
		return false, &note.Reported{Err: err}
	}
	d, err := device.Open(t.Name, block.ForReading)
	if err != nil {
		m.Report.Say(note.Always, "member.cannot-open", t.Name, note.Errno{Err: err})
		return false, &note.Reported{Err: err}
	}
	defer d.Close()
	if err := m.blocksFit(t, d); err != nil {
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		return false, err
	}
	m.freeze(ctx)
	if m.Live.Info.NotPersistent != 0 || !m.Live.HasFormat {
		return m.addBare(ctx, t, d)
	}
	return m.addMember(ctx, t, d)
}

// unclaimed fails if the device is in use, unless by the array itself, which will have
// released it by then.
func (m *Manager) unclaimed(t *Target) error {
	if m.letGo[devNumber{t.Major, t.Minor}] {
		return nil
	}
	return device.ClaimDevice(t.Name)
}

// addMember adds a device to an array with metadata.
func (m *Manager) addMember(ctx context.Context, t *Target, d *device.Device) (bool, error) {
	if m.Live.Version == md.V090 && d.Size() > maxSize0 && !m.oversized(t) {
		return false, errDeclined
	}
	s := live.ReadSample(m.Live)
	if s == nil && (t.Verb == VerbAdd || t.Verb == VerbAddSpare) {
		m.Report.Say(note.Always, "member.cannot-load-array-metadata", m.Array)
		return false, errDeclined
	}
	if s != nil && s.Room(d.Size()) < int64(m.Live.Size) {
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		m.Report.Say(note.Always, "member.not-large-enough-join-array", t.Name)
		m.Report.Extra(note.Chatty, "member.it-has-room-for-sectors-beside-metadata-array",
			max(s.Room(d.Size()), 0), m.Live.Size)
		return false, errDeclined
	}
	if t.Verb != VerbAddSpare {
		if back, err := m.reAdd(ctx, t, d, s); back || err != nil {
			return back, err
		}
	}
	switch {
	case t.Verb == verbReAddMissing:
		m.Report.Say(note.Chatty, "member.re-add-for-not-possible", t.Name, m.Array)
		return false, nil
	case t.Verb == VerbReAdd:
		m.Report.Say(note.Always, "member.re-add-for-not-possible", t.Name, m.Array)
		return false, errDeclined
	case s == nil:
		m.Report.Say(note.Always, "member.cannot-load-array-metadata", m.Array)
		return false, errDeclined
	case m.hasFailed():
		m.Report.Say(note.Always, "member.has-failed-so-using-add-cannot-work", m.Array)
		m.Report.Say(note.Always, "member.data-on-you-should-stop-array-and-re", t.Name)
		return false, errDeclined
	}
	return m.addSpare(ctx, t, d, s)
}

// oversized reports that most of the device will not be used, and returns whether it may
// be added nevertheless.
func (m *Manager) oversized(t *Target) bool {
	m.Report.Say(note.Always, "member.larger-than-can-effectively-use", t.Name, m.Array)
	if m.Force {
		m.Report.More(note.Always, "member.adding-anyway-as-force-was-given")
	} else {
		m.Report.More(note.Always, "member.add-force-you-really-want-add-this-device")
	}
	return m.Force
}

// hasFailed reports whether the array has lost more members than its redundancy allows:
// a spare would then be filled with wrong data.
func (m *Manager) hasFailed() bool {
	nobody := func(*mdctl.DiskInfo) bool { return false }
	return m.Live.Info.ActiveDisks < m.Live.Info.RaidDisks && !m.Live.Survives(nobody)
}

// addSpare writes metadata to the device and hands it to the kernel. If the kernel
// refuses it, the previous contents are restored.
func (m *Manager) addSpare(ctx context.Context, t *Target, d *device.Device, s *fresh.Sample) (bool, error) {
	if err := m.mayOverwrite(t, d, s); err != nil {
		return false, err
	}
	number := m.Live.FreeNumber(m.Live.MaxDevs())
	if number >= m.Live.MaxDevs() {
		m.Report.Say(note.Always, "member.add-new-device-failed", t.Name, number, note.Errno{Err: unix.ENOSPC})
		return false, &note.Reported{Err: unix.ENOSPC}
	}
	disk := mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.Major), Minor: int32(t.Minor), RaidDisk: md.SlotNone,
		State: flagBits(m.shareState(), t.Subdev),
	}
	over := block.NewOverlay(d)
	if err := s.Prepare(over, fresh.NewSpare{
		Number: number, Major: t.Major, Minor: t.Minor,
		WriteMostly: t.WriteMostly == On, FailFast: t.FailFast == On,
	}); err != nil {
		m.Report.Say(note.Always, "member.failed-write-metadata", t.Name)
		m.Report.Extra(note.Always, note.Reason, err)
		return false, &note.Reported{Err: err}
	}
	path := m.pathOf(t)
	steps := []plan.Step{device.DropPartitions(path)}
	for e := range over.Extents() {
		steps = append(steps, plan.NewWrite(path, "metadata "+m.Live.Version.String(), e.Off, e.Data))
	}
	add := plan.Foreseen(m.addStep(disk), func() error { return m.Live.ForeseeMember(t.Major, t.Minor, over) })
	return m.addDisk(ctx, t, append(steps, add), number)
}

// addBare adds a device to an array without metadata.
func (m *Manager) addBare(ctx context.Context, t *Target, d *device.Device) (bool, error) {
	if d.Size()/md.SectorSize < int64(m.Live.Size) {
		m.Report.Say(note.Always, "member.not-large-enough-join-array", t.Name)
		return false, errDeclined
	}
	if err := m.mayOverwrite(t, d, nil); err != nil {
		return false, err
	}
	number := m.Live.FreeNumber(md.Super0Disks)
	disk := mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.Major), Minor: int32(t.Minor),
		RaidDisk: md.SlotNone, State: flagBits(0, t.Subdev),
	}
	return m.addDisk(ctx, t, []plan.Step{device.DropPartitions(m.pathOf(t)), m.addStep(disk)}, number)
}

// addDisk applies steps of which the last is ADD_NEW_DISK.
func (m *Manager) addDisk(ctx context.Context, t *Target, steps []plan.Step, number int) (bool, error) {
	log := note.ListenToKernel()
	defer log.Close()
	defer m.keepOthersOut(ctx)()
	if err := m.apply(ctx, steps...); err != nil {
		m.Report.Say(note.Always, "member.add-new-device-failed", t.Name, number, note.Errno{Err: err})
		if m.clustered() && errors.Is(err, unix.ENOENT) {
			m.Report.Extra(note.Always, "member.another-node-does-not-see-it", t.Name)
		}
		m.Report.KernelSaid(log, m.Live.Name)
		return false, &note.Reported{Err: err}
	}
	m.Live.Disks = append(m.Live.Disks, mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.Major), Minor: int32(t.Minor), RaidDisk: md.SlotNone,
	})
	m.Live.Info.NrDisks++
	m.Report.Say(note.Normal, "member.added", t.Name)
	return true, nil
}

// keepOthersOut locks the map of arrays until release is called. When a superblock has
// been written, udev has mdadm --incremental put the device into the array, which
// ADD_NEW_DISK then finds busy; that command takes the lock first. A dry run does not lock
// it.
func (m *Manager) keepOthersOut(ctx context.Context) (release func()) {
	release = func() {}
	err := m.Runner.Do(ctx, plan.AsideStep(func(context.Context) (err error) {
		_, unlock, err := node.Map{}.Lock()
		if err == nil {
			release = unlock
		}
		return err
	}))
	if err != nil {
		m.Report.Say(note.Always, "member.failed-get-exclusive-lock-on-mapfile", err)
	}
	return release
}

// addStep returns the ADD_NEW_DISK step.
func (m *Manager) addStep(disk mdctl.DiskInfo) plan.Step {
	value := fmt.Sprintf("%s as %d, slot %d, state %v", live.DevNumber(&disk), disk.Number, disk.RaidDisk, disk.State)
	return m.ioctlStep("ADD_NEW_DISK", value, func() error { return m.Dev.AddNewDisk(disk) })
}

// flagBits applies the per-device settings to a state.
func flagBits(state mdctl.DiskState, s Subdev) mdctl.DiskState {
	for _, f := range []struct {
		set Setting
		bit mdctl.DiskState
	}{{s.WriteMostly, mdctl.DiskWriteMostly}, {s.FailFast, mdctl.DiskFailFast}} {
		switch f.set {
		case On:
			state |= f.bit
		case Off:
			state &^= f.bit
		}
	}
	return state
}

// pathOf returns a path for a device that may have been named by its number.
func (m *Manager) pathOf(t *Target) string {
	if _, _, byNumber := device.ParseDevNumber(t.Name); !byNumber {
		return t.Name
	}
	name, err := live.KernelNameOf(t.Major, t.Minor)
	if err != nil {
		return t.Name
	}
	return device.DevicePath(t.Major, t.Minor, name)
}
