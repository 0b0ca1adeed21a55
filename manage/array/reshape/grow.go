// Package reshape changes the shape of a running array: size, devices, level, layout,
// chunk, bitmap, consistency policy.
package reshape

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// GrowMax asks for as much as possible: of every member, or of the array.
const GrowMax = -1

// GrowRequest asks for changes to the shape of a running array. Fields with the zero
// value leave things unchanged.
type GrowRequest struct {
	Array   string          // path of the md device
	Devices []member.Subdev // devices to add before, as spares

	ArraySize   int64     // KiB of the array to show; GrowMax for all
	Size        int64     // KiB to use on each member; GrowMax for as much as possible
	AssumeClean bool      // what Size adds needs no resync
	Level       *md.Level // nil to keep it
	RaidDisks   int
	Layout      *string // mdadm's word for it; also "normalise" and "preserve"
	Chunk       int     // KiB
	DataOffset  *uint64 // sectors; nil lets the reshape choose

	Bitmap      string // "internal", Clustered or "none"
	Nodes       uint32 // of the cluster that is to share the array, if Bitmap is Clustered
	Cluster     string // its name
	BitmapChunk uint64 // bytes, 0 for the default
	Delay       uint32 // seconds between updates of the bitmap
	WriteBehind uint32
	Policy      string // consistency policy: "resync" or "ppl"

	// Continue accompanies a reshape in progress to its end, instead of starting one;
	// Level then is the level to change to afterwards.
	Continue   bool
	BackupFile string // where the critical section is backed up in the meantime

	BackupDir string // as in member.ManageRequest

	Force   bool        // accept a degraded array, and devices to add whatever they hold
	Confirm func() bool // as in member.ManageRequest
	DryRun  bool        // plan only
	Report  note.Reporter

	// Background carries on with a request whose Continue is set, while Grow returns. If
	// it is nil, Grow itself stays until the reshape needs no more help.
	Background func(GrowRequest) error
	// Progress, if set, is called each time the reshape needs something done, with how
	// far it has come: sectors of each member.
	Progress func(done, total uint64)
}

// GrowResult says what a GrowRequest did, or would do.
type GrowResult struct {
	Steps []plan.StepInfo // in order; if the request failed, those up to the failure
}

// ErrNoPPL marks a partial parity log that the array has no room for; mdadm then exits
// with another code.
var ErrNoPPL = errors.New("no room for a partial parity log")

// errGrow marks a change of shape that was refused. That has been reported.
var errGrow error = &note.Reported{Err: errors.New("the shape of the array stays as it is")}

// Grow changes the shape of a running array as requested. Everything that can be checked
// in advance is checked before anything is changed; if a step fails, those before it are
// undone as far as the kernel allows.
func Grow(ctx context.Context, req GrowRequest) (*GrowResult, error) {
	dev, err := mdctl.Open(req.Array, os.O_RDWR)
	if err != nil {
		return &GrowResult{}, err
	}
	defer dev.Close()
	g := &Grower{GrowRequest: req, dev: dev, runner: plan.Runner{
		DryRun: req.DryRun, Backup: plan.BackupFor(req.BackupDir, filepath.Base(req.Array), req.Force),
	}}
	if g.live, err = live.Read(dev, req.Array, sysfs.Host); err != nil {
		var e *live.Error
		if errors.As(err, &e) {
			return &GrowResult{}, req.Report.Fail(err, "reshape.not-active-md-array-aborting", req.Array)
		}
		return &GrowResult{}, err
	}
	g.log = note.ListenToKernel()
	defer g.log.Close()
	if err = g.run(ctx); err == nil {
		g.runner.Keep()
	}
	return &GrowResult{Steps: g.runner.Steps}, err
}

// Grower carries out one request.
type Grower struct {
	GrowRequest
	dev    *mdctl.Device
	live   *live.Array
	log    *note.KernelLog
	runner plan.Runner
	frozen bool // we have set sync_action to frozen, or a change of level has left it so

	// What a dry run has foreseen, and the kernel does not show.
	held      bool              // the array is frozen
	awake     bool              // the array no longer waits for its first write
	offsets   map[string]uint64 // where the data of members will start, in sectors, by member path
	stretched map[string]bool   // members that may be used to their end, by member path
	linear    []*linearMember   // the members of a linear array, including those added
}

