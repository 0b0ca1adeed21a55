package array

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/live"
)

// maxSize0 is how much of a device metadata 0.90 can use, in bytes: its sizes
// are 32 bits of KiB.
const maxSize0 = 4 << 40

// add puts a device into the array: back where it was, if the verb allows that
// and the kernel agrees, else as a spare, if the verb allows that.
func (m *manager) add(ctx context.Context, t *target) (bool, error) {
	if done, err := m.reAddByAttr(ctx, t); done || err != nil {
		return false, err // mdadm does not count it
	}
	if t.Verb == verbReAddFaulty {
		// What it was is in its superblock; whether it can be removed shows
		// when it is added.
		_ = m.apply(ctx, m.ioctlStep("HOT_REMOVE_DISK", t.number(), func() error { return m.hotRemove(t) }))
		m.live.drop(t)
	}
	if name, err := kernelNameOf(t.major, t.minor); err == nil && name == m.live.Name {
		// mdadm 4.2 and the kernel make it a member of itself, and it can
		// never be stopped again.
		if t.Verb == verbReAddMissing {
			m.Report.say(Chatty, "--re-add for %s to %s is not possible", t.Name, m.Array)
			return false, nil
		}
		m.Report.say(Always, "Cannot open %s: %s", t.Name, errnoText(unix.EBUSY))
		m.Report.extra(Always, "it is the array itself")
		return false, &Said{unix.EBUSY}
	}
	if err := m.unclaimed(t); err != nil {
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		m.Report.say(Always, "Cannot open %s: %s", t.Name, errnoText(err))
		m.Report.holders(Always, t.Name, err)
		return false, &Said{err}
	}
	d, err := openDevice(t.Name, block.ForReading)
	if err != nil {
		m.Report.say(Always, "Cannot open %s: %s", t.Name, errnoText(err))
		return false, &Said{err}
	}
	defer d.Close()
	if err := m.refuseExternal(t, d); err != nil {
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		return false, err
	}
	m.freeze(ctx)
	if m.live.Info.NotPersistent != 0 || !m.live.HasFormat {
		return m.addBare(ctx, t, d)
	}
	return m.addMember(ctx, t, d)
}

// unclaimed fails if something holds the device. In a dry run the array itself
// may: an earlier step will have let go of it.
func (m *manager) unclaimed(t *target) error {
	err := claimDevice(t.Name)
	if err != nil && m.DryRun {
		if _, member := m.live.disk(t.major, t.minor); !member {
			if name, nameErr := kernelNameOf(t.major, t.minor); nameErr == nil {
				if _, dirErr := m.live.memberDir(name).Read("state"); dirErr == nil {
					return nil
				}
			}
		}
	}
	return err
}

// addMember adds a device to an array with metadata.
func (m *manager) addMember(ctx context.Context, t *target, d *device) (bool, error) {
	if m.live.Version == md.V090 && d.Size() > maxSize0 && !m.oversized(t) {
		return false, errDeclined
	}
	s := readSample(m.live)
	if s == nil && (t.Verb == VerbAdd || t.Verb == VerbAddSpare) {
		m.Report.say(Always, "cannot load array metadata from %s", m.Array)
		return false, errDeclined
	}
	if s != nil && s.room(d.Size()) < int64(m.live.Size) {
		if t.Verb == verbReAddMissing {
			return false, nil
		}
		m.Report.say(Always, "%s not large enough to join array", t.Name)
		m.Report.extra(Chatty, "it has room for %d sectors beside the metadata, the array uses %d of each member",
			max(s.room(d.Size()), 0), m.live.Size)
		return false, errDeclined
	}
	if t.Verb != VerbAddSpare {
		if back, err := m.reAdd(ctx, t, d, s); back || err != nil {
			return back, err
		}
	}
	switch {
	case t.Verb == verbReAddMissing:
		m.Report.say(Chatty, "--re-add for %s to %s is not possible", t.Name, m.Array)
		return false, nil
	case t.Verb == VerbReAdd:
		m.Report.say(Always, "--re-add for %s to %s is not possible", t.Name, m.Array)
		return false, errDeclined
	case s == nil:
		m.Report.say(Always, "cannot load array metadata from %s", m.Array)
		return false, errDeclined
	case m.hasFailed():
		m.Report.say(Always, "%s has failed so using --add cannot work and might destroy", m.Array)
		m.Report.say(Always, "data on %s.  You should stop the array and re-assemble it.", t.Name)
		return false, errDeclined
	}
	return m.addSpare(ctx, t, d, s)
}

