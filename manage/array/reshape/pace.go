package reshape

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/node"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// A restripe that moves data to another offset needs no backup as long as the
// superblocks never lag by more than the distance: after a stop or a power cut it goes
// on from an earlier position, and must not have overwritten the old data from there on.
// The kernel takes care of this only in arrays that were assembled in the middle of the
// restripe. It computes the distance in raid5_run, and takes it to be 0 in a restripe
// that it starts (raid5.c, min_offset_diff); it then writes superblocks every ten
// seconds, however far it has come. If the number of data members does not change, that
// loses data. But it also writes superblocks when it reaches sync_max (reshape_request),
// so we raise that by no more than the distance at a time.

// paceOf returns by how many sectors of each member a restripe may proceed at a time; 0
// if the kernel needs no help.
func (g *Grower) paceOf(r *Running) (uint64, error) {
	if !r.aside || r.now.level == md.LevelRAID10 || r.T.Before.Data != r.T.After.Data {
		return 0, nil
	}
	members, err := g.live.Members()
	if err != nil {
		return 0, err
	}
	distance := uint64(math.MaxUint64)
	for _, m := range members {
		to, err := g.newOffset(m)
		if err != nil || m.Is(sysmd.MemberFaulty) || m.Slot < 0 {
			continue
		}
		distance = min(distance, max(to, m.Offset)-min(to, m.Offset))
	}
	return stride(distance, r.now.chunk, r.T.ToChunk)
}

// stride returns the distance rounded down to whole chunks, both old and new. Chunks are
// in bytes, the distance and the result in sectors.
func stride(distance, chunk, toChunk uint64) (uint64, error) {
	unit := max(chunk, toChunk) / md.SectorSize // both are powers of two
	if distance < unit {
		return 0, fmt.Errorf("data moves by %d sectors only, which is less than a chunk", distance)
	}
	return distance - distance%unit, nil
}

// hold limits a restripe that is about to start to the distance by which its data moves,
// until it is paced.
func (g *Grower) hold(ctx context.Context, now geometry, t *Transition) (held bool, err error) {
	r := &Running{now: now, T: *t, aside: true}
	step, err := g.paceOf(r)
	if err != nil || step == 0 {
		return false, err
	}
	return true, g.do(ctx, attr(g.live.Sysfs.SyncMaxTo(sysmd.Some(step))))
}

// pace raises the limit of a restripe step by step until it is done. If it is
// interrupted, the restripe waits at its limit.
func (g *Grower) pace(ctx context.Context, r *Running, step uint64) error {
	w := &Guard{G: g, R: r, array: g.live.Sysfs}
	for limit := uint64(0); ; {
		done, total, err := w.completed()
		switch {
		case stopped(err):
			return nil // it was stopped; once it is assembled again the kernel knows the distance
		case err != nil:
			return err
		case total > 0 && done+step >= total:
			return w.release()
		case total > 0 && done >= limit:
			limit = done - done%step + step
			if err := w.array.SetSyncMax(sysmd.Some(limit)); err != nil {
				return err
			}
		}
		if over, err := w.over(ctx); stopped(err) {
			return nil
		} else if over || err != nil {
			return err
		}
		if !node.Pause(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// completed reads how many sectors of each member are done, in the superblocks too, and
// the total; the total is 0 if the kernel does not say.
func (w *Guard) completed() (done, total uint64, err error) {
	p, err := w.array.SyncCompleted()
	if err != nil || !p.Running || p.Delayed {
		return 0, 0, err
	}
	if w.G.Progress != nil {
		w.G.Progress(p.Done, p.Total)
	}
	return p.Done, p.Total, nil
}
