package reshape

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// addLinear extends a linear array, device by device (Grow.c, Grow_Add_device).
func (g *Grower) addLinear(ctx context.Context) error {
	for _, dv := range g.Devices {
		if err := g.addLinearOne(ctx, dv.Name); err != nil {
			return err
		}
	}
	return nil
}

func (g *Grower) addLinearOne(ctx context.Context, name string) error {
	l := g.live
	if md.Level(l.Info.Level) != md.LevelLinear {
		return g.refuse("reshape.can-only-add-devices-linear-arrays")
	}
	if !l.HasFormat {
		return g.refuse("reshape.cannot-handle-arrays-with-superblock-version", l.Info.MajorVersion)
	}
	if err := device.ClaimDevice(name); err != nil {
		g.Report.Say(note.Always, "reshape.cannot-open", name)
		g.Report.Extra(note.Always, "reshape.open", name, note.Errno{Err: err})
		g.Report.Holders(note.Always, name, err)
		return errGrow
	}
	d, err := device.Open(name, block.ForReading)
	if err != nil {
		return g.refuse("reshape.cannot-open", name)
	}
	defer d.Close()
	if !d.IsBlockDevice() {
		return g.refuse("reshape.not-block-device", name)
	}
	members, err := g.linearMembers(int(l.Info.RaidDisks))
	if err != nil {
		return err
	}
	number := len(members)
	grown, err := g.linearNew(members[number-1].super, d, number)
	if err != nil {
		return err
	}
	steps := []plan.Step{device.DropPartitions(name), plan.NewWrite(name, "superblock "+l.Version.String(), grown.Offset, grown.AppendSuper(nil))}
	disk := mdctl.DiskInfo{
		Number: int32(number), RaidDisk: int32(number), Major: int32(d.Major), Minor: int32(d.Minor),
		State: mdctl.DiskSync | mdctl.DiskActive,
	}
	value := fmt.Sprintf("%s as %d, slot %d, state %v", live.DevNumber(&disk), disk.Number, disk.RaidDisk, disk.State)
	steps = append(steps, plan.NewIoctl(g.Array, "ADD_NEW_DISK", value, func() error { return g.dev.AddNewDisk(disk) }, plan.NoUndo))
	if err := g.do(ctx, steps...); err != nil {
		return g.failed(ctx, err, "reshape.cannot-add-new-disk-this-array")
	}
	g.runner.Keep() // now that the array is larger this cannot be undone
	// Its steps are listed as they are done: the superblocks are read again each time.
	return g.do(ctx, plan.Foreseen(plan.AsideStep(func(ctx context.Context) error {
		members, err := g.linearMembers(number + 1)
		if err != nil {
			return err
		}
		return g.linearUpdate(ctx, members)
	}), func() error {
		g.linear = append(members, &linearMember{disk: disk, super: grown})
		return g.linearUpdate(ctx, g.linear)
	}))
}

// linearMember is a member of a linear array.
type linearMember struct {
	disk  mdctl.DiskInfo
	super *md.Member
}

// linearMembers reads the superblocks of the members, of which there must be count.
func (g *Grower) linearMembers(count int) ([]*linearMember, error) {
	if g.linear != nil {
		return g.linear, nil
	}
	var members []*linearMember
	for n := range count {
		disk, err := g.dev.DiskInfo(n)
		if err != nil {
			return nil, g.refuse("reshape.cannot-get-device-detail-for-device", n)
		}
		super, err := g.linearSuper(&disk)
		if err != nil {
			return nil, err
		}
		members = append(members, &linearMember{disk: disk, super: super})
	}
	if len(members) == 0 {
		return nil, g.refuse("reshape.cannot-get-device-detail-for-device", 0)
	}
	return members, nil
}

func (g *Grower) linearSuper(disk *mdctl.DiskInfo) (*md.Member, error) {
	d, err := device.Open(live.DevNumber(disk), block.ForReading)
	if err != nil {
		return nil, g.refuse("reshape.cannot-open-device-file", live.DevNumber(disk))
	}
	defer d.Close()
	m, bad := md.LoadSuper(d, g.live.Version)
	if bad != nil {
		g.Report.Extra(note.Always, note.Reason, bad)
		return nil, g.refuse("reshape.cannot-find-super-block", d.Name())
	}
	return m, nil
}

// linearNew derives the superblock of the new member from that of the last member.
func (g *Grower) linearNew(last *md.Member, d *device.Device, number int) (*md.Member, error) {
	off, ok := last.Version.SuperOffset(d.Size())
	if !ok {
		return nil, g.refuse("reshape.preparing-new-metadata-failed", d.Name())
	}
	grown := *last
	grown.Offset = off
	if last.Super0 != nil {
		grown.Super0 = last.Super0.Clone()
		grown.Super0.Disks[number] = linearDisk0(number, d.Major, d.Minor)
		grown.Super0.ThisDisk = grown.Super0.Disks[number]
		return &grown, nil
	}
	s := last.Super1.Clone()
	for len(s.DevRoles) <= number {
		s.DevRoles = append(s.DevRoles, md.RoleSpare)
	}
	s.DevRoles[number], s.DevNumber = md.Role(number), uint32(number)
	if _, err := rand.Read(s.DeviceUUID[:]); err != nil {
		return nil, err
	}
	sectors := uint64(d.Size() / md.SectorSize)
	end := sectors
	if s.SuperOffset >= s.DataOffset {
		s.SuperOffset = (sectors - 8*2) &^ 7
		end = s.SuperOffset
	}
	if end <= s.DataOffset {
		g.Report.Say(note.Always, "reshape.preparing-new-metadata-failed", d.Name())
		g.Report.Extra(note.Always, "reshape.it-has-room-for-0-sectors-beside-metadata")
		return nil, errGrow
	}
	s.DataSize = end - s.DataOffset
	grown.Super1 = s
	return &grown, nil
}

func linearDisk0(number int, major, minor uint32) md.Disk0 {
	return md.Disk0{
		Number: uint32(number), Major: major, Minor: minor, RaidDisk: uint32(number),
		State: md.DiskState(mdctl.DiskSync | mdctl.DiskActive),
	}
}

// linearUpdate writes the new number of members to all superblocks.
func (g *Grower) linearUpdate(ctx context.Context, members []*linearMember) error {
	count := len(members)
	last := &members[count-1].disk
	for _, member := range members {
		m := member.super
		if s := m.Super1; s != nil {
			for len(s.DevRoles) < count {
				s.DevRoles = append(s.DevRoles, md.RoleSpare)
			}
			s.RaidDisks, s.DevRoles[count-1] = uint32(count), md.Role(count-1)
		} else {
			s := m.Super0
			s.RaidDisks, s.NrDisks, s.ActiveDisks, s.WorkingDisks = uint32(count), uint32(count), uint32(count), uint32(count)
			s.Disks[count-1] = linearDisk0(count-1, uint32(last.Major), uint32(last.Minor))
		}
		major, minor := uint32(member.disk.Major), uint32(member.disk.Minor)
		name, err := live.KernelNameOf(major, minor)
		if err != nil {
			return err
		}
		path := device.DevicePath(major, minor, name)
		if err := g.do(ctx, plan.NewSharedWrite(path, "superblock "+m.Version.String(), m.Offset, m.AppendSuper(nil))); err != nil {
			return g.failed(ctx, err, "reshape.cannot-store-new-superblock", path)
		}
	}
	g.live.Info.RaidDisks = int32(count)
	return nil
}
