package stats

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// Table is the regions of a device, in the order of their ids.
type Table struct {
	Regions []*Region
}

// Region finds a region by its id; nil if there is none.
func (t *Table) Region(id uint64) *Region {
	i, ok := slices.BinarySearchFunc(t.Regions, id, func(r *Region, id uint64) int {
		switch {
		case r.ID < id:
			return -1
		case r.ID > id:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return t.Regions[i]
}

// Last is the largest id in use; 0 if there are no regions.
func (t *Table) Last() uint64 {
	if len(t.Regions) == 0 {
		return 0
	}
	return t.Regions[len(t.Regions)-1].ID
}

// Free is the id that the kernel will give to the next new region: the smallest
// free one (dm-stats.c dm_stats_create).
func (t *Table) Free() uint64 {
	for i, r := range t.Regions {
		if r.ID != uint64(i) {
			return uint64(i)
		}
	}
	return uint64(len(t.Regions))
}

// Leader is the region that leads the group of the region with that id; nil if
// it is in none.
func (t *Table) Leader(id uint64) *Region {
	for _, r := range t.Regions {
		if r.Group != nil && slices.Contains(r.Group.Members, id) {
			return r
		}
	}
	return nil
}

// Problem is why regions cannot be grouped.
type Problem int

// The reasons of libdm-stats.c dm_stats_create_group.
const (
	NoRegions    Problem = iota // the device has none
	BadList                     // Text is not a list of regions
	BeyondLast                  // Region is larger than any there is
	NoSuchRegion                // Region does not exist
	Grouped                     // Region is already in Group
	UnlikeBounds                // the histograms differ
)

// MemberError says why a group cannot be made.
type MemberError struct {
	Problem Problem
	Text    string
	Region  int64
	Group   uint64
}

// Error returns the reason.
func (e *MemberError) Error() string {
	switch e.Problem {
	case NoRegions:
		return "the device has no regions to group"
	case BadList:
		return strconv.Quote(e.Text) + " is not a list of regions"
	case BeyondLast:
		return fmt.Sprintf("region %d does not exist, nor does any after it", e.Region)
	case NoSuchRegion:
		return fmt.Sprintf("region %d does not exist", e.Region)
	case Grouped:
		return fmt.Sprintf("region %d is in group %d already", e.Region, e.Group)
	}
	return "the regions' histograms have different bounds"
}

// Overlap is a pair of regions that share sectors, so a group counts what
// happens there twice.
type Overlap struct{ First, Second uint64 }

// NewGroup is a group that can be made.
type NewGroup struct {
	Group
	Mixed    bool      // some regions count milliseconds, some nanoseconds
	Overlaps []Overlap // regions that share sectors
}

// PlanGroup checks that regions can be made a group, list being their ids as
// ParseMembers reads them.
func (t *Table) PlanGroup(list, alias string) (*NewGroup, error) {
	if len(t.Regions) == 0 {
		return nil, &MemberError{Problem: NoRegions}
	}
	runs, err := ParseMembers(list)
	if err != nil {
		return nil, &MemberError{Problem: BadList, Text: list}
	}
	last := int64(-1)
	if len(runs) > 0 {
		last = int64(runs[len(runs)-1].Last)
	}
	if last < 0 || uint64(last) > t.Last() {
		return nil, &MemberError{Problem: BeyondLast, Region: last}
	}
	g := &NewGroup{Group: Group{Alias: alias, Members: expand(runs)}}
	var bounds Bounds
	precise := 0
	for _, id := range g.Members {
		r := t.Region(id)
		if r == nil {
			return nil, &MemberError{Problem: NoSuchRegion, Region: int64(id)}
		}
		if leader := t.Leader(id); leader != nil {
			return nil, &MemberError{Problem: Grouped, Region: int64(id), Group: leader.ID}
		}
		if r.Precise {
			precise++
		}
		switch {
		case r.Bounds == nil:
		case bounds == nil:
			bounds = r.Bounds
		case !bounds.SameBins(r.Bounds):
			return nil, &MemberError{Problem: UnlikeBounds}
		}
	}
	g.Mixed = precise > 0 && precise < len(g.Members)
	g.Overlaps = t.overlaps(g.Members)
	return g, nil
}

// extent is a region, or several merged ones, in overlaps.
type extent struct{ id, start, length uint64 }

func (e extent) last() uint64 { return e.start + e.length - 1 }

// overlaps looks for regions that share sectors the way libdm does: neighbours
// are compared, and those that overlap are merged, until none do. As in libdm,
// regions that share only one sector are not reported.
func (t *Table) overlaps(ids []uint64) (found []Overlap) {
	var list []extent
	for _, id := range ids {
		r := t.Region(id)
		list = append(list, extent{id, r.Start, r.Length})
	}
	slices.SortStableFunc(list, func(a, b extent) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return 0
	})
	for merged := true; merged; {
		merged = false
		for i := 0; i+1 < len(list); {
			a, b := list[i], &list[i+1]
			if a.last() <= b.start {
				i++
				continue
			}
			found = append(found, Overlap{a.id, b.id})
			if a.last() > b.last() {
				b.id, b.length = a.id, a.length
			}
			b.start = min(a.start, b.start)
			list = slices.Delete(list, i, i+1)
			merged = true
		}
	}
	return found
}

// Kind is the kind of an object in a report.
type Kind int

// Kinds of objects, in the order of a report.
const (
	KindArea Kind = iota + 1
	KindRegion
	KindGroup
)

// String is the word of the column obj_type.
func (k Kind) String() string {
	switch k {
	case KindArea:
		return "area"
	case KindRegion:
		return "region"
	}
	return "group"
}

// Walk says which objects of a table to include.
type Walk struct {
	Areas, Regions, Groups bool
	SkipSingle             bool // with Areas: leave out regions with a single area
}

// Object is a row of a report: an area, a region as a whole or a group.
type Object struct {
	Kind   Kind
	Region *Region // of a group: its leader
	Area   uint64
	Group  *Group  // the group itself, or that of the region; nil if there is none
	Leader *Region // the region that leads Group
	table  *Table
}

// Objects lists areas, then regions, then groups.
func (t *Table) Objects(w Walk) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		leaders := map[uint64]*Region{}
		for _, r := range t.Regions {
			if r.Group != nil {
				for _, id := range r.Group.Members {
					leaders[id] = r
				}
			}
		}
		object := func(kind Kind, r *Region, area uint64) Object {
			o := Object{Kind: kind, Region: r, Area: area, table: t, Leader: leaders[r.ID]}
			if o.Leader != nil {
				o.Group = o.Leader.Group
			}
			return o
		}
		if w.Areas {
			for _, r := range t.Regions {
				for a := range r.NumAreas() {
					if !yield(object(KindArea, r, a)) {
						return
					}
				}
			}
		}
		for _, r := range t.Regions {
			if w.Regions && !(w.Areas && w.SkipSingle && r.NumAreas() < 2) && !yield(object(KindRegion, r, 0)) {
				return
			}
		}
		for _, r := range t.Regions {
			if w.Groups && r.Group != nil && !yield(object(KindGroup, r, 0)) {
				return
			}
		}
	}
}

