package reshape

import (
	"context"
	"errors"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// shape changes size, level, layout, chunk, and number of members (Grow.c,
// Grow_reshape).
func (g *Grower) shape(ctx context.Context) error {
	if err := g.consistent(); err != nil {
		return err
	}
	if err := g.enoughSpares(); err != nil {
		return err
	}
	change, err := g.planShape()
	if err != nil {
		return err
	}
	if change != nil && g.Level != nil && *g.Level == md.LevelRAID0 && g.live.HasBitmap() {
		// The kernel requires that it is removed first, and refuses that in a frozen
		// array.
		if err := g.do(ctx, g.dropBitmap()); err != nil {
			return g.failed(ctx, err, "reshape.failed-remove-internal-bitmap")
		}
	}
	if err := g.freeze(ctx); err != nil {
		g.undo(ctx)
		return err
	}
	switch {
	case g.changesSize():
		err = g.size(ctx)
	case change == nil:
		g.Report.Say(note.Normal, "reshape.no-change-requested", g.Array)
	default:
		err = change(ctx)
	}
	if err != nil {
		g.undo(ctx) // does nothing if everything has been undone
		return err
	}
	return g.unfreeze(ctx)
}

// consistent checks what in the request contradicts itself or the array.
func (g *Grower) consistent() error {
	info := &g.live.Info
	level := md.Level(info.Level)
	switch {
	case g.Level != nil && g.Chunk != 0:
		return g.refuse("reshape.cannot-change-array-level-same-operation-as-changing")
	case g.DataOffset != nil && level != md.LevelRAID10 && !level.Parity():
		return g.refuse("reshape.grow-data-offset-not-yet-supported")
	case g.Size != 0 && (g.Chunk != 0 || g.Level != nil || g.Layout != nil || g.RaidDisks != 0):
		return g.refuse("reshape.cannot-change-component-size-at-same-time")
	case level > 1 && g.Size > 1 && int64(info.ChunkSize)/1024 > g.Size:
		return g.refuse("reshape.component-size-must-be-larger-than-chunk-size")
	case !g.live.HasFormat:
		return g.refuse("reshape.unable-determine-metadata-format", g.Array)
	case g.RaidDisks > g.live.MaxDevs():
		return g.refuse("reshape.cannot-increase-raid-disks-on-this-array-beyond", g.live.MaxDevs())
	}
	return nil
}

// enoughSpares checks that new slots get members.
func (g *Grower) enoughSpares() error {
	need := g.RaidDisks - int(g.live.Info.RaidDisks)
	if have := g.spares(); need > 0 && have < need && !g.Force {
		g.needSpares(need, have)
		return errGrow
	}
	return nil
}

// spares returns the number of spares, including those to be added.
func (g *Grower) spares() int { return int(g.live.Info.SpareDisks) + len(g.Devices) }

// spareCount returns the number of spares as part of a sentence.
func spareCount(n int) note.Sentence {
	if n == 1 {
		return note.Of("reshape.one-spare", n)
	}
	return note.Of("reshape.spares", n)
}

func (g *Grower) needSpares(need, have int) {
	g.Report.Say(note.Always, "reshape.need-spare-avoid-degraded-array-and-only-have", spareCount(need), have)
}

// unchanged reports whether the request changes at most the size.
func (g *Grower) unchanged() bool {
	info := &g.live.Info
	return (g.Level == nil || *g.Level == md.Level(info.Level)) && g.Layout == nil &&
		(g.Chunk == 0 || g.Chunk == int(info.ChunkSize)) && g.DataOffset == nil &&
		(g.RaidDisks == 0 || g.RaidDisks == int(info.RaidDisks))
}

// planShape analyses everything but the size. It returns nil if there is nothing to do.
func (g *Grower) planShape() (func(context.Context) error, error) {
	if g.changesSize() || g.unchanged() {
		return nil, nil
	}
	layout, err := g.wantedLayout()
	if err != nil {
		return nil, err
	}
	if md.Level(g.live.Info.Level) == md.LevelFaulty {
		return g.faulty(layout)
	}
	now, err := g.geometry()
	if err != nil {
		return nil, err
	}
	want := wish{level: g.Level, layout: layout, chunk: uint64(g.Chunk) << 10}
	if g.RaidDisks != 0 {
		delta := g.RaidDisks - now.disks
		want.delta = &delta
	}
	t, err := analyse(now, want)
	var no refusal
	if errors.As(err, &no) {
		for line := range strings.Lines(string(no)) {
			g.Report.Say(note.Always, note.Reason, strings.TrimSuffix(line, "\n"))
		}
		return nil, errGrow
	}
	if err != nil {
		return nil, err
	}
	if err := g.affordable(now, t); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return g.reshape(ctx, now, t) }, nil
}

// geometry returns the array's present shape.
func (g *Grower) geometry() (geometry, error) {
	info := &g.live.Info
	now := geometry{
		path: g.Array, level: md.Level(info.Level), layout: info.Layout, chunk: uint64(info.ChunkSize),
		disks: int(info.RaidDisks), size: g.live.Size,
	}
	if now.level == md.LevelRAID0 && now.size == 0 {
		size, err := g.arrayBytes()
		if err != nil {
			return now, err
		}
		now.size = size / md.SectorSize / uint64(max(now.disks, 1))
	}
	if now.level == md.LevelRAID10 {
		members, err := g.live.Members()
		if err != nil {
			return now, err
		}
		now.spaceAfter = ^uint64(0)
		for _, m := range members {
			if m.Is(sysmd.MemberFaulty) {
				continue
			}
			space, err := g.live.SpaceOf(m)
			if err != nil {
				now.spaceAfter = 0
				break
			}
			now.spaceAfter = min(now.spaceAfter, space.After)
		}
	}
	return now, nil
}

