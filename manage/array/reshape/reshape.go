package reshape

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// reshape carries out the transition that was found (Grow.c, reshape_array).
func (g *Grower) reshape(ctx context.Context, now geometry, t *Transition) error {
	if err := g.dropCopies(ctx, now, t); err != nil {
		return err
	}
	toLayout := t.toLayout
	if t.Level != now.level {
		if err := g.changeLevel(ctx, t.Level); err != nil {
			return err
		}
		toLayout = nil // the new level has determined it
		if err := g.freeze(ctx); err != nil {
			return err
		}
	}
	if err := g.add(ctx); err != nil {
		return err
	}
	backup := t.Backup
	if backup == 0 && g.DataOffset != nil {
		backup = uint64(t.Before.Data) * now.chunk / md.SectorSize
	}
	switch {
	case backup == 0:
		return g.direct(ctx, now, t, toLayout)
	case now.level == md.LevelRAID10:
		return g.reshapeRAID10(ctx, now, t)
	}
	return g.restripe(ctx, now, t, backup)
}

// dropCopies removes what a striped array without redundancy cannot have: all copies of
// a chunk but one.
func (g *Grower) dropCopies(ctx context.Context, now geometry, t *Transition) error {
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
		err := g.do(ctx, lost(m.Sysfs.CommandTo(sysmd.Fail)), lost(m.Sysfs.SlotTo(sysmd.NoSlot)), lost(m.Sysfs.CommandTo(sysmd.Remove)))
		if err != nil {
			return g.failed(ctx, err, "reshape.cannot-remove", m.Path, g.Array)
		}
	}
	return nil
}

// lost returns a step after which a member is no longer a member.
func lost(s sysmd.Setting) plan.Step {
	return plan.NewSetting(s, func(context.Context) error { return plan.ErrNoUndo })
}

// extraCopies chooses one in-sync member of every group of copies to keep, and returns
// all others.
func (g *Grower) extraCopies(copies, disks int) (extra []*live.ShownMember, err error) {
	if copies == 0 {
		return nil, nil
	}
	members, err := g.live.Members()
	if err != nil {
		return nil, err
	}
	kept := make(map[int]bool)
	for _, m := range members {
		group := m.Slot / copies
		if m.Slot >= 0 && m.Slot < disks && !kept[group] && m.Is(sysmd.MemberInSync) && !m.Is(sysmd.MemberFaulty) {
			kept[group] = true
			continue
		}
		extra = append(extra, m)
	}
	if len(kept) < disks/copies {
		g.Report.Extra(note.Always, "reshape.has-lost-every-copy-some-data", g.Array)
		return nil, errGrow
	}
	return extra, nil
}

// changeLevel changes the level, which moves no data.
func (g *Grower) changeLevel(ctx context.Context, level md.Level) error {
	info, err := g.info()
	if err != nil {
		return err
	}
	word := LevelWord(level)
	change := attr(g.live.Sysfs.LevelTo(sysmd.Level(word)))
	if level == md.LevelRAID0 && md.Level(info.Level).Parity() {
		if err := g.dropParity(ctx, &info); err != nil {
			return err
		}
		change = patient(change)
	}
	step := plan.Foreseen(change, func() error { return g.foreseeLevel(level) })
	if err := g.do(ctx, step); err != nil {
		g.Report.Say(note.Always, "reshape.could-not-set-level", g.Array, word)
		g.busyWithBitmap(err, "level", "")
		g.Report.KernelSaid(g.log, g.live.Name)
		g.undo(ctx)
		return &note.Reported{Err: err}
	}
	g.frozen = true // it remains frozen through a level that cannot be frozen
	return g.do(ctx, plan.SayStep(func() {
		g.Report.Say(note.Normal, "reshape.level-changed", g.Array, word)
	}), plan.AsideStep(g.reread))
}

// foreseeLevel records the shape that a level brings with it.
func (g *Grower) foreseeLevel(level md.Level) error {
	l := g.live
	bytes, err := g.arrayBytes()
	if err != nil {
		return err
	}
	sectors, from := bytes/md.SectorSize, md.Level(l.Info.Level)
	next, ok := takenOver(l.Info, sectors, level)
	if !ok {
		return unix.EINVAL
	}
	size := l.Size
	if from == md.LevelRAID0 {
		size = sectors / uint64(max(l.Info.RaidDisks, 1)) &^ 1 // whole KiB
		if level == md.LevelRAID10 {                           // every member is followed by a copy
			for i := range l.Disks {
				l.Disks[i].RaidDisk *= 2
			}
		}
	}
	l.ForeseeShape(next, size)
	return nil
}

