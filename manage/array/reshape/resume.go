package reshape

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/sysfs"
)

// resume sees a reshape through that is under way, and changes to the level
// that was to follow.
func (g *Grower) resume(ctx context.Context) error {
	// An open array cannot be stopped.
	_ = g.dev.Close()
	if err := g.guard(ctx); err != nil {
		return err
	}
	if err := waitReshape(ctx, g.live.Dir); err != nil {
		return err
	}
	if g.Level == nil {
		return nil
	}
	dev, err := mdctl.Open(g.Array, os.O_RDWR)
	if err != nil {
		return err
	}
	defer dev.Close()
	g.dev = dev
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
		if !node.Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Running is a reshape that is under way, as sysfs shows it.
type Running struct {
	now      geometry // before it
	T        Transition
	position uint64 // sectors of the array
	aside    bool   // data moves to another offset, so that nothing needs to be kept elsewhere
}

// reshaping reads what the array is being reshaped to; nil if it is not.
func (g *Grower) reshaping() (*Running, error) {
	dir := g.live.Dir
	position, err := dir.ReadUint("reshape_position")
	if err != nil {
		return nil, nil // "none", or a level that never does
	}
	r := &Running{position: position, now: geometry{path: g.Array, level: md.Level(g.live.Info.Level), size: g.live.Size}}
	level := r.now.level
	newDisks, oldDisks, err1 := pair(dir, "raid_disks")
	newLayout, oldLayout, err2 := pair(dir, "layout")
	newChunk, oldChunk, err3 := pair(dir, "chunk_size")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	parity := 1
	if level == md.LevelRAID6 {
		parity = 2
	}
	r.now.disks, r.now.layout, r.now.chunk = int(oldDisks), int32(oldLayout), uint64(oldChunk)
	r.T = Transition{
		Level: level, ToLevel: level, Parity: parity, ToChunk: uint64(newChunk), Delta: int(newDisks - oldDisks),
		Before: Arrangement{Data: int(oldDisks) - parity, Layout: int32(oldLayout)},
		After:  Arrangement{Data: int(newDisks) - parity, Layout: int32(newLayout)},
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
		if to, err := m.Dir.ReadUint("new_offset"); err == nil && to != m.Offset {
			r.aside = true
		}
	}
	return r, nil
}

// pair reads an attribute that shows "new (old)" during a reshape, and else
// the one value.
func pair(dir sysfs.Dir, name string) (next, old int64, err error) {
	text, err := dir.Read(name)
	if err != nil {
		return 0, 0, err
	}
	first, rest, both := strings.Cut(text, " ")
	if next, err = strconv.ParseInt(first, 10, 64); err != nil || !both {
		return next, next, err
	}
	old, err = strconv.ParseInt(strings.Trim(rest, "() "), 10, 64)
	return next, old, err
}
