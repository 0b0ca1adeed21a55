package live

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
)

// foreseen is what the steps that a dry run leaves out would make of an array, and the
// kernel does not show. Reading the array again forgets it.
type foreseen struct {
	members []*ShownMember // members that would be added
	shape   bool           // Info and Size describe the future shape
}

// ForeseeMember records that a device would be added as a spare; d is the device with
// what would be written to it before.
func (l *Array) ForeseeMember(major, minor uint32, d block.Device) error {
	name, err := KernelNameOf(major, minor)
	if err != nil {
		return err
	}
	m := &ShownMember{
		Sysfs: l.Sysfs.MemberAt(name), Path: device.DevicePath(major, minor, name),
		Slot: md.SlotNone, foreseen: &memberSpace{},
	}
	if l.HasFormat {
		super, bad := md.LoadSuper(d, l.Version)
		if bad != nil {
			return bad
		}
		if super.Super1 != nil {
			m.Offset = super.Super1.DataOffset
		}
		*m.foreseen = l.spaceOf(super, d)
	}
	l.foreseen.members = append(l.foreseen.members, m)
	return nil
}

// ForeseeShape records that the array would get another shape; size is what would be
// used of each member, in sectors.
func (l *Array) ForeseeShape(info mdctl.ArrayInfo, size uint64) {
	l.Info, l.Size, l.foreseen.shape = info, size, true
	l.Info.Size = int32(min(size/2, 1<<31-1))
}

// ShapeForeseen reports whether the array is described with a future shape, which it
// does not have yet.
func (l *Array) ShapeForeseen() bool { return l.foreseen.shape }

// foresee gives a superblock the future shape.
func (l *Array) foresee(m *md.Member) {
	if !l.foreseen.shape {
		return
	}
	level, disks := md.Level(l.Info.Level), uint32(l.Info.RaidDisks)
	if s := m.Super1; s != nil {
		s.Level, s.RaidDisks, s.Size = level, disks, l.Size
		return
	}
	s := m.Super0
	s.Level, s.RaidDisks, s.Size = level, disks, uint32(l.Size/2)
}
