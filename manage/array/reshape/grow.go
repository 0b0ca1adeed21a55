// Package reshape changes the shape of an array that runs: size, devices, level, layout,
// chunk, bitmap, consistency policy.
package reshape

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// GrowMax asks for as much as there is: of every member, or of the array.
const GrowMax = -1

// GrowRequest asks for changes to the shape of a running array. What is left
// at its zero value stays as it is.
type GrowRequest struct {
	Array   string          // path of the md device
	Devices []member.Subdev // devices to add first, as spares

	ArraySize   int64     // KiB of the array that are shown; GrowMax for all
	Size        int64     // KiB used of each member; GrowMax for as much as there is
	AssumeClean bool      // what Size adds needs no resync
	Level       *md.Level // nil to keep it
	RaidDisks   int
	Layout      string  // mdadm's word; also "normalise" and "preserve"
	Chunk       int     // KiB
	DataOffset  *uint64 // sectors; nil lets the reshape choose

	Bitmap      string // "internal" or "none"
	BitmapChunk uint64 // bytes, 0 for the default
	Delay       uint32 // seconds between updates of the bitmap
	WriteBehind uint32
	Policy      string // consistency policy: "resync" or "ppl"

	// Continue sees a reshape through that is under way, instead of starting
	// one; Level then is the level to change to when it is done.
	Continue   bool
	BackupFile string // where the data of the critical section is kept meanwhile

	BackupDir string // as in member.ManageRequest

	Force   bool        // accept a degraded array, and devices to add whatever is on them
	Confirm func() bool // as in member.ManageRequest
	DryRun  bool        // only plan
	Report  note.Reporter

	// Background carries on with a request whose Continue is set, while Grow
	// returns. Without it Grow itself stays until the reshape no longer needs
	// anybody.
	Background func(GrowRequest) error
	// Progress, if there is one, is told how far the reshape has come each
	// time something has to be done for it: sectors of each member.
	Progress func(done, total uint64)
}

// GrowResult tells what a GrowRequest did, or would do.
type GrowResult struct {
	Steps []plan.StepInfo // in order; of a failed request those up to the failure
}

// ErrNoPPL is the refusal to give an array a partial parity log it has no room
// for; mdadm ends with another exit code then.
var ErrNoPPL = errors.New("no room for a partial parity log")

// errGrow is a change of shape that cannot be, which has been said.
var errGrow error = &note.Reported{Err: errors.New("the shape of the array stays as it is")}

// Grow changes the shape of a running array as asked. All that can be known in
// advance is checked before anything is changed; what a failed step leaves
// behind is taken back as far as the kernel allows.
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

// Grower works on one request.
type Grower struct {
	GrowRequest
	dev    *mdctl.Device
	live   *live.Array
	log    *note.KernelLog
	runner plan.Runner
	frozen bool // sync_action was set to frozen by us, or left so by a change of level

	// What a dry run has foreseen, and the kernel does not show.
	held      bool              // the array is frozen
	awake     bool              // it no longer waits for a first write
	offsets   map[string]uint64 // sectors: where the data of members is to start, by their paths
	stretched map[string]bool   // members of which all that there is may be used, by their paths
	linear    []*linearMember   // the members of a linear array, with those that were added
}

