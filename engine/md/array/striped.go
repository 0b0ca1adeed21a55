package array

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// striped serves the levels without redundancy, linear and raid0: each byte has
// one place.
type striped struct {
	slots []slot
	at    func(off int64) raid.Place
}

// newStriped makes a linear array or a raid0 that uses the whole data area of each
// member.
func (a *Array) newStriped(f *md.Member) (personality, int64, error) {
	sizes := make([]int64, len(a.slots))
	for i, s := range a.slots {
		sizes[i] = int64(s[0].member.DataSize()) * md.SectorSize
	}
	chunk := int64(f.ChunkSectors()) * md.SectorSize
	if a.level == md.LevelLinear {
		g, err := raid.NewLinear(sizes, chunk)
		if err != nil {
			return nil, 0, err
		}
		return &striped{a.slots, g.Map}, g.Size(), nil
	}
	layout := a.opt.RAID0Layout
	if f.Features()&md.FeatureRAID0Layout != 0 {
		layout = f.Layout()
	}
	g, err := raid.NewRAID0(sizes, chunk, int(layout))
	if err != nil {
		if layout == md.LayoutRAID0Unspecified {
			err = fmt.Errorf("the metadata does not say which of two raid0 layouts it is; choose original or alternate: %w", err)
		}
		return nil, 0, err
	}
	return &striped{a.slots, g.Map}, g.Size(), nil
}

// each calls do for every place that p at off is spread over.
func (s *striped) each(p []byte, off int64, do func(l *leg, p []byte, off int64) error) error {
	for len(p) > 0 {
		at := s.at(off)
		n := min(int64(len(p)), at.Len)
		if err := do(s.slots[at.Slot][0], p[:n], at.Off); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

func (s *striped) read(p []byte, off int64) error {
	return s.each(p, off, (*leg).read)
}

func (s *striped) write(p []byte, off int64) error {
	return s.each(p, off, func(l *leg, p []byte, off int64) error {
		_, err := l.dev.WriteAt(p, l.start+off)
		return err
	})
}
