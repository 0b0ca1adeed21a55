package reshape

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
)

// geometry is the present shape of an array.
type geometry struct {
	path       string // what messages call the array
	level      md.Level
	layout     int32
	chunk      uint64 // bytes
	disks      int
	size       uint64 // sectors used on each member
	spaceAfter uint64 // free sectors after the data on every member; raid10 only
}

// wish is the requested shape; nil and 0 mean "unchanged".
type wish struct {
	level  *md.Level
	layout *int32
	chunk  uint64 // bytes
	delta  *int   // change of the number of members
}

// Arrangement is how data lies on the members before or after a restripe.
type Arrangement struct {
	Data   int // members' worth of data in each stripe; for raid10 all members
	Layout int32
}

// Transition is the way from a geometry to a wish: a change of level that moves no data,
// then a restripe at that level, then perhaps another such change of level.
type Transition struct {
	Level         md.Level // during the restripe
	Before, After Arrangement
	Parity        int
	// Backup is the smallest unit of the restripe in sectors of data: whole stripes both
	// before and after. It is 0 if no data has to move.
	Backup    uint64
	minOffset uint64 // sectors by which data must move on each member so that no backup is needed
	newSize   uint64 // size of the array afterwards, in sectors

	ToLevel  md.Level
	toLayout *int32 // nil if it follows from the level
	ToChunk  uint64 // bytes
	Delta    int
}

// refusal says why a change of shape is impossible, in mdadm's words.
type refusal string

func (r refusal) Error() string { return string(r) }

// analyse finds the transition, or says why there is none (Grow.c, analyse_change).
func analyse(now geometry, want wish) (*Transition, error) {
	a := &analyst{now: now, want: want, t: &Transition{ToLevel: now.level, toLayout: want.layout, ToChunk: want.chunk}}
	if want.level != nil {
		a.t.ToLevel = *want.level
	}
	if err := a.chunk(); err != nil {
		return nil, err
	}
	var err error
	var direct bool // the level alone decides: no restripe is needed
	switch now.level {
	case md.LevelLinear:
		if want.delta != nil {
			return nil, refusal("Only --add is supported for LINEAR, setting --raid-disks is not needed")
		}
		return nil, refusal("Only --add is supported for LINEAR, other --grow options are not meaningful")
	case md.LevelRAID1:
		direct, err = a.fromMirror()
	case md.LevelRAID10:
		return a.t, a.fromRAID10()
	case md.LevelRAID0:
		direct, err = a.fromRAID0()
	case md.LevelRAID4, md.LevelRAID5:
		direct, err = a.fromParity()
	case md.LevelRAID6:
		err = a.fromRAID6()
	default:
		err = refusal("No reshape is possibly for this RAID level")
	}
	if err != nil || direct {
		return a.t, err
	}
	if err := a.target(); err != nil {
		return nil, err
	}
	a.restripe()
	if a.t.Backup == 0 && a.t.ToLevel == md.LevelRAID0 && now.level == md.LevelRAID5 && now.layout != md.LayoutParityLast {
		return nil, errSpreadParity
	}
	return a.t, nil
}

// errSpreadParity refuses to drop the parity of a two-disk raid5 if both members have
// some of it. mdadm ends without a word.
var errSpreadParity = errors.New("the parity is spread over all members: change the layout to parity-last first")

// analyst holds what analyse has found out so far.
type analyst struct {
	now         geometry
	want        wish
	t           *Transition
	deltaParity int // change of the number of members that follows from the level
}

// chunk checks the requested chunk size.
func (a *analyst) chunk() error {
	if a.want.chunk == 0 {
		a.t.ToChunk = a.now.chunk
		return nil
	}
	if !a.t.ToLevel.Striped() {
		return refusal("chunk size not meaningful for this level")
	}
	sectors := a.want.chunk / md.SectorSize
	if a.now.size%sectors == 0 {
		return nil
	}
	return refusal(fmt.Sprintf("New chunk size (%dK) does not evenly divide device size (%dk)\n"+
		"After shrinking any filesystem, \"mdadm --grow %s --size %d\"\n"+
		"will shrink the array so the given chunk size would work.",
		a.want.chunk/1024, a.now.size/2, a.now.path, (a.now.size&^(sectors-1))/2))
}

