package report

import (
	"slices"
	"testing"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

func disk(number, slot int32, state mdctl.DiskState) Disk {
	return Disk{Alive: true, DiskInfo: mdctl.DiskInfo{Number: number, Major: 8, Minor: number + 1, RaidDisk: slot, State: state}}
}

// TestRows: a slot with two devices has a row for its replacement; journals and spares
// follow all slots, and an empty slot has a row too.
func TestRows(t *testing.T) {
	const up = mdctl.DiskActive | mdctl.DiskSync
	d := &Detail{
		State: "clean", Info: mdctl.ArrayInfo{Level: 5, RaidDisks: 3},
		Disks: []Disk{disk(0, 0, up), disk(1, 2, up), disk(3, 0, 0), disk(4, -1, 0), disk(5, 0, mdctl.DiskJournal)},
	}
	slots, others := d.Rows()
	if len(slots) != 3 || slots[0][0].Number != 0 || slots[0][1].Number != 3 || slots[2][0].Number != 1 || !slots[2][1].Empty() {
		t.Errorf("slots: %v", slots)
	}
	if hole := slots[1][0]; !hole.Empty() || hole.State != mdctl.DiskRemoved || hole.RaidDisk != 1 || hole.Number != -1 {
		t.Errorf("hole: %v", hole)
	}
	if len(others) != 2 || others[0].Number != 4 || others[1].Number != 5 {
		t.Errorf("others: %v", others)
	}
	if got, want := d.Available(), []bool{true, false, true}; !slices.Equal(got, want) {
		t.Errorf("available: %v, want %v", got, want)
	}
	if !d.Enough() {
		t.Error("two of three are enough for a raid5")
	}
	d.Disks[1].Alive = false
	if d.Enough() {
		t.Error("a device that is gone still counts")
	}
}

// TestRowsOfInactive: in arrays that are not running all devices are others, whatever
// their slots.
func TestRowsOfInactive(t *testing.T) {
	d := &Detail{State: "inactive", Members: []Bound{
		{Name: "dev-sda", Number: sysblock.Num{Major: 8}, Slot: 1, State: []string{"in_sync"}},
		{Name: "dev-sdb", Number: sysblock.Num{Major: 8, Minor: 16}, Slot: -1, State: []string{"spare"}},
	}}
	slots, others := d.Rows()
	if len(slots) != 0 || len(others) != 2 || others[0].State != mdctl.DiskSync || others[1].State != 0 || others[1].RaidDisk != -1 {
		t.Errorf("rows: %v %v", slots, others)
	}
	if info := d.infoFromSysfs(); info.NrDisks != 2 || info.ActiveDisks != 1 || info.SpareDisks != 1 || info.WorkingDisks != 2 {
		t.Errorf("counts: %+v", info)
	}
}

// TestOldestFirst: an array comes after the arrays that it is built on, even if the
// kernel lists it first.
func TestOldestFirst(t *testing.T) {
	stat := []sysmd.MdstatArray{
		{Name: "md0"},
		{Name: "md5", Members: []sysmd.MdstatMember{{Name: "md0"}, {Name: "sda"}}},
		{Name: "md1"},
	}
	var names []string
	for _, a := range oldestFirst(stat) {
		names = append(names, a.Name)
	}
	if want := []string{"md1", "md0", "md5"}; !slices.Equal(names, want) {
		t.Errorf("order %v, want %v", names, want)
	}
}
