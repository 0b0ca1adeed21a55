package reshape

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Interrupted is the error of a Grow whose ctx has ended while it accompanied a reshape.
// No writes are suspended; how far the kernel goes without company is limited, and what
// backups there are stay.
type Interrupted struct {
	Next GrowRequest // takes it up again
	Err  error       // of ctx
}

// Error names the array.
func (e *Interrupted) Error() string {
	return fmt.Sprintf("%s: interrupted before the end of the reshape: %v", e.Next.Array, e.Err)
}

// Unwrap returns the error of ctx.
func (e *Interrupted) Unwrap() error { return e.Err }

// resume accompanies a reshape in progress to its end, and changes to the level that
// follows.
func (g *Grower) resume(ctx context.Context) error {
	// An array that is open cannot be stopped.
	_ = g.dev.Close()
	err := g.guard(ctx)
	if err == nil {
		err = waitReshape(ctx, g.live.Sysfs)
	}
	switch {
	case ended(ctx, err):
		next := GrowRequest{Array: g.Array, Continue: true, Level: g.Level, BackupFile: g.BackupFile}
		return &Interrupted{Next: next, Err: err}
	case stopped(err):
		return nil // it was stopped: there is nothing left to accompany
	case err != nil || g.Level == nil:
		return err
	}
	ctx = context.WithoutCancel(ctx) // what is left is short
	dev, err := mdctl.Open(g.Array, os.O_RDWR)
	if err != nil {
		return err
	}
	defer dev.Close()
	g.dev = dev
	if err := g.refresh(ctx); err != nil {
		return err
	}
	return g.lastLevel(ctx, g.Level)
}

// lastLevel changes to the level that follows a reshape, if there is one.
func (g *Grower) lastLevel(ctx context.Context, level *md.Level) error {
	if level == nil || md.Level(g.live.Info.Level) == *level {
		return nil
	}
	return g.changeLevel(ctx, *level)
}

// waitReshape waits until the array is no longer reshaping.
func waitReshape(ctx context.Context, a *sysmd.Array) error {
	for {
		action, err := a.SyncAction()
		if err != nil || action != sysmd.Reshape {
			return err
		}
		if !node.Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Running is a reshape in progress, as sysfs shows it.
type Running struct {
	now      geometry // the shape before
	T        Transition
	position uint64 // in sectors of the array
	aside    bool   // data moves to another offset, so no backup is needed
}

// reshaping reads the reshape of the array from sysfs. It returns nil if there is none.
func (g *Grower) reshaping() (*Running, error) {
	a := g.live.Sysfs
	position, err := a.ReshapePosition()
	if err != nil || !position.Set {
		return nil, nil // no reshape, or a level that has none
	}
	r := &Running{position: position.N, now: geometry{path: g.Array, level: md.Level(g.live.Info.Level), size: g.live.Size}}
	level := r.now.level
	disks, err1 := a.RaidDisks()
	layout, err2 := a.Layout()
	chunk, err3 := a.ChunkSize()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	parity := 1
	if level == md.LevelRAID6 {
		parity = 2
	}
	r.now.disks, r.now.layout, r.now.chunk = int(disks.Old), int32(layout.Old), uint64(chunk.Old)
	r.T = Transition{
		Level: level, ToLevel: level, Parity: parity, ToChunk: uint64(chunk.Now), Delta: int(disks.Now - disks.Old),
		Before: Arrangement{Data: int(disks.Old) - parity, Layout: int32(layout.Old)},
		After:  Arrangement{Data: int(disks.Now) - parity, Layout: int32(layout.Now)},
	}
	if level == md.LevelRAID10 {
		r.aside = true
		return r, nil
	}
	r.T.Unit(r.now.chunk)
	members, err := g.live.Members()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if to, err := m.Sysfs.NewOffset(); err == nil && to != m.Offset {
			r.aside = true
		}
	}
	return r, nil
}
