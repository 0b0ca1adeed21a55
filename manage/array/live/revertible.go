package live

import (
	"context"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/node"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// A reshape that changes the number of devices can be reverted only from a place that is
// a whole number of stripes in both shapes, which --update=revert-reshape insists on. So
// before an array is stopped, its reshape goes on to such a place, if that is near
// (Manage.c, Manage_stop).

// parities is how many devices of each stripe have parity, by level.
var parities = map[sysmd.Level]int64{"raid4": 1, "raid5": 1, "raid6": 2}

// turn is a place where a reshape can be turned round.
type turn struct {
	position uint64 // in the array, in sectors
	limit    uint64 // sync_max that stops the reshape there
}

// toTurn lets a reshape go on to where it can be turned round, and waits for that, no
// longer than three seconds. Failures do not matter: the array can be stopped anywhere.
func (r *Running) toTurn(ctx context.Context) {
	a := sysmd.At(r.fs, r.Kernel)
	if action, err := a.SyncAction(); err != nil || action != sysmd.Reshape {
		return
	}
	disks, err := a.RaidDisks()
	limit, limitErr := a.SyncMax()
	// A limit is that of the process that backs up the reshape: it must not be raised.
	if err != nil || limitErr != nil || limit.Set || disks.Now == disks.Old || a.SetSyncAction(sysmd.Frozen) != nil {
		return
	}
	to, ok := nextTurn(a, disks)
	if ok {
		ok = a.SetSyncMax(sysmd.Some(to.limit)) == nil
	}
	if a.SetSyncAction(sysmd.Idle) != nil || !ok {
		return
	}
	for range 300 {
		at, err := a.ReshapePosition()
		there := at.N >= to.position
		if disks.Now < disks.Old {
			there = at.N <= to.position
		}
		if err != nil || !at.Set || there || !node.Pause(ctx, 10*time.Millisecond) {
			return
		}
	}
}

// nextTurn returns the next place but one: the reshape may be beyond its position.
func nextTurn(a *sysmd.Array, disks sysmd.Transition) (turn, bool) {
	level, err := a.Level()
	parity, known := parities[level]
	chunk, chunkErr := a.ChunkSize()
	size, sizeErr := a.ComponentSize()
	at, atErr := a.ReshapePosition()
	data, old := uint64(disks.Now-parity), uint64(disks.Old-parity)
	if err != nil || chunkErr != nil || sizeErr != nil || atErr != nil || !known || !at.Set || chunk.Now == 0 {
		return turn{}, false
	}
	stripes := multiple(uint64(chunk.Now), uint64(chunk.Old)) / md.SectorSize
	unit := stripes * multiple(data, old)
	if data > old {
		to := (at.N/unit + 2) * unit
		return turn{to, to / data}, to/data < size*2
	}
	if at.N < 2*unit {
		return turn{}, false
	}
	to := (at.N/unit - 1) * unit
	return turn{to, size*2/stripes*stripes - to/data}, true
}

// multiple returns the least common multiple.
func multiple(a, b uint64) uint64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