// asks reports whether the number of members is to change.
func (a *analyst) asks() bool { return a.want.delta != nil && *a.want.delta != 0 }

func (a *analyst) setDelta() {
	if a.want.delta != nil {
		a.t.Delta = *a.want.delta
	}
}

func (a *analyst) fromMirror() (direct bool, err error) {
	t := a.t
	if t.ToLevel > 1 && a.now.size&7 != 0 {
		return false, refusal("Cannot convert RAID1 of this size - reduce size to multiple of 4K first.")
	}
	a.setDelta()
	switch {
	case t.ToLevel == md.LevelRAID0:
		if a.asks() {
			return false, refusal("Cannot change number of disks with RAID1->RAID0 conversion")
		}
		t.Level, t.Before.Data, t.After.Data = md.LevelRAID0, 1, 1
		return true, nil
	case t.ToLevel == md.LevelRAID1:
		if a.want.delta == nil {
			return false, refusal("no change requested for Growing RAID1")
		}
		t.Level = md.LevelRAID1
		return true, nil
	case t.ToLevel != md.LevelRAID5:
		return false, refusal("Impossibly level change request for RAID1")
	case a.now.disks != 2:
		return false, refusal("Can only convert a 2-device array to RAID5")
	}
	t.Level, t.Before.Data, t.After.Data = md.LevelRAID5, 1, 1+t.Delta
	if t.After.Data < 1 {
		return false, refusal("Number of disks too small for RAID5")
	}
	t.Before.Layout = md.LayoutLeftSymmetric
	a.now.chunk = 64 << 10 // the kernel's choice (raid5.c, raid5_takeover_raid1)
	return false, nil
}

func (a *analyst) fromRAID10() error {
	t, layout := a.t, md.ParseRAID10Layout(a.now.layout)
	switch t.ToLevel {
	case md.LevelRAID0:
		switch {
		case a.now.layout&^0xff != 0x100:
			return refusal("Cannot Grow RAID10 with far/offset layout")
		case layout.Near == 0 || a.now.disks%layout.Near != 0:
			return refusal("RAID10 layout too complex for Grow operation")
		}
		disks := a.now.disks / layout.Near
		t.Delta = disks - a.now.disks
		switch {
		case a.want.delta != nil && *a.want.delta != t.Delta:
			return refusal("New number of raid-devices impossible for RAID10")
		case t.ToChunk != a.now.chunk:
			return refusal("Cannot change chunk-size with RAID10 Grow")
		}
		t.Level, t.Before.Data, t.After.Data = md.LevelRAID0, disks, disks
		return nil
	case md.LevelRAID10:
		return a.withinRAID10(layout)
	}
	return refusal("RAID10 can only be changed to RAID0")
}

// noBackup means "data moves, but never over data that is still needed".
const noBackup = ^uint64(0)

func (a *analyst) withinRAID10(layout md.RAID10Layout) error {
	t := a.t
	if layout.Far > 1 && !layout.Offset {
		return refusal("Cannot reshape RAID10 in far-mode")
	}
	oldChunk, next := a.now.chunk*uint64(layout.Far), layout
	t.After.Layout = a.now.layout
	if a.want.layout != nil {
		next = md.ParseRAID10Layout(*a.want.layout)
		switch {
		case next.Far > 1 && !next.Offset:
			return refusal("Cannot reshape RAID10 to far-mode")
		case next.Copies() != layout.Copies():
			return refusal("Cannot change number of copies when reshaping RAID10")
		}
		t.After.Layout = *a.want.layout
	}
	a.setDelta()
	t.Level = md.LevelRAID10
	t.Before = Arrangement{Data: a.now.disks, Layout: a.now.layout}
	t.After.Data = a.now.disks + t.Delta
	t.Backup = noBackup
	t.minOffset = max(oldChunk, t.ToChunk*uint64(next.Far)) / md.SectorSize
	size := a.now.size
	if t.Delta < 0 && a.now.spaceAfter < t.minOffset {
		size -= t.minOffset // each member loses a chunk
	}
	t.newSize = size * uint64(max(t.After.Data, 0)) / uint64(max(layout.Copies(), 1))
	return nil
}