// Run chooses what to do, in mdadm's order (mdadm.c, case GROW).
func (g *Grower) run(ctx context.Context) error {
	if err := g.mayAdd(); err != nil {
		return err
	}
	if err := g.arraySize(ctx); err != nil {
		return err
	}
	reshapes := g.Size != 0 || g.RaidDisks != 0 || g.Layout != "" || g.Chunk != 0 || g.Level != nil || g.DataOffset != nil
	switch {
	case len(g.Devices) > 0 && g.RaidDisks == 0 && g.Level == nil:
		if g.Size != 0 || g.Chunk != 0 || g.Layout != "" || g.Bitmap != "" {
			return g.refuse("reshape.add-cannot-be-used-with-other-geometry-changes")
		}
		return g.addLinear(ctx)
	case g.Bitmap != "":
		if g.Size != 0 || g.RaidDisks != 0 || g.Chunk != 0 || g.Layout != "" || len(g.Devices) > 0 {
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

// mayAdd asks about devices to add that hold something else, before anything is
// done.
func (g *Grower) mayAdd() error {
	m := &member.Manager{
		ManageRequest: member.ManageRequest{Array: g.Array, Devices: g.Devices, Overwrite: g.Force, Confirm: g.Confirm, Report: g.Report},
		Live:          g.live,
	}
	return m.MayAdd()
}

// refuse says why nothing is done.
func (g *Grower) refuse(id note.ID, args ...any) error {
	g.Report.Say(note.Always, id, args...)
	return errGrow
}

// failed says what went wrong, with the kernel's own reason, and takes back
// what was done before.
func (g *Grower) failed(ctx context.Context, err error, id note.ID, args ...any) error {
	g.Report.Say(note.Always, id, args...)
	g.Report.KernelSaid(g.log, g.live.Name)
	g.undo(ctx)
	return &note.Reported{Err: err}
}

// undo takes back what was done, the last first.
func (g *Grower) undo(ctx context.Context) {
	for _, l := range g.runner.TakeBack(ctx) {
		g.Report.Extra(note.Always, "reshape.could-not-take-back", l.Step, l.Err)
	}
	g.frozen = false
}

// do takes steps, one after the other.
func (g *Grower) do(ctx context.Context, steps ...plan.Step) error { return g.runner.Do(ctx, steps...) }

// attr sets an attribute, and puts it back to what it was when undone.
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

// set sets an attribute for good: its old value means nothing later.
func set(s sysmd.Setting) plan.Step { return plan.NewSetting(s, nil) }

// swap sets an attribute and, when undone, the value to go back to, which the
// kernel does not show as such: in the middle it shows old and new together.
func swap(s, back sysmd.Setting) plan.Step {
	return plan.NewSetting(s, func(context.Context) error { return back.Write() })
}

// change is SET_ARRAY_INFO with one thing other than it is; undone it goes back.
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

// freeze keeps the array from starting recovery until the change is complete.
// It fails if it is at work already.
func (g *Grower) freeze(ctx context.Context) error {
	if state, err := g.live.Sysfs.State(); err == nil && state == sysmd.ReadAuto && !g.awake {
		wake := set(g.live.Sysfs.StateTo(sysmd.Clean))
		_ = g.do(ctx, plan.Foreseen(wake, func() error { g.awake = true; return nil }))
	}
	action, err := g.live.Sysfs.SyncAction()
	if err != nil && g.live.ShapeForeseen() && md.Level(g.live.Info.Level).Redundant() {
		action, err = sysmd.Idle, nil // the level that is to come has something to freeze
	}
	switch {
	case err != nil || action == sysmd.Frozen || g.held: // has nothing to freeze, or somebody else did
		return nil
	case action != sysmd.Idle && action != sysmd.Recover:
		return g.refuse("reshape.performing-resync-recovery-and-cannot-be-reshaped", g.Array)
	}
	a := g.live.Sysfs
	freeze := plan.Foreseen(
		plan.NewSetting(a.SyncActionTo(sysmd.Frozen), func(context.Context) error { return thaw(a) }),
		func() error { g.held = true; return nil })
	g.frozen = g.do(ctx, freeze) == nil
	return nil
}

// thaw lets a frozen array go on.
func thaw(a *sysmd.Array) error {
	if action, err := a.SyncAction(); err != nil || action != sysmd.Frozen {
		return nil
	}
	return a.SetSyncAction(sysmd.Idle)
}

// unfreeze ends freeze.
func (g *Grower) unfreeze(ctx context.Context) error {
	if !g.frozen {
		return nil
	}
	g.frozen = false
	a := g.live.Sysfs
	return g.do(ctx, plan.NewStep(plan.SettingInfo(a.SyncActionTo(sysmd.Idle)), func(context.Context) error { return thaw(a) }, nil))
}

// arraySize sets how much of the array is shown.
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

// busyWithBitmap says what helps where a bitmap is why the kernel refuses.
func (g *Grower) busyWithBitmap(err error, what, lead string) {
	if errors.Is(err, unix.EBUSY) && g.live.HasBitmap() {
		g.Report.More(note.Always, "reshape.bitmap-must-be-removed-before-can-be-changed", lead, what)
	}
}

// arrayBytes is how large the array shows itself, in bytes.
func (g *Grower) arrayBytes() (uint64, error) {
	b, err := g.live.Sysfs.Block()
	if err != nil {
		return 0, err
	}
	n, err := b.Sectors()
	return n * md.SectorSize, err
}
