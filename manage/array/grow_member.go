package array

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/sysfs"
)

// shownMember is a member as sysfs shows it.
type shownMember struct {
	dir          sysfs.Dir
	path         string // of its device
	major, minor uint32
	slot         int // -1 for spares
	offset       uint64
	states       []string
}

func (m *shownMember) is(state string) bool { return slices.Contains(m.states, state) }

// members lists what sysfs shows, in the order of the slots, spares last.
func (l *liveArray) members() ([]*shownMember, error) {
	names, err := l.Dir.List()
	if err != nil {
		return nil, err
	}
	var list []*shownMember
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
	slices.SortStableFunc(list, func(a, b *shownMember) int { return int(uint(a.slot)>>1) - int(uint(b.slot)>>1) })
	return list, nil
}

func showMember(dir sysfs.Dir) (*shownMember, error) {
	m := &shownMember{dir: dir, slot: -1}
	number, err := sysfs.Dir(dir.Path("block")).Read("dev")
	if err != nil {
		return nil, err
	}
	m.major, m.minor, _ = parseDevNumber(number)
	name, err := dir.Link("block")
	if err != nil {
		return nil, err
	}
	m.path = devicePath(m.major, m.minor, name)
	state, err := dir.Read("state")
	if err != nil {
		return nil, err
	}
	m.states = strings.Split(state, ",")
	if slot, err := dir.ReadUint("slot"); err == nil {
		m.slot = int(slot)
	}
	m.offset, err = dir.ReadUint("offset")
	return m, err
}

// memberSpace is how far the data of a member could move.
type memberSpace struct {
	dataOffset    uint64 // sectors, where it is
	before, after uint64 // sectors that are free on either side of the data
}

// spaceOf reads the superblock of a member. Formats without a data offset
// have no space.
func (l *liveArray) spaceOf(m *shownMember) (memberSpace, error) {
	d, err := openDevice(m.path, block.ForReading)
	if err != nil {
		return memberSpace{}, err
	}
	defer d.Close()
	member, bad := loadSuper(d, l.Version)
	if bad != nil {
		return memberSpace{}, bad
	}
	if member.Super1 == nil {
		return memberSpace{}, nil
	}
	return space1(member, usableBitmap(member, d), uint64(d.Size()/md.SectorSize)), nil
}

// space1 is the space around the data of a 1.x member; what the kernel takes
// for free is in md.c, super_1_allow_new_offset.
func space1(member *md.Member, bitmap *md.Bitmap, sectors uint64) memberSpace {
	s := member.Super1
	space := memberSpace{dataOffset: s.DataOffset}
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
		space.before = s.DataOffset
		space.after = uint64(max(end-int64(used)-data, 0))
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
		space.before = uint64(max(data-first, 0))
		space.after = uint64(max(int64(sectors)-int64(used)-data, 0))
	}
	if space.before == 0 && space.after == 0 {
		space.after = 1 // full, but the data can move if the array shrinks
	}
	return space
}
