package live

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/sysfs"
)

// ShownMember is a member as sysfs shows it.
type ShownMember struct {
	Dir          sysfs.Dir
	Path         string // of its device
	major, minor uint32
	Slot         int // -1 for spares
	Offset       uint64
	states       []string
}

func (m *ShownMember) Is(state string) bool { return slices.Contains(m.states, state) }

// Members lists what sysfs shows, in the order of the slots, spares last.
func (l *Array) Members() ([]*ShownMember, error) {
	names, err := l.Dir.List()
	if err != nil {
		return nil, err
	}
	var list []*ShownMember
	for _, name := range names {
		if !strings.HasPrefix(name, "dev-") {
			continue
		}
		m, err := showMember(sysfs.Dir(l.Dir.Path(name)))
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", l.Path, errNoMembers)
	}
	slices.SortStableFunc(list, func(a, b *ShownMember) int { return int(uint(a.Slot)>>1) - int(uint(b.Slot)>>1) })
	return list, nil
}

func showMember(dir sysfs.Dir) (*ShownMember, error) {
	m := &ShownMember{Dir: dir, Slot: -1}
	number, err := sysfs.Dir(dir.Path("block")).Read("dev")
	if err != nil {
		return nil, err
	}
	m.major, m.minor, _ = device.ParseDevNumber(number)
	name, err := dir.Link("block")
	if err != nil {
		return nil, err
	}
	m.Path = device.DevicePath(m.major, m.minor, name)
	state, err := dir.Read("state")
	if err != nil {
		return nil, err
	}
	m.states = strings.Split(state, ",")
	if slot, err := dir.ReadUint("slot"); err == nil {
		m.Slot = int(slot)
	}
	m.Offset, err = dir.ReadUint("offset")
	return m, err
}

// memberSpace is how far the data of a member could move.
type memberSpace struct {
	DataOffset    uint64 // sectors, where it is
	Before, After uint64 // sectors that are free on either side of the data
}

// SpaceOf reads the superblock of a member. Formats without a data offset
// have no space.
func (l *Array) SpaceOf(m *ShownMember) (memberSpace, error) {
	d, err := device.Open(m.Path, block.ForReading)
	if err != nil {
		return memberSpace{}, err
	}
	defer d.Close()
	member, bad := md.LoadSuper(d, l.Version)
	if bad != nil {
		return memberSpace{}, bad
	}
	if member.Super1 == nil {
		return memberSpace{}, nil
	}
	return space1(member, md.UsableBitmap(member, d), uint64(d.Size()/md.SectorSize)), nil
}

// space1 is the space around the data of a 1.x member; what the kernel takes
// for free is in md.c, super_1_allow_new_offset.
func space1(member *md.Member, bitmap *md.Bitmap, sectors uint64) memberSpace {
	s := member.Super1
	space := memberSpace{DataOffset: s.DataOffset}
	used := s.Size
	if !s.Level.Redundant() {
		used = s.DataSize
	}
	at := int64(s.SuperOffset)
	data := int64(s.DataOffset)
	if data < at { // 1.0: everything else comes behind
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
		const supers = (32 + 4) * 2 // room the kernel keeps for a superblock and more
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
		space.After = 1 // full, but the data can move if the array shrinks
	}
	return space
}