// members are the regions that the object sums up.
func (o Object) members() []*Region {
	if o.Kind != KindGroup {
		return []*Region{o.Region}
	}
	var list []*Region
	for _, id := range o.Group.Members {
		if r := o.table.Region(id); r != nil {
			list = append(list, r)
		}
	}
	return list
}

// Length is the size of the region, or of all regions of a group, in 512-byte
// sectors.
func (o Object) Length() (sum uint64) {
	for _, r := range o.members() {
		sum += r.Length
	}
	return sum
}

// Counters sums up the counters of the object's regions.
func (o Object) Counters() (sum Counters) {
	for _, r := range o.members() {
		for i := range r.Areas {
			if o.Kind != KindArea || uint64(i) == o.Area {
				sum.Add(&r.Areas[i].Counters)
			}
		}
	}
	return sum
}

// Histogram is the object's histogram; false if it has none. A group has one if
// its leader has.
func (o Object) Histogram() (Histogram, bool) {
	if o.Region.Bounds == nil {
		return Histogram{}, false
	}
	return Histogram{o.Region.Bounds, o.Counters().Histogram}, true
}

// Bins is the number of bins; 0 without a histogram, and for groups.
func (o Object) Bins() int {
	if o.Region.Bounds == nil || o.Kind == KindGroup {
		return 0
	}
	return len(o.Region.Bounds) + 1
}
