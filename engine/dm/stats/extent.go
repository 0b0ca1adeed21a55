package stats

// Extent is a part of a device that holds a part of a file, in bytes.
type Extent struct {
	Logical  uint64 // where in the file
	Physical uint64 // where on the device
	Length   uint64
}

// Range is a part of a device, in 512-byte sectors.
type Range struct{ Start, Length uint64 }

// Ranges are the parts of the device that regions are made for when a file is
// followed: extents that are adjacent on the device count as one (libdm-stats.c
// _stats_map_extents).
func Ranges(extents []Extent) []Range {
	var ranges []Range
	var under Extent // the current range
	var last Extent
	end := func() {
		if under.Length>>9 > 0 {
			ranges = append(ranges, Range{under.Physical >> 9, under.Length >> 9})
		}
	}
	for _, e := range extents {
		switch {
		case under.Length == 0 || e.Logical == 0:
			under = e
		case e.Physical != last.Physical+last.Length:
			end()
			under = e
		default:
			under.Length += e.Length
		}
		last = e
	}
	end()
	return ranges
}
