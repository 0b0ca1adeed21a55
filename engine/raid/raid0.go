package raid

import "sort"

// RAID0 is the geometry of a striped array (drivers/md/raid0.c). Members may
// differ in size: the array then has zones, each striped over the members that
// are large enough to reach into it.
type RAID0 struct {
	chunk int64
	size  int64
	zones []zone
}

// zone is a part of the array that is striped over the same members.
type zone struct {
	start, end int64 // in the array
	member     int64 // where it starts on every member
	slots      []int
	shift      int64 // index into slots of the zone's first chunk
}

// Layouts of RAID0 with several zones (drivers/md/raid0.h, enum r0layout).
const (
	// RAID0Original counts chunks from the start of the array to find a member.
	RAID0Original = 1
	// RAID0Alternate counts from the start of the zone, as Linux 3.14 to 5.3 did.
	RAID0Alternate = 2
)

// NewRAID0 makes the geometry for members of the given sizes, in the order of
// their slots. The layout matters only if there are several zones and the
// second spans more than one member; it must then be RAID0Original or
// RAID0Alternate.
func NewRAID0(sizes []int64, chunk int64, layout int) (*RAID0, error) {
	if err := checkChunk("raid0", chunk); err != nil {
		return nil, err
	}
	if err := checkSizes("raid0", sizes); err != nil {
		return nil, err
	}
	r := &RAID0{chunk: chunk}
	rounded := make([]int64, len(sizes))
	for i, size := range sizes {
		rounded[i] = size - size%chunk
		// raid0_size masks instead of dividing. For a chunk that is not a power
		// of two the array comes out smaller than its zones.
		r.size += (rounded[i] / sector &^ (chunk/sector - 1)) * sector
	}
	r.addZones(rounded)
	if len(r.zones) < 2 || len(r.zones[1].slots) == 1 {
		layout = RAID0Original
	}
	switch layout {
	case RAID0Original:
		for i := range r.zones {
			z := &r.zones[i]
			z.shift = z.start / chunk % int64(len(z.slots))
		}
	case RAID0Alternate:
	default:
		return nil, &GeometryError{
			"raid0", "layout", int64(layout),
			"members differ in size, so it must be 1 (original) or 2 (alternate)",
		}
	}
	return r, nil
}

// addZones cuts members of the given sizes, multiples of the chunk, into zones
// (raid0.c, create_strip_zones).
func (r *RAID0) addZones(sizes []int64) {
	member, start := int64(0), int64(0)
	for {
		z := zone{start: start, member: member}
		next := int64(0)
		for slot, size := range sizes {
			if size <= member {
				continue
			}
			z.slots = append(z.slots, slot)
			if next == 0 || size < next {
				next = size
			}
		}
		if len(z.slots) == 0 {
			return
		}
		start += (next - member) * int64(len(z.slots))
		z.end = start
		r.zones = append(r.zones, z)
		member = next
	}
}

// Size returns the size of the array in bytes.
func (r *RAID0) Size() int64 { return r.size }

// Zones returns how many zones the array has.
func (r *RAID0) Zones() int { return len(r.zones) }

// Map returns the place of array offset off, which must be in [0, Size).
func (r *RAID0) Map(off int64) Place {
	z := &r.zones[sort.Search(len(r.zones), func(i int) bool { return off < r.zones[i].end })]
	n := int64(len(z.slots))
	chunk, within := (off-z.start)/r.chunk, (off-z.start)%r.chunk
	return Place{
		Slot: z.slots[(chunk+z.shift)%n],
		Off:  z.member + chunk/n*r.chunk + within,
		Len:  min(r.chunk-within, r.size-off),
	}
}
