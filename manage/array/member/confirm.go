package member

import (
	"context"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// clustered reports whether nodes share the array.
func (m *Manager) clustered() bool { return m.Live.Info.State&mdctl.ArrayClustered != 0 }

// shareState is what the state of a device that is added has on top if nodes share the
// array: the kernel asks the others whether they see it too (md-cluster.c, add_new_disk).
func (m *Manager) shareState() mdctl.DiskState {
	if m.clustered() {
		return mdctl.DiskClusterAdd
	}
	return 0
}

// confirm answers the node that adds a device. "SLOT:DEVICE" says that this node sees it
// too, "SLOT:missing" that it does not; the kernel has told udev the slot and the device's
// uuid. Nothing is written to the device: the node that adds it has done that. mdadm 4.2
// writes its own superblock over it.
func (m *Manager) confirm(ctx context.Context, dv Subdev) (bool, error) {
	slot, name, ok := strings.Cut(dv.Name, ":")
	number, err := strconv.ParseUint(slot, 10, 31)
	switch {
	case err != nil || !ok || name == "":
		m.Report.Say(note.Always, "member.no-devname-of-cluster")
		return false, errDeclined
	case !m.clustered():
		m.Report.Say(note.Always, "member.not-shared-by-cluster", m.Array)
		return false, errDeclined
	case name == "missing":
		return m.answer(ctx, m.ioctlStep("CLUSTERED_DISK_NACK", "", m.Dev.ClusteredDiskNack), name)
	}
	dv.Name = name
	t, err := m.find(dv)
	if err != nil || t == nil {
		return false, err
	}
	return m.answer(ctx, m.addStep(mdctl.DiskInfo{
		Number: int32(number), Major: int32(t.Major), Minor: int32(t.Minor),
		RaidDisk: md.SlotNone, State: mdctl.DiskCandidate,
	}), name)
}

// confirmed counts a device that was confirmed.
func (m *Manager) confirmed(ctx context.Context, dv Subdev) error {
	done, err := m.confirm(ctx, dv)
	if done {
		m.Result.Changed++
	}
	return err
}

// answer sends the answer.
func (m *Manager) answer(ctx context.Context, step plan.Step, name string) (bool, error) {
	log := note.ListenToKernel()
	defer log.Close()
	if err := m.apply(ctx, step); err != nil {
		m.Report.Say(note.Always, "member.cluster-confirm-failed", name, note.Errno{Err: err})
		m.Report.Extra(note.Always, "member.nobody-waits-for-it", m.Live.Name)
		m.Report.KernelSaid(log, m.Live.Name)
		return false, &note.Reported{Err: err}
	}
	return true, nil
}
