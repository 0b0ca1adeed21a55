package md

// Enough reports whether an array can be started with the slots that are
// available, as mdadm's enough() does (util.c). avail has one entry for each slot.
// A raid4, 5 or 6 that was not clean needs every slot, because its parity cannot
// be trusted; only raid4 can do without its parity slot even then.
func Enough(level Level, raidDisks int, layout int32, clean bool, avail []bool) bool {
	if raidDisks <= 0 || raidDisks > len(avail) {
		return false
	}
	avail = avail[:raidDisks]
	n := 0
	for _, ok := range avail {
		if ok {
			n++
		}
	}
	switch level {
	case LevelRAID10:
		return enough10(layout, avail)
	case LevelMultipath, LevelRAID1:
		return n >= 1
	case LevelLinear, LevelRAID0:
		return n == raidDisks
	case LevelRAID4:
		if n == raidDisks-1 && !avail[raidDisks-1] {
			return true
		}
		return n >= raidDisks-spareParity(clean, 1)
	case LevelRAID5:
		return n >= raidDisks-spareParity(clean, 1)
	case LevelRAID6:
		return n >= raidDisks-spareParity(clean, 2)
	}
	return false
}

// OnlyParity reports whether a slot, counted from 0, holds nothing but parity. A
// raid5 or raid6 that was not clean needs no data from such a slot, so the kernel
// starts it while the slot's member is being rebuilt (raid5.c, only_parity).
func OnlyParity(level Level, layout int32, raidDisks, slot int) bool {
	parities := 1
	switch level {
	case LevelRAID6:
		parities = 2
	case LevelRAID5:
	default:
		return false
	}
	switch layout {
	case LayoutParityFirst:
		return slot < parities
	case LayoutParityLast:
		return slot >= raidDisks-parities
	case LayoutParityFirst6:
		return slot == 0 || slot == raidDisks-1
	case LayoutLeftAsymmetric6, LayoutRightAsymmetric6, LayoutLeftSymmetric6, LayoutRightSymmetric6:
		return slot == raidDisks-1
	}
	return false
}

func spareParity(clean bool, parity int) int {
	if clean {
		return parity
	}
	return 0
}

// enough10 reports whether every group of slots that holds the copies of a chunk
// has an available one.
func enough10(layout int32, avail []bool) bool {
	r := ParseRAID10Layout(layout)
	copies := min(r.Copies(), len(avail))
	if copies == 0 {
		return false
	}
	for first := 0; ; {
		found := false
		for i := range copies {
			found = found || avail[(first+i)%len(avail)]
		}
		if !found {
			return false
		}
		if first = (first + r.Near) % len(avail); first == 0 {
			return true
		}
	}
}
