package fresh

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
)

// DefaultChunk is the chunk size, in sectors, of arrays for which none is given.
const DefaultChunk = 512 * 2

// DefaultDataOffset asks for the data offset that follows from the first device's
// size; see DataOffsetFor.
const DefaultDataOffset = ^uint64(0)

// pplArea is the space reserved on each member for partial parity logs, in
// sectors (super1.c, MULTIPLE_PPL_AREA_SIZE_SUPER1).
const pplArea = 1 << 20 / md.SectorSize

// bblogArea is the space reserved for the bad block log, in sectors: a page.
const bblogArea = 8

// DefaultLayout is the layout of arrays for which none is given.
func DefaultLayout(l md.Level) int32 {
	switch l {
	case md.LevelRAID0:
		return md.LayoutRAID0Original
	case md.LevelRAID5, md.LevelRAID6:
		return md.LayoutLeftSymmetric
	case md.LevelRAID10:
		return 0x102 // two near copies
	case md.LevelFaulty:
		return md.FaultyClearErrors
	}
	return 0
}

// BitmapSpace is how many sectors a new 1.x superblock reserves for a bitmap,
// given the sectors of the device or of the part in use (super1.c,
// choose_bm_space).
func BitmapSpace(sectors uint64) uint64 {
	switch {
	case sectors < 64*2:
		return 0
	case sectors-64*2 >= 200<<20*2:
		return 128 * 2
	case sectors-4*2 > 8<<20*2:
		return 64 * 2
	}
	return 4 * 2
}

// reserved is the space between superblock and data besides the bad block log, in
// sectors.
func reserved(deviceSectors uint64, ppl bool) uint64 {
	if ppl {
		return pplArea
	}
	return BitmapSpace(deviceSectors)
}

// DataOffsetFor is where data starts, in sectors, on devices of a new array
// whose first device has the given size in sectors: 1.1 and 1.2 leave up to
// 128 MiB, aiming at 0.1 % of the device but at least two chunks, so that a
// later reshape can move the data without a backup (super1.c,
// validate_geometry1). chunk is in sectors; 0 if the level has none.
func DataOffsetFor(v md.Version, deviceSectors uint64, chunk uint32, ppl bool) uint64 {
	if v != md.V11 && v != md.V12 {
		return 0
	}
	headroom := uint64(128 << 20 / md.SectorSize)
	for headroom<<10 > deviceSectors && (chunk == 0 || headroom/2 >= 2*uint64(chunk)) {
		headroom /= 2
	}
	const mebibyte = 1 << 20 / md.SectorSize
	const base = 12 * 2 // the superblock, and pages for what may follow
	return roundUp(base+reserved(deviceSectors, ppl)+headroom, mebibyte)
}

func roundUp(n, unit uint64) uint64 { return (n + unit - 1) / unit * unit }

// ErrTooSmall marks a device that cannot hold the metadata of a new array.
var ErrTooSmall = errors.New("too small for the metadata")

// TooSmallError says what a device has and what it needs; it matches ErrTooSmall.
type TooSmallError struct {
	Version md.Version
	Sectors uint64 // size of the device
	Need    uint64 // sectors that the metadata takes
}

// Error returns one line.
func (e *TooSmallError) Error() string {
	return fmt.Sprintf("%d sectors are %v of version %v, which takes %d", e.Sectors, ErrTooSmall, e.Version, e.Need)
}

// Is matches ErrTooSmall.
func (e *TooSmallError) Is(target error) bool { return target == ErrTooSmall }

// UsableSectors is how many sectors of a device are left for data in a new
// array (super0.c and super1.c, validate_geometry). dataOffset is in sectors
// and counts for 1.1 and 1.2 only. It fails with a *TooSmallError.
func UsableSectors(v md.Version, deviceSectors, dataOffset uint64, ppl bool) (uint64, error) {
	need := dataOffset
	usable := deviceSectors
	switch v {
	case md.V090:
		need = md.Super0Reserved / md.SectorSize
		usable = deviceSectors &^ (need - 1)
	case md.V10:
		const superArea = 8 * 2
		usable = deviceSectors &^ 7
		need = superArea + bblogArea + reserved(deviceSectors, ppl)
	}
	if usable < need {
		return 0, &TooSmallError{Version: v, Sectors: deviceSectors, Need: need}
	}
	return usable - need, nil
}

// ErrBitmapChunk marks a bitmap chunk so small that the bitmap does not fit.
var ErrBitmapChunk = errors.New("bitmap chunk is too small, or there is no room for a bitmap")

// bitmapGeometry says where the internal bitmap of a new array goes, in
// sectors from the superblock, and how much data one bit stands for, in bytes.
// used is the sectors in use on each member, syncSize the sectors the bitmap
// covers, want the chunk asked for in bytes or 0 (super0.c and super1.c,
// add_internal_bitmap).
func bitmapGeometry(v md.Version, used, syncSize, want uint64) (off int32, chunk uint64, err error) {
	const super = md.BitmapSuperSize
	maxBits := uint64(60<<10-super) * 8
	room := uint64(0)
	if v != md.V090 {
		room = BitmapSpace(used)
		if want == 0 {
			room = min(room, 128*2)
		}
		if room <= 1 {
			return 0, 0, ErrBitmapChunk
		}
		maxBits = (room*md.SectorSize - super) * 8
	}
	if chunk, err = bitmapChunk(maxBits, syncSize, want); err != nil {
		return 0, 0, err
	}
	if v == md.V10 {
		// The bitmap ends where the bad block log begins, and that ends at the
		// superblock.
		bits := syncSize*md.SectorSize/chunk + 1
		pages := ((bits+7)/8 + super + 4095) / 4096
		return -int32(pages*8) - bblogArea, chunk, nil
	}
	return 8, chunk, nil
}
