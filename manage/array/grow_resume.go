package array

import (
	"context"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/sysfs"
)

// resume sees a reshape through that is under way, and changes to the level
// that was to follow.
func (g *grower) resume(ctx context.Context) error {
	if err := waitReshape(ctx, g.live.Dir); err != nil {
		return err
	}
	if g.Level == nil {
		return nil
	}
	if err := g.refresh(); err != nil {
		return err
	}
	if md.Level(g.live.Info.Level) == *g.Level {
		return nil
	}
	return g.impose(ctx, *g.Level)
}

// waitReshape waits until the array no longer reshapes.
func waitReshape(ctx context.Context, dir sysfs.Dir) error {
	for {
		action, err := dir.Read("sync_action")
		if err != nil || action != "reshape" {
			return err
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// restripeInPlace restripes within the space that the data takes already.
func (g *grower) restripeInPlace(ctx context.Context, _ geometry, t *transition, _ uint64) error {
	if t.after.data <= t.before.data && g.BackupFile == "" {
		g.Report.say(Always, "%s: Cannot grow - need backup-file", g.Array)
		return g.failed(ctx, errGrow, " Please provide one with \"--backup=...\"")
	}
	return g.failed(ctx, errGrow, "%s: Cannot grow - need a spare or backup-file to backup critical section", g.Array)
}