// oversized says that most of the device will lie idle, and reports whether it
// may be added all the same.
func (m *manager) oversized(t *target) bool {
	m.Report.say(Always, "%s is larger than %s can effectively use.", t.Name, m.Array)
	if m.Force {
		m.Report.more(Always, "Adding anyway as --force was given.")
	} else {
		m.Report.more(Always, "Add --force is you really want to add this device.")
	}
	return m.Force
}

// hasFailed reports whether the array has lost more members than it can bear:
// a spare would then be filled with what is left, which is not the data.
func (m *manager) hasFailed() bool {
	nobody := func(*mdctl.DiskInfo) bool { return false }
	return m.live.Info.ActiveDisks < m.live.Info.RaidDisks && !m.live.survives(nobody)
}

// addSpare writes metadata to the device and hands it to the kernel. If the
// kernel refuses it, what was there before comes back.
func (m *manager) addSpare(ctx context.Context, t *target, d *device, s *sample) (bool, error) {
	number := m.live.freeNumber(m.live.maxDevs())
	if number >= m.live.maxDevs() {
		m.Report.say(Always, "add new device failed for %s as %d: %s", t.Name, number, errnoText(unix.ENOSPC))
		return false, &Said{unix.ENOSPC}
	}
	disk := mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.major), Minor: int32(t.minor), RaidDisk: slotNone,
		State: flagBits(0, t.Subdev),
	}
	over := block.NewOverlay(d)
	if err := s.prepare(over, newcomer{
		number: number, major: t.major, minor: t.minor,
		writeMostly: t.WriteMostly == On, failFast: t.FailFast == On,
	}); err != nil {
		m.Report.say(Always, "Failed to write metadata to %s", t.Name)
		m.Report.extra(Always, "%v", err)
		return false, &Said{err}
	}
	path := m.pathOf(t)
	steps := []Step{dropPartitions(path)}
	for e := range over.Extents() {
		steps = append(steps, NewWrite(path, "metadata "+m.live.Version.String(), e.Off, e.Data))
	}
	return m.addDisk(ctx, t, append(steps, m.addStep(disk)), number)
}

// addBare adds a device to an array without metadata.
func (m *manager) addBare(ctx context.Context, t *target, d *device) (bool, error) {
	if d.Size()/md.SectorSize < int64(m.live.Size) {
		m.Report.say(Always, "%s not large enough to join array", t.Name)
		return false, errDeclined
	}
	number := m.live.freeNumber(md.Super0Disks)
	disk := mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.major), Minor: int32(t.minor),
		RaidDisk: slotNone, State: flagBits(0, t.Subdev),
	}
	if t.Verb == VerbReAdd {
		if slot, free := m.live.freeSlot(); free {
			disk.RaidDisk = int32(slot)
			disk.State |= mdctl.DiskSync
		}
	}
	return m.addDisk(ctx, t, []Step{dropPartitions(m.pathOf(t)), m.addStep(disk)}, number)
}

// addDisk applies the steps that end in ADD_NEW_DISK.
func (m *manager) addDisk(ctx context.Context, t *target, steps []Step, number int) (bool, error) {
	log := live.ListenToKernel()
	defer log.Close()
	if err := m.apply(ctx, steps...); err != nil {
		m.Report.say(Always, "add new device failed for %s as %d: %s", t.Name, number, errnoText(err))
		m.Report.kernelSaid(log, m.live.Name)
		return false, &Said{err}
	}
	m.live.Disks = append(m.live.Disks, mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.major), Minor: int32(t.minor), RaidDisk: slotNone,
	})
	m.live.Info.NrDisks++
	m.Report.say(Normal, "added %s", t.Name)
	return true, nil
}

// addStep is ADD_NEW_DISK.
func (m *manager) addStep(disk mdctl.DiskInfo) Step {
	value := fmt.Sprintf("%s as %d, slot %d, state %v", devNumber(&disk), disk.Number, disk.RaidDisk, disk.State)
	return m.ioctlStep("ADD_NEW_DISK", value, func() error { return m.dev.AddNewDisk(disk) })
}

// flagBits applies the per-device settings to a state word.
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

// freeSlot gives a slot that nobody has.
func (l *liveArray) freeSlot() (int, bool) {
	used := make(map[int32]bool)
	for i := range l.Disks {
		used[l.Disks[i].RaidDisk] = true
	}
	for slot := range max(l.Info.RaidDisks, 0) {
		if !used[slot] {
			return int(slot), true
		}
	}
	return slotNone, false
}

// pathOf gives a path for a device that may have been named by its number.
func (m *manager) pathOf(t *target) string {
	if _, _, byNumber := parseDevNumber(t.Name); !byNumber {
		return t.Name
	}
	name, err := kernelNameOf(t.major, t.minor)
	if err != nil {
		return t.Name
	}
	return devicePath(t.major, t.minor, name)
}