// dropParity removes spares, and the members that hold only parity. Spares go first: one
// that is there when parity fails takes its place at once (md.c, md_start_sync).
func (g *Grower) dropParity(ctx context.Context, info *mdctl.ArrayInfo) error {
	data := info.RaidDisks - 1
	if md.Level(info.Level) == md.LevelRAID6 {
		data--
	}
	_ = g.do(ctx, set(g.live.Sysfs.SyncActionTo(sysmd.Idle)))
	order := slices.Clone(g.live.Disks)
	slices.SortStableFunc(order, func(a, b mdctl.DiskInfo) int {
		return int(a.State&mdctl.DiskActive) - int(b.State&mdctl.DiskActive)
	})
	for i := range order {
		d := &order[i]
		if d.State&mdctl.DiskActive != 0 && d.RaidDisk < data {
			continue
		}
		major, minor := uint32(d.Major), uint32(d.Minor)
		if d.State&mdctl.DiskActive != 0 {
			fail := plan.NewIoctl(g.Array, "SET_DISK_FAULTY", live.DevNumber(d),
				func() error { return g.dev.SetDiskFaulty(major, minor) }, plan.NoUndo)
			if err := g.do(ctx, fail); err != nil {
				return g.failed(ctx, err, "reshape.set-device-faulty-failed", live.DevNumber(d), note.Errno{Err: err})
			}
		}
		m := &member.Manager{ManageRequest: member.ManageRequest{Array: g.Array, Force: true}, Dev: g.dev, Live: g.live}
		remove := plan.NewIoctl(g.Array, "HOT_REMOVE_DISK", live.DevNumber(d),
			func() error { return m.HotRemove(&member.Target{Major: major, Minor: minor}) }, plan.NoUndo)
		if err := g.do(ctx, remove); err != nil {
			return g.failed(ctx, err, "reshape.hot-remove-failed", live.DevNumber(d), note.Errno{Err: err})
		}
	}
	return nil
}

// refresh reads the array again. A dry run keeps what it has.
func (g *Grower) refresh(ctx context.Context) error { return g.do(ctx, plan.AsideStep(g.reread)) }

func (g *Grower) reread(context.Context) error {
	live, err := live.Read(g.dev, g.Array, g.live.FS)
	if err == nil {
		g.live = live
	}
	return err
}

// add adds the devices of the request, now that the array has a level that allows it and
// will not use them too early.
func (g *Grower) add(ctx context.Context) error {
	if len(g.Devices) == 0 {
		return nil
	}
	m := &member.Manager{
		ManageRequest: member.ManageRequest{
			Array: g.Array, Devices: g.Devices, Overwrite: true, // mayAdd has asked
			Report: g.Report,
		},
		Runner: &g.runner,
		Dev:    g.dev, Live: g.live, Result: &member.ManageResult{}, Tried: true,
	}
	if err := m.Run(ctx); err != nil {
		return err
	}
	return g.refresh(ctx)
}

// info returns the array's present shape.
func (g *Grower) info() (mdctl.ArrayInfo, error) {
	if g.live.ShapeForeseen() {
		return g.live.Info, nil
	}
	return g.dev.ArrayInfo()
}

// direct makes changes that move no data.
func (g *Grower) direct(ctx context.Context, now geometry, t *Transition, layout *int32) error {
	info, err := g.info()
	if err != nil {
		return err
	}
	if layout != nil && *layout != info.Layout {
		if err := g.setLayout(ctx, *layout); err != nil {
			return err
		}
	}
	if disks := now.disks + t.Delta; t.Delta != 0 && int(info.RaidDisks) != disks {
		if err := g.do(ctx, g.disks(disks)); err != nil {
			return g.failed(ctx, err, "reshape.failed-set-raid-disks")
		}
		g.print(note.Normal, "reshape.raid-disks-for-set", g.Array, disks)
	}
	if t.ToChunk != 0 && t.ToChunk != uint64(info.ChunkSize) {
		if err := g.do(ctx, attr(g.live.Sysfs.ChunkSizeTo(t.ToChunk))); err != nil {
			return g.failed(ctx, err, "reshape.failed-set-chunk-size")
		}
		g.print(note.Normal, "reshape.chunk-size-for-set", g.Array, t.ToChunk)
	}
	return nil
}

