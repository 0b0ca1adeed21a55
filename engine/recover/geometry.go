package recover

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// Geometry is how an array is laid out, except for the order of its members.
type Geometry struct {
	Level      md.Level
	Layout     int32 // the kernel's number; 0 where the level has none
	Chunk      int64 // bytes; 0 for raid1
	Slots      int
	DataOffset int64 // bytes from the start of a member
	Used       int64 // bytes used of each member
}

// String describes it in one line.
func (g Geometry) String() string {
	text := fmt.Sprintf("%v of %d", g.Level, g.Slots)
	if word, ok := md.LayoutName(g.Level, g.Layout); ok && g.Level != md.LevelRAID0 {
		text += ", layout " + word
	}
	if g.Chunk > 0 {
		text += fmt.Sprintf(", chunk %dK", g.Chunk>>10)
	}
	return text + fmt.Sprintf(", data from sector %d", g.DataOffset/md.SectorSize)
}

// mapper says where the copies of an array's bytes lie.
type mapper struct {
	size   int64
	places func(off int64, list []raid.Place) []raid.Place
}

func (g Geometry) mapper() (*mapper, error) {
	switch g.Level {
	case md.LevelRAID1:
		return &mapper{g.Used, func(off int64, list []raid.Place) []raid.Place {
			for slot := range g.Slots {
				list = append(list, raid.Place{Slot: slot, Off: off, Len: g.Used - off})
			}
			return list
		}}, nil
	case md.LevelRAID0:
		sizes := make([]int64, g.Slots)
		for i := range sizes {
			sizes[i] = g.Used
		}
		r, err := raid.NewRAID0(sizes, g.Chunk, raid.RAID0Original)
		if err != nil {
			return nil, err
		}
		return &mapper{r.Size(), single(r.Map)}, nil
	case md.LevelRAID10:
		r, err := raid.NewRAID10(g.Slots, g.Used, g.Chunk, g.raid10())
		if err != nil {
			return nil, err
		}
		return &mapper{r.Size(), r.Map}, nil
	}
	r, err := raid.NewParity(int(g.Level), g.Slots, g.Used, g.Chunk, int(g.Layout))
	if err != nil {
		return nil, err
	}
	return &mapper{r.Size(), single(r.Map)}, nil
}

func (g Geometry) raid10() raid.RAID10Layout {
	l := md.ParseRAID10Layout(g.Layout)
	return raid.RAID10Layout{Near: int(l.Near), Far: int(l.Far), Offset: l.Offset, FarSets: int(l.FarSets)}
}

func single(place func(int64) raid.Place) func(int64, []raid.Place) []raid.Place {
	return func(off int64, list []raid.Place) []raid.Place { return append(list, place(off)) }
}

// redundant reports whether the level can do without one member.
func redundant(l md.Level) bool { return l != md.LevelRAID0 }

// shapes lists the geometries possible with count slots, without their places
// on the members. Of layouts that differ only in the names of slots one is
// listed.
func shapes(slots int) []Geometry {
	var list []Geometry
	add := func(level md.Level, least int, layouts ...int32) {
		if slots < least {
			return
		}
		for _, layout := range layouts {
			for chunk := int64(4 << 10); chunk <= 16<<20; chunk *= 2 {
				list = append(list, Geometry{Level: level, Layout: layout, Chunk: chunk, Slots: slots})
			}
		}
	}
	list = append(list, Geometry{Level: md.LevelRAID1, Slots: slots})
	add(md.LevelRAID10, 2, raid10Layouts(slots)...)
	add(md.LevelRAID5, 3, raid.LeftSymmetric, raid.LeftAsymmetric, raid.RightSymmetric, raid.RightAsymmetric)
	add(md.LevelRAID6, 4,
		raid.LeftSymmetric, raid.LeftAsymmetric, raid.RightSymmetric, raid.RightAsymmetric, raid.ParityFirst, raid.ParityLast,
		8, 9, 10, 16, 17, 18, 19, 20) // the DDF ones, and those of a raid5 with Q on a further member
	add(md.LevelRAID4, 3, 0)
	add(md.LevelRAID0, 2, 0)
	return list
}

// raid10Layouts lists near, far and offset layouts of two and three copies.
func raid10Layouts(slots int) []int32 {
	var list []int32
	for copies := int32(2); copies <= 3 && int(copies) <= slots; copies++ {
		list = append(list, 0x100|copies, copies<<8|1, 0x10000|copies<<8|1)
	}
	return list
}
