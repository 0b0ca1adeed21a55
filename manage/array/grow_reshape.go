package array

import (
	"context"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// reshape goes the way that was found (Grow.c, reshape_array).
func (g *grower) reshape(ctx context.Context, now geometry, t *transition) error {
	if err := g.shed(ctx, now, t); err != nil {
		return err
	}
	toLayout := t.toLayout
	if t.level != now.level {
		if err := g.impose(ctx, t.level); err != nil {
			return err
		}
		toLayout = nil // the new level has brought its own
		if err := g.freeze(ctx); err != nil {
			return err
		}
	}
	if err := g.add(ctx); err != nil {
		return err
	}
	backup := t.backup
	if backup == 0 && g.DataOffset != nil {
		backup = uint64(t.before.data) * now.chunk / md.SectorSize
	}
	switch {
	case backup == 0:
		return g.direct(ctx, now, t, toLayout)
	case now.level == md.LevelRAID10:
		return g.reshapeRAID10(ctx, now, t)
	}
	return g.restripe(ctx, now, t, backup)
}

// shed removes what a striped array without redundancy cannot have: the copies
// of every chunk but one.
func (g *grower) shed(ctx context.Context, now geometry, t *transition) error {
	if g.Level == nil || *g.Level != md.LevelRAID0 {
		return nil
	}
	copies := 0
	switch {
	case now.level == md.LevelRAID1:
		copies = now.disks
	case now.level == md.LevelRAID10 && now.layout == 0x102 && now.disks%2 == 0:
		copies = 2
	}
	extra, err := g.extraCopies(copies, now.disks)
	if err != nil {
		return err
	}
	for _, m := range extra {
		err := g.do(ctx, g.lost(m, "state", "faulty"), g.lost(m, "slot", "none"), g.lost(m, "state", "remove"))
		if err != nil {
			return g.failed(ctx, err, "cannot remove %s from %s", m.path, g.Array)
		}
	}
	return nil
}

// lost is a step after which a member no longer is one.
func (g *grower) lost(m *shownMember, attr, value string) Step {
	return NewStep(StepInfo{Kind: KindSysfs, Target: m.dir.Path(attr), What: attr, Value: value},
		func(context.Context) error { return m.dir.Write(attr, value) },
		func(context.Context) error { return ErrNoUndo })
}

// extraCopies chooses one member in sync of every group of copies to stay, and
// gives all others.
func (g *grower) extraCopies(copies, disks int) (extra []*shownMember, err error) {
	if copies == 0 {
		return nil, nil
	}
	members, err := g.live.members()
	if err != nil {
		return nil, err
	}
	kept := make(map[int]bool)
	for _, m := range members {
		group := m.slot / copies
		if m.slot >= 0 && m.slot < disks && !kept[group] && m.is("in_sync") && !m.is("faulty") {
			kept[group] = true
			continue
		}
		extra = append(extra, m)
	}
	if len(kept) < disks/copies {
		g.Report.extra(Always, "%s has lost every copy of some data", g.Array)
		return nil, errGrow
	}
	return extra, nil
}

// impose changes the level, which moves no data.
func (g *grower) impose(ctx context.Context, level md.Level) error {
	info, err := g.dev.ArrayInfo()
	if err != nil {
		return err
	}
	if level == md.LevelRAID0 && md.Level(info.Level).Parity() {
		if err := g.dropParity(ctx, &info); err != nil {
			return err
		}
	}
	word := levelWord(level)
	if err := g.do(ctx, g.attr(g.live.Dir, "level", word)); err != nil {
		g.Report.say(Always, "%s: could not set level to %s", g.Array, word)
		g.busyWithBitmap(err, "level", "")
		g.Report.kernelSaid(g.log, g.live.Name)
		g.undo(ctx)
		return &Said{err}
	}
	if !g.DryRun {
		g.Report.say(Normal, "level of %s changed to %s", g.Array, word)
	}
	g.frozen = true // it stays so through a level that has nothing to freeze
	return g.refresh()
}

// dropParity removes the members that hold nothing but parity, and spares.
func (g *grower) dropParity(ctx context.Context, info *mdctl.ArrayInfo) error {
	data := info.RaidDisks - 1
	if md.Level(info.Level) == md.LevelRAID6 {
		data--
	}
	_ = g.do(ctx, g.set(g.live.Dir, "sync_action", "idle"))
	for i := range g.live.Disks {
		d := &g.live.Disks[i]
		if d.State&mdctl.DiskActive != 0 && d.RaidDisk < data {
			continue
		}
		major, minor := uint32(d.Major), uint32(d.Minor)
		if d.State&mdctl.DiskActive != 0 {
			fail := NewStep(StepInfo{Kind: KindIoctl, Target: g.Array, What: "SET_DISK_FAULTY", Value: devNumber(d)},
				func(context.Context) error { return g.dev.SetDiskFaulty(major, minor) },
				func(context.Context) error { return ErrNoUndo })
			if err := g.do(ctx, fail); err != nil {
				return g.failed(ctx, err, "set device faulty failed for %s:  %s", devNumber(d), errnoText(err))
			}
		}
		m := &manager{ManageRequest: ManageRequest{Array: g.Array, Force: true}, dev: g.dev, live: g.live}
		remove := NewStep(StepInfo{Kind: KindIoctl, Target: g.Array, What: "HOT_REMOVE_DISK", Value: devNumber(d)},
			func(context.Context) error { return m.hotRemove(&target{major: major, minor: minor}) },
			func(context.Context) error { return ErrNoUndo })
		if err := g.do(ctx, remove); err != nil {
			return g.failed(ctx, err, "hot remove failed for %s: %s", devNumber(d), errnoText(err))
		}
	}
	return nil
}

// refresh reads the array again. A dry run keeps what it had.
func (g *grower) refresh() error {
	if g.DryRun {
		return nil
	}
	live, err := readLive(g.dev, g.Array, g.live.FS)
	if err == nil {
		g.live = live
	}
	return err
}

// add adds the devices that came with the request, now that the array has the
// level for them and does not use them before it should.
func (g *grower) add(ctx context.Context) error {
	if len(g.Devices) == 0 {
		return nil
	}
	m := &manager{
		ManageRequest: ManageRequest{Array: g.Array, Devices: g.Devices, DryRun: g.DryRun, Report: g.Report},
		dev:           g.dev, live: g.live, result: &ManageResult{}, tried: true,
	}
	err := m.run(ctx)
	g.result.Steps = append(g.result.Steps, m.result.Steps...)
	if err != nil {
		return err
	}
	return g.refresh()
}

// direct makes changes for which no data has to move.
func (g *grower) direct(ctx context.Context, now geometry, t *transition, layout *int32) error {
	info, err := g.dev.ArrayInfo()
	if err != nil {
		return err
	}
	if layout != nil && *layout != info.Layout {
		if err := g.setLayout(ctx, *layout); err != nil {
			return err
		}
	}
	if disks := now.disks + t.delta; t.delta != 0 && int(info.RaidDisks) != disks && !(g.DryRun && t.level != now.level) {
		if err := g.do(ctx, g.disks(disks)); err != nil {
			return g.failed(ctx, err, "failed to set raid disks")
		}
		g.print(Normal, "raid_disks for %s set to %d", g.Array, disks)
	}
	if t.toChunk != 0 && t.toChunk != uint64(info.ChunkSize) && !(g.DryRun && t.level != now.level) {
		if err := g.do(ctx, g.attr(g.live.Dir, "chunk_size", strconv.FormatUint(t.toChunk, 10))); err != nil {
			return g.failed(ctx, err, "failed to set chunk size")
		}
		g.print(Normal, "chunk size for %s set to %d", g.Array, t.toChunk)
	}
	return nil
}

// disks asks for another number of members. While a restripe is only prepared
// the kernel shows the old number, so that is what undoing writes.
func (g *grower) disks(n int) Step {
	old := g.live.Info.RaidDisks
	step := g.change("raid-disks "+strconv.Itoa(n), func(i *mdctl.ArrayInfo) { i.RaidDisks = int32(n) })
	return NewStep(step.Describe(), step.Apply, func(context.Context) error {
		return g.live.Dir.Write("raid_disks", strconv.Itoa(int(old)))
	})
}

// announce sets the shape that the restripe is to lead to.
func (g *grower) announce(ctx context.Context, now geometry, t *transition) error {
	disks := t.after.data + t.parity
	var err error
	text := ""
	if now.chunk == t.toChunk && t.before.layout == t.after.layout {
		if err = g.do(ctx, g.disks(disks)); err != nil {
			text = ": " + errnoText(err)
		}
	} else {
		err = g.do(ctx, g.shapeAttrs(t, disks)...)
	}
	if err == nil {
		return nil
	}
	g.Report.say(Always, "Cannot set device shape for %s%s", g.Array, text)
	g.busyWithBitmap(err, "shape", "")
	g.Report.kernelSaid(g.log, g.live.Name)
	g.undo(ctx)
	return &Said{err}
}

// shapeAttrs sets all three, in case something is left of an earlier attempt.
func (g *grower) shapeAttrs(t *transition, disks int) []Step {
	dir := g.live.Dir
	return []Step{
		g.shapeAttr("chunk_size", strconv.FormatUint(t.toChunk, 10), strconv.Itoa(int(g.live.Info.ChunkSize))),
		g.shapeAttr("layout", strconv.Itoa(int(t.after.layout)), strconv.Itoa(int(g.live.Info.Layout))),
		NewStep(StepInfo{Kind: KindSysfs, Target: dir.Path("raid_disks"), What: "raid_disks", Value: strconv.Itoa(disks)},
			func(context.Context) error { return dir.Write("raid_disks", strconv.Itoa(disks)) },
			func(context.Context) error { return dir.Write("raid_disks", strconv.Itoa(int(g.live.Info.RaidDisks))) }),
	}
}

// shapeAttr is an attribute that shows old and new together, once it is set.
func (g *grower) shapeAttr(name, value, old string) Step {
	dir := g.live.Dir
	return NewStep(StepInfo{Kind: KindSysfs, Target: dir.Path(name), What: name, Value: value},
		func(context.Context) error { return dir.Write(name, value) },
		func(context.Context) error { return dir.Write(name, old) })
}

// start begins the restripe. There is no way back from there.
func (g *grower) start(ctx context.Context) error {
	err := g.do(ctx, g.set(g.live.Dir, "sync_action", "reshape"))
	if err == nil {
		g.done, g.frozen = nil, false
	}
	return err
}

// reshapeRAID10 restripes a raid10: data always moves to another offset, so
// nothing needs to be kept elsewhere (Grow.c, raid10_reshape).
func (g *grower) reshapeRAID10(ctx context.Context, now geometry, t *transition) error {
	dir := g.live.Dir
	if t.delta != 0 {
		_ = g.do(ctx, g.attr(dir, "reshape_direction", direction(t.delta < 0)))
	}
	if t.delta < 0 && now.spaceAfter < t.minOffset {
		if err := g.do(ctx, g.attr(dir, "component_size", strconv.FormatUint((now.size-t.minOffset)/2, 10))); err != nil {
			return g.failed(ctx, err, "cannot reduce component size")
		}
	}
	moved, err := g.moveData(ctx, t.delta, t.minOffset, false)
	if err != nil {
		return err
	}
	if !moved {
		g.Report.say(Always, "Cannot set new_data_offset: RAID10 reshape not")
		g.Report.more(Always, "supported on this kernel")
		g.undo(ctx)
		return errGrow
	}
	err = g.do(ctx, g.shapeAttrs(t, now.disks+t.delta)...)
	if err == nil {
		err = g.start(ctx)
	}
	if err != nil {
		g.Report.say(Always, "Cannot set array shape for %s", g.Array)
		g.busyWithBitmap(err, "shape", "       ")
		g.Report.kernelSaid(g.log, g.live.Name)
		g.undo(ctx)
		return &Said{err}
	}
	return nil
}

func direction(back bool) string {
	if back {
		return "backwards"
	}
	return "forwards"
}

// restripe moves data of a parity array (Grow.c, reshape_array).
func (g *grower) restripe(ctx context.Context, now geometry, t *transition, unit uint64) error {
	if g.BackupFile == "" {
		moved, err := g.moveData(ctx, t.after.data-t.before.data, t.minOffset, true)
		if err != nil {
			return err
		}
		if moved {
			return g.restripeAside(ctx, now, t, unit)
		}
		if g.DataOffset != nil {
			return g.failed(ctx, errGrow, "Cannot update data_offset on this array")
		}
	}
	return g.restripeInPlace(ctx, now, t, unit)
}

// restripeAside restripes to another data offset: every stripe is written
// where nothing that is still needed lies.
func (g *grower) restripeAside(ctx context.Context, now geometry, t *transition, unit uint64) error {
	if err := g.cache(ctx, now, t, unit); err != nil {
		return g.failed(ctx, err, "cannot enlarge the stripe cache of %s", g.Array)
	}
	if err := g.announce(ctx, now, t); err != nil {
		return err
	}
	held, err := g.hold(ctx, now, t)
	if err != nil {
		return g.failed(ctx, err, "cannot limit the reshape of %s", g.Array)
	}
	if err := g.start(ctx); err != nil {
		return g.failed(ctx, err, "Failed to initiate reshape!")
	}
	if t.toLevel == t.level && !held {
		return nil
	}
	return g.carryOn(ctx, t, "")
}

// cache makes room in the stripe cache for four of the larger chunks, and for
// a unit of the restripe.
func (g *grower) cache(ctx context.Context, now geometry, t *transition, unit uint64) error {
	const page = 4096 / md.SectorSize
	want := max(now.chunk, t.toChunk) * 4 / md.SectorSize
	want = max(want, 16+unit/uint64(min(t.before.data, t.after.data))) / page
	have, err := g.live.Dir.ReadUint("stripe_cache_size")
	if err != nil || have >= want {
		if g.DryRun {
			err = nil // the level that has one comes first
		}
		return err
	}
	return g.do(ctx, g.attr(g.live.Dir, "stripe_cache_size", strconv.FormatUint(want+1, 10)))
}

// carryOn has somebody see the reshape through: in the background, if there is
// one, or here and now.
func (g *grower) carryOn(ctx context.Context, t *transition, backup string) error {
	next := GrowRequest{Array: g.Array, Continue: true, BackupFile: backup, Report: g.Report, Progress: g.Progress}
	if t.toLevel != t.level {
		next.Level = &t.toLevel
	}
	info := StepInfo{Kind: KindDevice, Target: g.Array, What: "see the reshape through"}
	if next.Level != nil {
		info.Value = "then level " + levelWord(*next.Level)
	}
	err := g.do(ctx, NewStep(info, func(ctx context.Context) error {
		if g.Background != nil {
			return g.Background(next)
		}
		g.GrowRequest = next
		return g.resume(ctx)
	}, nil))
	if err != nil && !WasSaid(err) {
		return g.Report.fail(err, "the reshape of %s waits for mdadm --grow --continue: %v", g.Array, err)
	}
	return err
}

// tooBig is what the kernel answers if a data offset cannot be.
func tooBig(err error) bool { return errors.Is(err, unix.E2BIG) }