// run chooses what to do, in mdadm's order (mdadm.c, case GROW).
func (g *Grower) run(ctx context.Context) error {
	if err := g.sharedAllows(); err != nil {
		return err
	}
	if err := g.mayAdd(); err != nil {
		return err
	}
	if err := g.fitBlocks(); err != nil {
		return err
	}
	if err := g.arraySize(ctx); err != nil {
		return err
	}
	reshapes := g.Size != 0 || g.RaidDisks != 0 || g.Layout != nil || g.Chunk != 0 || g.Level != nil || g.DataOffset != nil
	switch {
	case len(g.Devices) > 0 && g.RaidDisks == 0 && g.Level == nil:
		if g.Size != 0 || g.Chunk != 0 || g.Layout != nil || g.Bitmap != "" {
			return g.refuse("reshape.add-cannot-be-used-with-other-geometry-changes")
		}
		return g.addLinear(ctx)
	case g.Bitmap != "":
		if g.Size != 0 || g.RaidDisks != 0 || g.Chunk != 0 || g.Layout != nil || len(g.Devices) > 0 {
			return g.refuse("reshape.bitmap-changes-cannot-be-used-with-other-geometry")
		}
		return g.bitmap(ctx)
	case g.Continue:
		step := throughStep(g.Array, g.Level, g.resume)
		return g.do(ctx, plan.Foreseen(step, func() error { return g.lastLevel(ctx, g.Level) }))
	case reshapes:
		return g.shape(ctx)
	case g.Policy != "":
		return g.policy(ctx)
	case g.ArraySize == 0:
		g.Report.Say(note.Always, "reshape.no-changes-grow")
	}
	return nil
}

// mayAdd asks about devices to add that hold something else, before anything is done.
func (g *Grower) mayAdd() error {
	m := &member.Manager{
		ManageRequest: member.ManageRequest{Array: g.Array, Devices: g.Devices, Overwrite: g.Force, Confirm: g.Confirm, Report: g.Report},
		Live:          g.live,
	}
	return m.MayAdd()
}

// refuse reports why nothing is done.
func (g *Grower) refuse(id note.ID, args ...any) error {
	g.Report.Say(note.Always, id, args...)
	return errGrow
}

// failed reports what went wrong, with the kernel's own reason, and undoes what was done
// before.
func (g *Grower) failed(ctx context.Context, err error, id note.ID, args ...any) error {
	g.Report.Say(note.Always, id, args...)
	g.Report.KernelSaid(g.log, g.live.Name)
	g.undo(ctx)
	return &note.Reported{Err: err}
}

// undo undoes what was done, in reverse order.
func (g *Grower) undo(ctx context.Context) {
	for _, l := range g.runner.TakeBack(ctx) {
		g.Report.Extra(note.Always, "reshape.could-not-take-back", l.Step, l.Err)
	}
	g.frozen = false
}

// do carries out steps, one after the other.
func (g *Grower) do(ctx context.Context, steps ...plan.Step) error { return g.runner.Do(ctx, steps...) }

// attr returns a step that sets an attribute and, when undone, restores its old value.
func attr(s sysmd.Setting) plan.Step {
	var old sysmd.Setting
	var unknown error
	return plan.NewStep(plan.SettingInfo(s),
		func(context.Context) error {
			old, unknown = s.Present()
			return s.Write()
		},
		func(context.Context) error {
			if unknown != nil {
				return nil
			}
			return old.Write()
		})
}

// patient lets a step wait for what the array's thread still has to notice: until it has
// looked after members that were removed, the kernel refuses to change the level (md.c,
// level_store, MD_RECOVERY_RUNNING).
func patient(s plan.Step) plan.Step {
	return plan.NewStep(s.Describe(), func(ctx context.Context) error {
		for tries := 0; ; tries++ {
			err := s.Apply(ctx)
			if !errors.Is(err, unix.EBUSY) || tries == 25 || !node.Pause(ctx, 200*time.Millisecond) {
				return err
			}
		}
	}, s.Undo)
}

// set returns a step that sets an attribute for good: its old value has no meaning
// afterwards.
func set(s sysmd.Setting) plan.Step { return plan.NewSetting(s, nil) }

// swap returns a step that sets an attribute and, when undone, sets it to back. It is
// for attributes that show old and new value together in between, so that the old value
// cannot be read.
func swap(s, back sysmd.Setting) plan.Step {
	return plan.NewSetting(s, func(context.Context) error { return back.Write() })
}