func (a *analyst) fromRAID0() (direct bool, err error) {
	t := a.t
	switch t.ToLevel {
	case md.LevelRAID10:
		return true, a.mirrorStripes()
	case md.LevelRAID0, md.LevelRAID4:
		t.Level, t.Before.Layout = md.LevelRAID4, 0
		if t.ToLevel == md.LevelRAID4 {
			a.deltaParity = 1
		}
	case md.LevelRAID5, md.LevelRAID6:
		t.Level, t.Before.Layout = t.ToLevel, md.LayoutParityLast
		if a.deltaParity = int(t.ToLevel) - 4; t.toLayout == nil {
			layout := fresh.DefaultLayout(t.ToLevel)
			t.toLayout = &layout
		}
	default:
		return false, refusal("Impossible level change requested")
	}
	t.Before.Data = a.now.disks
	return false, nil
}

// mirrorStripes makes a raid10 of a raid0 by adding copies of every member.
func (a *analyst) mirrorStripes() error {
	t, n := a.t, a.now.disks
	copies := 2
	switch {
	case a.want.layout != nil:
		copies = int(*a.want.layout & 0xff)
		if a.want.delta == nil && *a.want.layout != int32(0x100+copies) {
			return refusal("New layout impossible for RAID0->RAID10")
		}
	case a.want.delta != nil:
		copies = 1 + *a.want.delta/n
		if n*(copies-1) != *a.want.delta {
			return refusal("Impossible number of devices for RAID0->RAID10")
		}
	}
	if t.toLayout == nil {
		layout := int32(0x100 + copies)
		t.toLayout = &layout
	}
	if a.setDelta(); a.want.delta == nil {
		t.Delta = (copies - 1) * n
	}
	if t.ToChunk != a.now.chunk {
		return refusal("Cannot change chunk-size with RAID0->RAID10")
	}
	t.Level = md.LevelRAID10
	t.Before = Arrangement{Data: n + t.Delta, Layout: *t.toLayout}
	t.After.Data = t.Before.Data
	return nil
}

// doubled maps each raid5 layout to the raid6 layout that is the same plus a Q on the
// last member.
var doubled = map[int32]int32{
	md.LayoutLeftAsymmetric:  md.LayoutLeftAsymmetric6,
	md.LayoutRightAsymmetric: md.LayoutRightAsymmetric6,
	md.LayoutLeftSymmetric:   md.LayoutLeftSymmetric6,
	md.LayoutRightSymmetric:  md.LayoutRightSymmetric6,
	md.LayoutParityFirst:     md.LayoutParityFirst6,
	md.LayoutParityLast:      md.LayoutParityLast,
}

func (a *analyst) fromParity() (direct bool, err error) {
	t := a.t
	if a.now.level == md.LevelRAID4 {
		a.now.layout = md.LayoutParityLast
	}
	t.Before = Arrangement{Data: a.now.disks - 1, Layout: a.now.layout}
	switch t.ToLevel {
	case md.LevelRAID0:
		a.deltaParity = -1
		t.Level = a.now.level
	case md.LevelRAID4:
		t.Level = a.now.level
	case md.LevelRAID5:
		t.Level = md.LevelRAID5
	case md.LevelRAID6:
		a.deltaParity = 1
		t.Level = md.LevelRAID6
		layout, ok := doubled[a.now.layout]
		if !ok {
			return false, refusal("Cannot convert an array with this layout")
		}
		t.Before.Layout = layout
	case md.LevelRAID1:
		if a.now.disks != 2 {
			return false, refusal("Can only convert a 2-device array to RAID1")
		}
		if a.asks() {
			return false, refusal("Cannot set raid_disk when converting RAID5->RAID1")
		}
		t.Level, t.ToChunk = md.LevelRAID1, 0
		return true, nil
	default:
		return false, refusal("Impossible level change requested")
	}
	return false, nil
}