// disks changes the number of members. While a restripe is being prepared the kernel
// shows the old number, so undoing writes that.
func (g *Grower) disks(n int) plan.Step {
	old := g.live.Info.RaidDisks
	step := g.change("raid-disks "+strconv.Itoa(n), func(i *mdctl.ArrayInfo) { i.RaidDisks = int32(n) })
	return plan.NewStep(step.Describe(), step.Apply, func(context.Context) error {
		return g.live.Sysfs.SetRaidDisks(int(old))
	})
}

// announce sets the shape that the restripe leads to.
func (g *Grower) announce(ctx context.Context, now geometry, t *Transition) error {
	disks := t.After.Data + t.Parity
	var err error
	var why note.Sentence
	if now.chunk == t.ToChunk && t.Before.Layout == t.After.Layout {
		if err = g.do(ctx, g.disks(disks)); err != nil {
			why = note.Of("reshape.because", note.Errno{Err: err})
		}
	} else {
		err = g.do(ctx, g.shapeAttrs(t, disks)...)
	}
	if err == nil {
		return nil
	}
	g.Report.Say(note.Always, "reshape.cannot-set-device-shape", g.Array, why)
	g.busyWithBitmap(err, "shape", "")
	g.Report.KernelSaid(g.log, g.live.Name)
	g.undo(ctx)
	return &note.Reported{Err: err}
}

// shapeAttrs sets all three attributes, in case an earlier attempt has left something.
func (g *Grower) shapeAttrs(t *Transition, disks int) []plan.Step {
	a, old := g.live.Sysfs, &g.live.Info
	// Once they are set they show old and new value together.
	return []plan.Step{
		swap(a.ChunkSizeTo(t.ToChunk), a.ChunkSizeTo(uint64(old.ChunkSize))),
		swap(a.LayoutTo(uint32(t.After.Layout)), a.LayoutTo(uint32(old.Layout))),
		swap(a.RaidDisksTo(disks), a.RaidDisksTo(int(old.RaidDisks))),
	}
}

// start begins the restripe. From then on nothing can be undone.
func (g *Grower) start(ctx context.Context) error {
	err := g.do(ctx, set(g.live.Sysfs.SyncActionTo(sysmd.Reshape)))
	if err == nil {
		g.runner.Keep()
		g.frozen = false
	}
	return err
}

// reshapeRAID10 restripes a raid10: data always moves to another offset, so no backup is
// needed (Grow.c, raid10_reshape).
func (g *Grower) reshapeRAID10(ctx context.Context, now geometry, t *Transition) error {
	a := g.live.Sysfs
	if t.Delta != 0 {
		_ = g.do(ctx, attr(a.ReshapeDirectionTo(direction(t.Delta < 0))))
	}
	if t.Delta < 0 && now.spaceAfter < t.minOffset {
		size := now.size - t.minOffset
		shrink := plan.Foreseen(attr(a.ComponentSizeTo(size/2)), func() error { g.live.Size = size; return nil })
		if err := g.do(ctx, shrink); err != nil {
			return g.failed(ctx, err, "reshape.cannot-reduce-component-size")
		}
	}
	moved, err := g.moveData(ctx, t.Delta, t.minOffset, false)
	if err != nil {
		return err
	}
	if !moved {
		g.Report.Say(note.Always, "reshape.cannot-set-new-data-offset-raid10-reshape")
		g.Report.More(note.Always, "reshape.supported-on-this-kernel")
		g.undo(ctx)
		return errGrow
	}
	err = g.do(ctx, g.shapeAttrs(t, now.disks+t.Delta)...)
	if err == nil {
		err = g.start(ctx)
	}
	if err != nil {
		g.Report.Say(note.Always, "reshape.cannot-set-array-shape", g.Array)
		g.busyWithBitmap(err, "shape", "       ")
		g.Report.KernelSaid(g.log, g.live.Name)
		g.undo(ctx)
		return &note.Reported{Err: err}
	}
	return nil
}

func direction(back bool) sysmd.Direction {
	if back {
		return sysmd.Backwards
	}
	return sysmd.Forwards
}

// restripe moves data of a parity array (Grow.c, reshape_array).
func (g *Grower) restripe(ctx context.Context, now geometry, t *Transition, unit uint64) error {
	if g.BackupFile == "" {
		moved, err := g.moveData(ctx, t.After.Data-t.Before.Data, t.minOffset, true)
		if err != nil {
			return err
		}
		if moved {
			return g.restripeAside(ctx, now, t, unit)
		}
		if g.DataOffset != nil {
			return g.failed(ctx, errGrow, "reshape.cannot-update-data-offset-on-this-array")
		}
	}
	return g.restripeInPlace(ctx, now, t, unit)
}

