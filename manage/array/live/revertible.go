package live

import (
	"context"
	"errors"
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

// turns are the places where a reshape can be turned round.
type turns struct {
	unit      uint64 // sectors of the array between two
	data      uint64 // members of a stripe of the new shape that have data
	size      uint64 // sectors of each member
	backwards bool
}

// turnTries is how often the reshape is looked at, every turnPause: three seconds, as
// mdadm has it.
const (
	turnTries = 300
	turnPause = 10 * time.Millisecond
)

// toTurn lets a reshape go on to where it can be turned round, and waits for that, no
// longer than three seconds. Failures do not matter: the array can be stopped anywhere.
func (r *Running) toTurn(ctx context.Context) {
	a := sysmd.At(r.fs, r.Kernel)
	if action, err := a.SyncAction(); err != nil || action != sysmd.Reshape {
		return
	}
	w, ok := turnsOf(a)
	if !ok || !w.pastCritical(ctx, a) || a.SetSyncAction(sysmd.Frozen) != nil {
		return
	}
	at, err := a.ReshapePosition()
	to, ok := w.next(at.N)
	ok = ok && err == nil && at.Set
	top := ceiling{array: a}
	if ok {
		top.lower(w.limit(to))
	}
	if a.SetSyncAction(sysmd.Idle) != nil || !ok {
		return
	}
	for range turnTries {
		at, err := a.ReshapePosition()
		if err != nil || !at.Set || at.N == to || !node.Pause(ctx, turnPause) {
			return
		}
		// The metadata can lag behind the reshape, which has then gone past that place.
		done, err := a.SyncCompleted()
		for err == nil && done.Running && done.Done < done.Total && done.Done > w.limit(to) {
			if to, ok = w.after(to); !ok {
				return
			}
		}
		top.lower(w.limit(to))
	}
}

// ceiling is the sync_max of a reshape that is to be turned round.
type ceiling struct {
	array *sysmd.Array
	set   uint64 // what was written last
}

// lower lowers sync_max. A higher one is that of the process that backs up the reshape,
// which may go on meanwhile; a lower one of that process must not be raised.
func (c *ceiling) lower(sectors uint64) {
	limit, err := c.array.SyncMax()
	if err != nil || limit.Set && limit.N < sectors && limit.N != c.set {
		return
	}
	c.set = sectors
	_ = c.array.SetSyncMax(sysmd.Some(sectors))
}

// turnsOf returns the places for the reshape of an array, if its number of devices
// changes.
func turnsOf(a *sysmd.Array) (turns, bool) {
	level, err := a.Level()
	disks, disksErr := a.RaidDisks()
	parity, known := parities[level]
	chunk, chunkErr := a.ChunkSize()
	kib, sizeErr := a.ComponentSize()
	way, wayErr := a.ReshapeDirection()
	if errors.Join(err, disksErr, chunkErr, sizeErr, wayErr) != nil || !known || disks.Now == disks.Old || chunk.Now == 0 {
		return turns{}, false
	}
	data, old := uint64(disks.Now-parity), uint64(disks.Old-parity)
	stripe := multiple(uint64(chunk.Now), uint64(chunk.Old)) / md.SectorSize
	size := kib * 1024 / md.SectorSize
	return turns{unit: stripe * multiple(data, old), data: data, size: size - size%stripe, backwards: way == sysmd.Backwards}, true
}

// pastCritical waits for the beginning of a reshape that grows to be over, in which
// another process limits it, no longer than four seconds: that process lifts the limit at
// its end, and the reshape would run away.
func (w turns) pastCritical(ctx context.Context, a *sysmd.Array) bool {
	for range turnTries * 4 / 3 {
		limit, err := a.SyncMax()
		if err != nil || w.backwards || !limit.Set {
			return err == nil
		}
		if !node.Pause(ctx, turnPause) {
			return false
		}
	}
	return true
}

// next returns the next place but one: the reshape may be beyond its position.
func (w turns) next(at uint64) (uint64, bool) {
	if !w.backwards {
		to := (at/w.unit + 2) * w.unit
		return to, w.limit(to) < w.size
	}
	if at < 2*w.unit {
		return 0, false
	}
	return (at/w.unit - 1) * w.unit, true
}

// after returns the place that follows.
func (w turns) after(to uint64) (uint64, bool) {
	if w.backwards {
		return to - w.unit, to > w.unit
	}
	return to + w.unit, w.limit(to+w.unit) < w.size
}

// limit returns the sync_max, in sectors of each member, that stops the reshape there.
func (w turns) limit(at uint64) uint64 {
	if w.backwards {
		return w.size - at/w.data
	}
	return at / w.data
}

// multiple returns the least common multiple.
func multiple(a, b uint64) uint64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