func (a *analyst) fromRAID6() error {
	switch a.t.ToLevel {
	case md.LevelRAID4, md.LevelRAID5:
		a.deltaParity = -1
	case md.LevelRAID6:
	default:
		return refusal("Impossible level change requested")
	}
	a.t.Level = md.LevelRAID6
	a.t.Before = Arrangement{Data: a.now.disks - 2, Layout: a.now.layout}
	return nil
}

// target finds the layout that can change to the requested level without moving data.
func (a *analyst) target() error {
	t := a.t
	switch t.ToLevel {
	case md.LevelRAID0, md.LevelRAID4:
		switch t.Level {
		case md.LevelRAID4:
			t.Before.Layout, t.After.Layout = 0, 0
		case md.LevelRAID5:
			t.After.Layout = md.LayoutParityLast
		default:
			if t.ToLevel == md.LevelRAID0 {
				return refusal("Cannot covert to RAID0 from this level")
			}
			return refusal("Cannot convert to RAID4 from this level")
		}
	case md.LevelRAID5:
		switch t.Level {
		case md.LevelRAID5:
			t.After.Layout = either(t.toLayout, t.Before.Layout)
		case md.LevelRAID6:
			return a.singleParity()
		default:
			return refusal("Cannot convert to RAID5 from this level")
		}
	case md.LevelRAID6:
		if t.Level != md.LevelRAID6 {
			return refusal("Impossible level change")
		}
		t.After.Layout = either(t.toLayout, a.now.layout)
	default:
		return refusal("Impossible level change requested")
	}
	return nil
}

// singleParity finds the raid6 layout from which Q can be dropped.
func (a *analyst) singleParity() error {
	t := a.t
	layout := either(t.toLayout, t.Before.Layout)
	t.toLayout = &layout
	if layout == md.LayoutParityLast {
		t.After.Layout = layout
		return nil
	}
	if with, ok := doubled[layout]; ok {
		t.After.Layout = with
		return nil
	}
	if layout < md.LayoutLeftAsymmetric6 || layout > md.LayoutParityFirst6 {
		return refusal("Please specify new layout")
	}
	t.After.Layout = layout
	return nil
}

func either(wanted *int32, otherwise int32) int32 {
	if wanted != nil {
		return *wanted
	}
	return otherwise
}

// restripe computes how much data moves.
func (a *analyst) restripe() {
	t := a.t
	if t.Delta = a.deltaParity; a.want.delta != nil {
		t.Delta = *a.want.delta
	}
	t.After.Data = t.Before.Data + t.Delta - a.deltaParity
	switch t.Level {
	case md.LevelRAID6:
		t.Parity = 2
	case md.LevelRAID4, md.LevelRAID5:
		t.Parity = 1
	}
	t.newSize = a.now.size * uint64(max(t.Before.Data, 0))
	if t.ToChunk == 0 {
		t.ToChunk = a.now.chunk
	}
	same := t.After.Data == t.Before.Data && t.After.Layout == t.Before.Layout && t.ToChunk == a.now.chunk
	if same || t.After.Data == 1 && t.Before.Data == 1 {
		t.Level = t.ToLevel // right away
		return
	}
	if t.After.Data < 1 || t.Before.Data < 1 {
		t.newSize = 0 // counts as a smaller array
		t.Backup = noBackup
		return
	}
	t.Unit(a.now.chunk)
	t.newSize = a.now.size * uint64(t.After.Data)
}

// Unit computes the smallest unit of a restripe, for a present chunk size in bytes.
func (t *Transition) Unit(chunk uint64) {
	old := chunk / md.SectorSize * uint64(t.Before.Data)
	next := t.ToChunk / md.SectorSize * uint64(t.After.Data)
	t.Backup = old / gcd(old, next) * next
	t.minOffset = t.Backup / uint64(t.Before.Data)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}