// restripeAside restripes to another data offset: no stripe is written over data that is
// still needed.
func (g *Grower) restripeAside(ctx context.Context, now geometry, t *Transition, unit uint64) error {
	if err := g.cache(ctx, now, t, unit); err != nil {
		return g.failed(ctx, err, "reshape.cannot-enlarge-stripe-cache", g.Array)
	}
	if err := g.announce(ctx, now, t); err != nil {
		return err
	}
	held, err := g.hold(ctx, now, t)
	if err != nil {
		return g.failed(ctx, err, "reshape.cannot-limit-reshape", g.Array)
	}
	if err := g.start(ctx); err != nil {
		return g.failed(ctx, err, "reshape.failed-initiate-reshape")
	}
	if t.ToLevel == t.Level && !held {
		return nil
	}
	return g.carryOn(ctx, t, "")
}

// cache makes the stripe cache large enough for four chunks of the larger size, and for
// a unit of the restripe.
func (g *Grower) cache(ctx context.Context, now geometry, t *Transition, unit uint64) error {
	const page = 4096 / md.SectorSize
	want := max(now.chunk, t.ToChunk) * 4 / md.SectorSize
	want = max(want, 16+unit/uint64(min(t.Before.Data, t.After.Data))) / page
	have, err := g.live.Sysfs.StripeCacheSize()
	if g.live.ShapeForeseen() {
		const stripes = 256 // what the future level begins with (raid5.c, NR_STRIPES)
		have, err = stripes, nil
	}
	if err != nil || have >= want {
		return err
	}
	return g.do(ctx, attr(g.live.Sysfs.StripeCacheSizeTo(want+1)))
}

// carryOn has the reshape accompanied to its end: in the background, if possible, or
// right here.
func (g *Grower) carryOn(ctx context.Context, t *Transition, backup string) error {
	next := GrowRequest{Array: g.Array, Continue: true, BackupFile: backup, Report: g.Report, Progress: g.Progress}
	if t.ToLevel != t.Level {
		next.Level = &t.ToLevel
	}
	var step plan.Step
	if g.Background != nil {
		step = throughStep(g.Array, next.Level, func(context.Context) error { return g.Background(next) })
	} else {
		step = plan.Foreseen(throughStep(g.Array, next.Level, func(ctx context.Context) error {
			g.GrowRequest = next
			return g.resume(ctx)
		}), func() error {
			g.foreseeReshaped(t)
			return g.lastLevel(ctx, next.Level)
		})
	}
	err := g.do(ctx, step)
	if err != nil && !note.WasReported(err) {
		return g.Report.Fail(err, "reshape.reshape-waits-for-mdadm-grow-continue", g.Array, err)
	}
	return err
}

// foreseeReshaped records the shape after the restripe, with spares in any additional
// slots.
func (g *Grower) foreseeReshaped(t *Transition) {
	next := g.live.Info
	next.RaidDisks, next.Layout, next.ChunkSize = int32(t.After.Data+t.Parity), t.After.Layout, int32(t.ToChunk)
	g.live.ForeseeShape(next, g.live.Size)
	for i := range g.live.Disks {
		d := &g.live.Disks[i]
		if d.RaidDisk >= 0 || d.State&(mdctl.DiskFaulty|mdctl.DiskJournal) != 0 {
			continue
		}
		if slot, free := g.live.FreeSlot(); free {
			d.RaidDisk = int32(slot)
			d.State |= mdctl.DiskActive | mdctl.DiskSync
		}
	}
}

// throughStep returns a step that accompanies the reshape to its end with see, and
// changes to the level that follows, if there is one.
func throughStep(array string, level *md.Level, see func(context.Context) error) plan.Step {
	info := plan.StepInfo{Kind: plan.KindDevice, Target: array, What: "see the reshape through"}
	if level != nil {
		info.Value = "then level " + LevelWord(*level)
	}
	return plan.NewStep(info, see, nil)
}

// tooBig reports whether the error is how the kernel refuses a data offset.
func tooBig(err error) bool { return errors.Is(err, unix.E2BIG) }

// Beyond reports whether a reshape at the position is not overwriting data that has not
// been written elsewhere: it is past its critical section, or has not reached it yet.
func (t *Transition) Beyond(position uint64) bool {
	switch {
	case t.Delta > 0, t.Delta < 0:
		return position >= t.Backup
	}
	return false
}
