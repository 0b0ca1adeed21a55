package array

import (
	"errors"
	"fmt"
	"math"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// geometry is the geometry of an array, at rest or on one side of a reshape.
type geometry struct {
	slots  int
	chunk  int64 // bytes
	layout int32
}

// geometryOf is the geometry of an array at rest, or before the reshape that is
// under way, according to the superblock of a member.
func geometryOf(m *md.Member) geometry {
	g := geometry{m.RaidDisks(), int64(m.ChunkSectors()) * md.SectorSize, m.Layout()}
	if r := m.Reshape(); r != nil {
		g.slots -= r.Delta
	}
	return g
}

// geometryAfter is the geometry after the reshape.
func geometryAfter(m *md.Member, r *md.Reshape) geometry {
	return geometry{m.RaidDisks(), int64(r.Chunk) * md.SectorSize, r.Layout}
}

// reshaping serves an array that was stopped in the middle of a reshape: on one
// side of the position, data is in the new geometry already, on the other side
// still in the old one (raid5.c, ahead_of_reshape; raid10.c,
// raid10_find_phys). It cannot be written.
type reshaping struct {
	before, after personality
	position      int64 // array bytes
	backwards     bool
	backup        block.Device // nil if there is none
	kept          []keptSection
}

// errReshaping is why writes are refused during a reshape.
var errReshaping = errors.New("a reshape is under way; open it read-only")

// newReshaping makes an array that is being reshaped.
func (a *Array) newReshaping(f *md.Member, r *md.Reshape) (personality, int64, error) {
	if r.Level != a.level {
		return nil, 0, fmt.Errorf("%w: a reshape from %v to %v", ErrUnsupported, a.level, r.Level)
	}
	if r.Position > math.MaxInt64/md.SectorSize {
		return nil, 0, fmt.Errorf("the reshape's position is sector %d, behind the end of any device", r.Position)
	}
	was, is := geometryOf(f), geometryAfter(f, r)
	moved, err := a.movedSlots(was.slots, r)
	if err != nil {
		return nil, 0, err
	}
	if was.slots < 1 || was.slots > len(a.slots) || is.slots < 1 || is.slots > len(a.slots) {
		return nil, 0, fmt.Errorf("the reshape goes from %d to %d slots, and the array has %d", was.slots, is.slots, len(a.slots))
	}
	both := &reshaping{position: int64(r.Position) * md.SectorSize, backwards: r.Backwards}
	make := a.newParityPart
	if a.level == md.LevelRAID10 {
		make = a.newMirroredPart
	}
	before, size, err := make(f, a.slots[:was.slots], was)
	if err != nil {
		return nil, 0, err
	}
	after, newSize, err := make(f, moved[:is.slots], is)
	if err != nil {
		return nil, 0, err
	}
	both.before, both.after = before, after
	if both.backup = a.opt.Backup; both.backup != nil {
		if both.kept, err = keptSections(f, r, both.backup); err != nil {
			return nil, 0, err
		}
	}
	return both, min(size, newSize), nil
}

func (a *Array) newParityPart(f *md.Member, slots []slot, g geometry) (personality, int64, error) {
	p, err := a.newParity(f, slots, g)
	if err != nil {
		return nil, 0, err
	}
	return p, p.geometry.Size(), nil
}

func (a *Array) newMirroredPart(f *md.Member, slots []slot, g geometry) (personality, int64, error) {
	return a.newMirrored(f, slots, g)
}

// movedSlots are the slots with data where the reshape puts it on each member. The
// members that it adds hold everything that it has written (Assembly.complete).
func (a *Array) movedSlots(old int, r *md.Reshape) ([]slot, error) {
	moved := make([]slot, len(a.slots))
	for i, s := range a.slots {
		for _, l := range s {
			m, err := l.moved()
			if err != nil {
				return nil, err
			}
			if r.Delta > 0 && i >= old {
				m.insync = math.MaxInt64
			}
			moved[i] = append(moved[i], m)
		}
	}
	return moved, nil
}

// moved is the leg with its data at the new offset.
func (l *leg) moved() (*leg, error) {
	r := l.member.Reshape()
	if r == nil {
		return nil, fmt.Errorf("%s: its superblock tells of no reshape", l.member.Name)
	}
	used := l.member.UsedSize()
	if r.NewDataOffset > math.MaxInt64/md.SectorSize-used || int64(r.NewDataOffset+used)*md.SectorSize > l.dev.Size() {
		return nil, fmt.Errorf("%s: the reshape puts %d sectors of data at sector %d, behind the end of the device",
			l.member.Name, used, r.NewDataOffset)
	}
	m := &leg{member: l.member, dev: l.dev, insync: l.insync, slow: l.slow, start: int64(r.NewDataOffset) * md.SectorSize}
	list, err := l.member.ReadBadBlocks(l.dev)
	if err != nil {
		return nil, err
	}
	m.bad = badSpans(list, m.start)
	return m, nil
}

// at returns the side of the reshape that array offset off is on, and how many of n
// bytes from there are on it.
func (r *reshaping) at(off, n int64) (personality, int64) {
	side := r.before
	if (off < r.position) != r.backwards {
		side = r.after
	}
	if off < r.position {
		n = min(n, r.position-off)
	}
	return side, n
}

func (r *reshaping) read(p []byte, off int64) error {
	for len(p) > 0 {
		kept, n := r.keptAt(off, int64(len(p)))
		var err error
		if kept != nil {
			err = block.ReadFull(r.backup, p[:n], kept.off+off-kept.from)
		} else {
			var side personality
			side, n = r.at(off, n)
			err = side.read(p[:n], off)
		}
		if err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

func (r *reshaping) write([]byte, int64) error { return errReshaping }

// raid10Of makes a raid10 of geometry g, with used bytes on each member.
func raid10Of(g geometry, used int64) (*raid.RAID10, error) {
	l := md.ParseRAID10Layout(g.layout)
	return raid.NewRAID10(g.slots, used, g.chunk, raid.RAID10Layout{Near: l.Near, Far: l.Far, Offset: l.Offset, FarSets: l.FarSets})
}
