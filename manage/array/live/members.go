package live

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/manage/array/device"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// ShownMember is a member as sysfs shows it.
type ShownMember struct {
	Sysfs  *sysmd.Member // its attributes in sysfs
	Path   string        // of its device
	Slot   int           // -1 for spares and the journal
	Offset uint64        // where its data begins, in sectors
	state  sysmd.MemberState

	foreseen *memberSpace // of a member that a dry run would add
}

// Is reports whether all flags are set.
func (m *ShownMember) Is(flags sysmd.MemberState) bool { return m.state.Has(flags) }

// Members lists the members that sysfs shows, in the order of the slots, spares last.
func (l *Array) Members() ([]*ShownMember, error) {
	members, err := l.Sysfs.Members()
	if err != nil {
		return nil, err
	}
	var list []*ShownMember
	for _, member := range members {
		m, err := showMember(member)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", l.Path, errNoMembers)
	}
	if len(l.foreseen.members) > 0 { // sysfs lists them by name
		list = append(list, l.foreseen.members...)
		slices.SortFunc(list, func(a, b *ShownMember) int { return strings.Compare(a.Sysfs.Name(), b.Sysfs.Name()) })
	}
	slices.SortStableFunc(list, func(a, b *ShownMember) int { return int(uint(a.Slot)>>1) - int(uint(b.Slot)>>1) })
	return list, nil
}

func showMember(member *sysmd.Member) (*ShownMember, error) {
	m := &ShownMember{Sysfs: member, Slot: md.SlotNone}
	number, err := member.Number()
	if err != nil {
		return nil, err
	}
	name, err := member.Block()
	if err != nil {
		return nil, err
	}
	m.Path = device.DevicePath(number.Major, number.Minor, name)
	if m.state, err = member.State(); err != nil {
		return nil, err
	}
	if slot, err := member.Slot(); err == nil && slot >= 0 {
		m.Slot = int(slot)
	}
	m.Offset, err = member.Offset()
	return m, err
}

// memberSpace is how far the data of a member could be moved.
type memberSpace struct {
	DataOffset    uint64 // where it is, in sectors
	Before, After uint64 // free sectors on either side of the data
}

// SpaceOf reads the free space from the superblock of a member. Formats without a data
// offset have none.
func (l *Array) SpaceOf(m *ShownMember) (memberSpace, error) {
	if m.foreseen != nil {
		return *m.foreseen, nil
	}
	d, err := device.Open(m.Path, block.ForReading)
	if err != nil {
		return memberSpace{}, err
	}
	defer d.Close()
	member, bad := md.LoadSuper(d, l.Version)
	if bad != nil {
		return memberSpace{}, bad
	}
	return l.spaceOf(member, d), nil
}

func (l *Array) spaceOf(member *md.Member, d block.Device) memberSpace {
	if member.Super1 == nil {
		return memberSpace{}
	}
	l.foresee(member)
	return space1(member, fresh.UsableBitmap(member, d), uint64(d.Size()/md.SectorSize))
}

// space1 returns the space around the data of a 1.x member; md.c,
// super_1_allow_new_offset, says what the kernel regards as free.
func space1(member *md.Member, bitmap *md.Bitmap, sectors uint64) memberSpace {
	s := member.Super1
	space := memberSpace{DataOffset: s.DataOffset}
	used := s.Size
	if !s.Level.Redundant() {
		used = s.DataSize
	}
	at := int64(s.SuperOffset)
	data := int64(s.DataOffset)
	if data < at { // 1.0: everything else comes after the data
		end := at
		if s.BblogOffset != 0 && s.BblogSize != 0 {
			end = min(end, at+int64(s.BblogOffset))
		}
		if off, _ := s.PPL(); s.HasPPL() {
			end = min(end, at+int64(off))
		} else if s.FeatureMap&md.FeatureBitmapOffset != 0 {
			end = min(end, at+int64(s.BitmapOffset))
		}
		space.Before = s.DataOffset
		space.After = uint64(max(end-int64(used)-data, 0))
	} else {
		const supers = (32 + 4) * 2 // room that the kernel reserves for a superblock and more
		first := at + supers
		switch off, size := s.PPL(); {
		case s.HasPPL():
			first = max(first, at+int64(off)+int64(size))
		case bitmap != nil:
			first = max(first, at+int64(s.BitmapOffset)+int64(bitmap.CopyLen())/md.SectorSize)
		}
		if s.BblogOffset != 0 && s.BblogSize != 0 {
			first = max(first, at+int64(s.BblogOffset)+int64(s.BblogSize))
		}
		space.Before = uint64(max(data-first, 0))
		space.After = uint64(max(int64(sectors)-int64(used)-data, 0))
	}
	if space.Before == 0 && space.After == 0 {
		space.After = 1 // no room, but the data can move if the array shrinks
	}
	return space
}