// change returns a SET_ARRAY_INFO step that changes one thing and, when undone, changes
// it back.
func (g *Grower) change(what string, edit func(*mdctl.ArrayInfo)) plan.Step {
	var before mdctl.ArrayInfo
	return plan.NewIoctl(g.Array, "SET_ARRAY_INFO", what,
		func() error {
			info, err := g.dev.ArrayInfo()
			if err != nil {
				return err
			}
			before = info
			edit(&info)
			return g.dev.SetArrayInfo(&info)
		},
		func() error { return g.dev.SetArrayInfo(&before) })
}

// freeze keeps the array from starting recovery until the change is complete. It fails
// if the array is busy with another action.
func (g *Grower) freeze(ctx context.Context) error {
	if state, err := g.live.Sysfs.State(); err == nil && state == sysmd.ReadAuto && !g.awake {
		wake := set(g.live.Sysfs.StateTo(sysmd.Clean))
		_ = g.do(ctx, plan.Foreseen(wake, func() error { g.awake = true; return nil }))
	}
	action, err := g.live.Sysfs.SyncAction()
	if err != nil && g.live.ShapeForeseen() && md.Level(g.live.Info.Level).Redundant() {
		action, err = sysmd.Idle, nil // the level that the array will have can be frozen
	}
	switch {
	case err != nil || action == sysmd.Frozen || g.held: // it cannot be frozen, or already is
		return nil
	case action != sysmd.Idle && action != sysmd.Recover:
		if g.Level != nil && *g.Level != md.Level(g.live.Info.Level) {
			return g.refuse("reshape.performing-resync-recovery-and-cannot-be-taken-over", g.Array)
		}
		return g.refuse("reshape.performing-resync-recovery-and-cannot-be-reshaped", g.Array)
	}
	a := g.live.Sysfs
	freeze := plan.Foreseen(
		plan.NewSetting(a.SyncActionTo(sysmd.Frozen), func(context.Context) error { return thaw(a) }),
		func() error { g.held = true; return nil })
	g.frozen = g.do(ctx, freeze) == nil
	return nil
}

// thaw ends the frozen state of an array.
func thaw(a *sysmd.Array) error {
	if action, err := a.SyncAction(); err != nil || action != sysmd.Frozen {
		return nil
	}
	return a.SetSyncAction(sysmd.Idle)
}

// unfreeze reverts freeze.
func (g *Grower) unfreeze(ctx context.Context) error {
	if !g.frozen {
		return nil
	}
	g.frozen = false
	a := g.live.Sysfs
	return g.do(ctx, plan.NewStep(plan.SettingInfo(a.SyncActionTo(sysmd.Idle)), func(context.Context) error { return thaw(a) }, nil))
}

// arraySize sets how much of the array is visible.
func (g *Grower) arraySize(ctx context.Context) error {
	if g.ArraySize == 0 {
		return nil
	}
	if g.RaidDisks != 0 || g.Level != nil {
		return g.refuse("reshape.cannot-change-array-size-same-operation-as-changing")
	}
	kib := sysmd.None
	if g.ArraySize != GrowMax {
		kib = sysmd.Some(uint64(g.ArraySize))
	}
	err := g.do(ctx, attr(g.live.Sysfs.ArraySizeTo(kib)))
	switch {
	case errors.Is(err, unix.E2BIG):
		return g.failed(ctx, err, "reshape.array-size-setting-too-large")
	case err != nil:
		return g.failed(ctx, err, "reshape.current-kernel-does-not-support-setting-array-size")
	}
	return nil
}

// busyWithBitmap says what to do if a bitmap is why the kernel refuses.
func (g *Grower) busyWithBitmap(err error, what, lead string) {
	if errors.Is(err, unix.EBUSY) && g.live.HasBitmap() {
		g.Report.More(note.Always, "reshape.bitmap-must-be-removed-before-can-be-changed", lead, what)
	}
}

// arrayBytes returns the visible size of the array, in bytes.
func (g *Grower) arrayBytes() (uint64, error) {
	b, err := g.live.Sysfs.Block()
	if err != nil {
		return 0, err
	}
	n, err := b.Sectors()
	return n * md.SectorSize, err
}
