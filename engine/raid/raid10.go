package raid

// RAID10Layout says how many copies there are of each chunk, and where.
type RAID10Layout struct {
	Near   int  // copies on neighbouring slots, at (nearly) the same place
	Far    int  // copies on other slots at another place; each chunk has Near*Far copies in all
	Offset bool // far copies are in the next row, not in the next section of the members
	// FarSets keeps far copies inside sets of slots: 0 for no sets; 1 for sets
	// of slots/Far, as in a first attempt; 2 for sets of Near*Far.
	FarSets int
}

// RAID10 is the geometry of RAID10 (drivers/md/raid10.c).
type RAID10 struct {
	layout RAID10Layout
	slots  int64
	chunk  int64
	size   int64
	used   int64 // bytes of each member that hold anything
	stride int64 // distance between far copies on a member
	set    int64 // slots of a far set
}

// NewRAID10 makes the geometry over slots members, each of which contributes
// memberSize bytes.
func NewRAID10(slots int, memberSize, chunk int64, layout RAID10Layout) (*RAID10, error) {
	if err := checkPowerOfTwo("raid10", chunk); err != nil {
		return nil, err
	}
	if slots < 1 || slots >= 0xff00 {
		return nil, &GeometryError{"raid10", "number of slots", int64(slots), "must be from 1 to 65279"}
	}
	copies := layout.Near * layout.Far
	if layout.Near < 1 || layout.Near > 255 || layout.Far < 1 || layout.Far > 255 || copies < 2 || copies > slots {
		return nil, &GeometryError{"raid10", "number of copies", int64(copies), "must be at least 2 and at most one a slot"}
	}
	if memberSize < 0 || memberSize > maxInt64/int64(slots)/int64(copies) {
		return nil, &GeometryError{"raid10", "member size", memberSize, "the array would be too large"}
	}
	r := &RAID10{layout: layout, slots: int64(slots), chunk: chunk, set: int64(slots)}
	switch layout.FarSets {
	case 0:
	case 1:
		r.set = int64(slots / layout.Far)
	case 2:
		r.set = int64(copies)
	default:
		return nil, &GeometryError{"raid10", "way of making far sets", int64(layout.FarSets), "must be 0, 1 or 2"}
	}
	r.measure(memberSize)
	return r, nil
}

// measure works out the sizes (raid10.c, calc_sectors and raid10_size). All
// divisions round down, except that the used space of a member is rounded up.
func (r *RAID10) measure(memberSize int64) {
	near, far := int64(r.layout.Near), int64(r.layout.Far)
	chunks := memberSize / r.chunk / far * r.slots / near
	used := (chunks*near*far + r.slots - 1) / r.slots
	r.used = used * r.chunk
	r.size = used / far * r.slots / near * r.chunk
	r.stride = used / far * r.chunk
	if r.layout.Offset {
		r.stride = r.chunk
	}
}

// Size returns the size of the array in bytes.
func (r *RAID10) Size() int64 { return r.size }

// Used returns how many bytes of each member are in use.
func (r *RAID10) Used() int64 { return r.used }

// Copies returns how many copies there are of each chunk.
func (r *RAID10) Copies() int { return r.layout.Near * r.layout.Far }

// Map appends to places where the copies of array offset off lie, which must be
// in [0, Size), and returns the result. The first is the one the kernel reads
// from if nothing speaks against it. All have the same Len. See raid10.c,
// __raid10_find_phys.
func (r *RAID10) Map(off int64, places []Place) []Place {
	near, far := int64(r.layout.Near), int64(r.layout.Far)
	chunk, within := off/r.chunk*near, off%r.chunk
	row, slot := chunk/r.slots, chunk%r.slots
	if r.layout.Offset {
		row *= far
	}
	at := row*r.chunk + within
	for range near {
		s, a := slot, at
		places = append(places, Place{Slot: int(s), Off: a, Len: r.chunk - within})
		for range far - 1 {
			s, a = r.nextFar(s), a+r.stride
			places = append(places, Place{Slot: int(s), Off: a, Len: r.chunk - within})
		}
		if slot++; slot == r.slots {
			slot, at = 0, at+r.chunk
		}
	}
	return places
}

// nextFar returns the slot of the next far copy after the one on slot: near
// slots further, wrapping around within its set. Slots that do not fill a set
// belong to the last one. The kernel looks at the slot it stepped to, so a step
// of more than one across the edge before the last set stays in that last set;
// arrays have been written that way, so that is the right answer.
func (r *RAID10) nextFar(slot int64) int64 {
	set := slot / r.set
	slot += int64(r.layout.Near)
	rest := r.slots % r.set
	last := (r.slots/r.set - 1) * r.set
	if rest != 0 && slot > last {
		return (slot-last)%(r.set+rest) + last
	}
	return slot%r.set + r.set*set
}