// affordable checks members and size before anything is changed.
func (g *Grower) affordable(now geometry, t *Transition) error {
	slots := max(t.Before.Data, t.After.Data)
	need, have := slots+t.Parity-now.disks, g.spares()
	if !g.Force && t.ToLevel > 1 && now.level > 1 && need > have {
		g.needSpares(need, have)
		return errGrow
	}
	if need = slots - now.disks; (t.ToLevel > 1 || t.ToLevel == md.LevelRAID0) && need > have {
		return g.refuse("reshape.need-spare-create-working-array-and-only-have", spareCount(need), have)
	}
	if t.Backup == 0 {
		return nil
	}
	bytes, err := g.arrayBytes()
	if err != nil {
		return err
	}
	if t.newSize < bytes/md.SectorSize {
		return g.refuse("reshape.this-change-will-reduce-size-array-use-grow", g.Array, t.newSize/2)
	}
	return nil
}

// wantedLayout parses the word for the layout; nil if none is requested.
func (g *Grower) wantedLayout() (*int32, error) {
	info := &g.live.Info
	level := md.Level(info.Level)
	if g.Layout == nil {
		if level == md.LevelRAID6 && (g.Level == nil || *g.Level == md.LevelRAID6) && info.Layout >= md.LayoutLeftAsymmetric6 {
			g.Report.Say(note.Always, "reshape.has-non-standard-layout-if-you-wish-preserve", g.Array)
			g.Report.More(note.Always, "reshape.during-reshape-please-specify-layout-preserve")
			g.Report.More(note.Always, "reshape.if-you-want-change-it-specify-layout")
			return nil, errGrow
		}
		return nil, nil
	}
	switch word := *g.Layout; word {
	case "normalise", "normalize":
		if level != md.LevelRAID6 || g.Level != nil {
			return nil, g.refuse("reshape.only-meaningful-when-reshaping-raid6-array", word)
		}
		if word, _ := md.LayoutName(level, info.Layout); strings.HasSuffix(word, "-6") {
			if n, err := md.ParseLayout(level, strings.TrimSuffix(word, "-6")); err == nil {
				return &n, nil
			}
		}
		return nil, nil
	case "preserve":
		switch {
		case level == md.LevelRAID6 && g.Level == nil:
			layout := info.Layout
			return &layout, nil
		case level == md.LevelRAID5 && g.Level != nil && *g.Level == md.LevelRAID6:
			if layout, ok := doubled[info.Layout]; ok && layout != md.LayoutParityLast {
				return &layout, nil
			}
			return nil, nil // mdadm does not know the word
		}
		return nil, g.refuse("reshape.in-only-meaningful-when-reshaping-raid6", word)
	}
	if g.Level != nil {
		level = *g.Level
	}
	switch level {
	case md.LevelRAID5, md.LevelRAID6, md.LevelRAID10, md.LevelFaulty:
	default:
		return nil, g.refuse("reshape.layout-not-meaningful-with-this-level")
	}
	n, err := md.ParseLayout(level, *g.Layout)
	if err != nil {
		return nil, g.refuse("reshape.layout-not-understood-for-this-level", *g.Layout)
	}
	return &n, nil
}

// faulty changes which faults a faulty array simulates.
func (g *Grower) faulty(layout *int32) (func(context.Context) error, error) {
	var err error
	if g.Level != nil && *g.Level != md.LevelFaulty {
		err = g.refuse("reshape.cannot-change-level-faulty-device")
	}
	if g.Chunk != 0 {
		err = g.refuse("reshape.cannot-set-chunksize-faulty-device")
	}
	if g.RaidDisks != 0 && g.RaidDisks != 1 {
		err = g.refuse("reshape.cannot-set-raid-disks-faulty-device")
	}
	if layout == nil || err != nil {
		return func(context.Context) error { return nil }, err
	}
	return func(ctx context.Context) error { return g.setLayout(ctx, *layout) }, nil
}

// setLayout changes a layout that does not affect existing data.
func (g *Grower) setLayout(ctx context.Context, layout int32) error {
	word := "layout"
	if name, ok := md.LayoutName(md.Level(g.live.Info.Level), layout); ok {
		word += " " + name
	}
	if err := g.do(ctx, g.change(word, func(i *mdctl.ArrayInfo) { i.Layout = layout })); err != nil {
		return g.failed(ctx, err, "reshape.failed-set-new-layout")
	}
	g.print(note.Normal, "reshape.layout-for-set", g.Array, layout)
	return nil
}

// print reports what mdadm prints to its standard output once it has been done.
func (g *Grower) print(l note.Loudness, id note.ID, args ...any) {
	_ = g.do(context.Background(), plan.SayStep(func() { g.Report.Print(l, id, args...) }))
}

// LevelWord returns the kernel's word for a level.
func LevelWord(l md.Level) string { return mdctl.Level(l).String() }
