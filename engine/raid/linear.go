package raid

import "sort"

// Linear is the geometry of an array whose members follow one another
// (drivers/md/md-linear.c).
type Linear struct {
	ends []int64 // array offset of the end of each member
}

// NewLinear makes the geometry for members of the given sizes, in the order of
// their slots. Each size is first rounded down to a multiple of rounding,
// unless that is 0 (linear_conf).
func NewLinear(sizes []int64, rounding int64) (*Linear, error) {
	if err := checkSizes("linear", sizes); err != nil {
		return nil, err
	}
	if rounding != 0 {
		if err := checkChunk("linear", rounding); err != nil {
			return nil, err
		}
	}
	l := &Linear{ends: make([]int64, len(sizes))}
	end := int64(0)
	for i, size := range sizes {
		if rounding != 0 {
			size -= size % rounding
		}
		end += size
		l.ends[i] = end
	}
	return l, nil
}

// Size returns the size of the array in bytes.
func (l *Linear) Size() int64 { return l.ends[len(l.ends)-1] }

// Map returns the place of array offset off, which must be in [0, Size).
func (l *Linear) Map(off int64) Place {
	slot := sort.Search(len(l.ends), func(i int) bool { return off < l.ends[i] })
	start := int64(0)
	if slot > 0 {
		start = l.ends[slot-1]
	}
	return Place{Slot: slot, Off: off - start, Len: l.ends[slot] - off}
}
