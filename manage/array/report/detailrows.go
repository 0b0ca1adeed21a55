package report

import (
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// Row is a line in the table of an array's devices. For a slot without a device, the row
// has the number -1, the device 0:0 and the state DiskRemoved.
type Row struct{ Disk }

// Empty reports whether the row has no device.
func (r Row) Empty() bool { return r.Major == 0 && r.Minor == 0 }

// Rows sorts an array's devices into mdadm's table (Detail.c): two rows for each slot,
// the second for a replacement, followed by all others. In an array that is not set up,
// all are others.
func (d *Detail) Rows() (slots [][2]Row, others []Row) {
	if d.Inactive() {
		for _, b := range d.Members {
			others = append(others, Row{Disk{Alive: true, DiskInfo: mdctl.DiskInfo{
				Number: -1, Major: int32(b.Number.Major), Minor: int32(b.Number.Minor),
				RaidDisk: int32(b.Slot), State: b.diskState(),
			}}})
		}
	}
	slots = make([][2]Row, max(0, d.Info.RaidDisks))
	for i := range slots {
		removed := Row{Disk{DiskInfo: mdctl.DiskInfo{Number: -1, RaidDisk: int32(i), State: mdctl.DiskRemoved}}}
		slots[i] = [2]Row{removed, removed}
	}
	if d.Inactive() {
		return slots, others
	}
	for _, disk := range d.Disks {
		row := Row{disk}
		inSlot := disk.RaidDisk >= 0 && int(disk.RaidDisk) < len(slots) && disk.State&mdctl.DiskJournal == 0
		switch {
		case inSlot && slots[disk.RaidDisk][0].State == mdctl.DiskRemoved:
			slots[disk.RaidDisk][0] = row
		case inSlot && slots[disk.RaidDisk][1].State == mdctl.DiskRemoved:
			slots[disk.RaidDisk][1] = row
		default:
			others = append(others, row)
		}
	}
	return slots, others
}

// diskState converts a member's flags in sysfs to the driver's state, with the two bits
// that mdadm sets.
func (b *Bound) diskState() mdctl.DiskState {
	switch {
	case b.Is("faulty"):
		return mdctl.DiskFaulty
	case b.Is("in_sync"):
		return mdctl.DiskSync
	}
	return 0
}

// Available says for each slot whether it, or its replacement, has a device that is
// present and in sync.
func (d *Detail) Available() []bool {
	slots, _ := d.Rows()
	avail := make([]bool, len(slots))
	for i, rows := range slots {
		for _, r := range rows {
			avail[i] = avail[i] || r.Alive && r.State&mdctl.DiskSync != 0
		}
	}
	return avail
}

// Enough reports whether the available devices are enough to run the array.
func (d *Detail) Enough() bool {
	level := md.Level(d.Info.Level)
	avail := d.Available()
	if len(avail) == 0 {
		// For an array that is not set up, mdadm asks about level 0, and needs all of 0
		// devices.
		return level == md.LevelRAID0 || level == md.LevelLinear
	}
	return md.Enough(level, len(avail), d.Info.Layout, true, avail)
}
