package incremental

import (
	"context"
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// tell reports the fate of the device, unless the outcome is exported.
func (i *incremental) tell(id note.ID, args ...any) {
	if !i.Export {
		i.Report.Say(note.Normal, id, args...)
	}
}

// start starts the array if that is possible, and is safe or was asked for.
func (i *incremental) start(ctx context.Context) {
	i.result.Code = 0
	members := make([]*md.Member, len(i.devices))
	for j, c := range i.devices {
		members[j] = c.Member
	}
	i.asm = md.Assess(members, md.Arriving)
	n, enough := i.asm.Arrived()
	name := i.node.Chosen
	noJournal := enough && i.asm.Freshest.NeedsJournal() && i.asm.Journal == nil
	switch {
	case !enough:
		i.result.Started = StartedNo
		i.tell("incremental.attached-not-enough-start", i.Device, name, n)
	case i.there != nil && i.running():
		i.result.Started = StartedAlready
		i.tell("incremental.attached-which-already-active", i.Device, name)
	case i.Run || !noJournal && n >= i.asm.Freshest.Working():
		i.launch(ctx, noJournal)
	case noJournal:
		i.result.Started = StartedUnsafe
		if !i.Export {
			i.Report.Say(note.Always, "incremental.journal-device-missing-not-safe-start-yet")
		}
	default:
		i.result.Started = StartedUnsafe
		i.tell("incremental.attached-not-enough-start-safely", i.Device, name)
	}
}

// launch starts the array. An incomplete or foreign array is started read-only until
// something writes to it.
func (i *incremental) launch(ctx context.Context, noJournal bool) {
	name := i.node.Chosen
	if noJournal {
		i.Report.Say(note.Always, "incremental.trying-run-with-missing-journal-device")
	}
	if i.asm.Freshest.Reshape().NeedsBackup() {
		i.Report.Say(note.Always, "incremental.this-array-being-reshaped-and-cannot-be-started", name)
		i.Report.More(note.Always, "incremental.by-incremental-please-use-assemble")
		i.result.Code = 0
		return
	}
	if _, err := i.runner.Run(ctx, i.launchPlan()); err != nil {
		i.Report.Say(note.Always, "incremental.attached-but-failed-start", i.Device, name, note.Errno{Err: err})
		i.result.Code = 1
		return
	}
	i.result.Started = StartedYes
}

// launched does what follows once the array runs.
func (i *incremental) launched(ctx context.Context) error {
	_ = i.node.Close() // being open exclusively, it would block those who wait for the array
	i.tell("incremental.attached-which-has-been-started", i.Device, i.node.Chosen)
	node.WaitForName(ctx, i.node.Chosen, i.Report)
	i.takeBack()
	return nil
}

func (i *incremental) launchPlan() *plan.Plan {
	p := &plan.Plan{}
	for j, v := range i.asm.Verdicts {
		if !v.Expel {
			continue
		}
		c := i.devices[j]
		name, err := live.KernelNameOf(c.Major, c.Minor)
		if err != nil {
			continue
		}
		p.Steps = append(p.Steps, plan.NewStep(
			plan.StepInfo{Kind: plan.KindSysfs, Target: i.node.Chosen, What: "state of " + name, Value: "remove"},
			func(context.Context) error {
				_ = i.remove(name) // if it stays, the kernel decides about it
				return nil
			}, nil))
	}
	if n, _ := i.asm.Arrived(); n >= i.asm.Freshest.Working() && i.trust != node.TrustForeign {
		p.Steps = append(p.Steps, plan.NewIoctl(i.node.Chosen, "RUN_ARRAY", "", func() error { return i.array().RunArray() }, nil))
	} else {
		p.Steps = append(p.Steps, plan.NewSetting(i.sysfs().StateTo(sysmd.ReadAuto), nil))
	}
	p.Steps = append(p.Steps, plan.AsideStep(i.launched))
	return p
}

// takeBack offers members that the kernel left out as outdated to the running array,
// where the policy allows that.
func (i *incremental) takeBack() {
	if i.dev == nil && i.open() != nil {
		return
	}
	for _, c := range i.devices {
		if !node.PoliciesOf(i.Conf, c.Major, c.Minor).Allows(node.FormatFamily(c.Member.Version), mdconf.ActionReAdd) {
			continue
		}
		name, err := live.KernelNameOf(c.Major, c.Minor)
		if err == nil && i.dev.AddNewDisk(c.DiskInfo(c.Member.State())) == nil {
			i.Report.Say(note.Always, "incremental.dev-re-added", name, i.node.Chosen)
		}
	}
}

// IncrementalScanRequest asks to start all arrays that have been begun.
type IncrementalScanRequest struct {
	Home   node.Home
	Conf   *mdconf.Config
	DryRun bool
	Report note.Reporter
}

// IncrementalScan starts all arrays that have been begun and can run, without writing to
// them (Incremental.c, IncrementalScan). It reports whether all went well.
func IncrementalScan(ctx context.Context, req IncrementalScanRequest) (steps []plan.StepInfo, ok bool) {
	r := plan.Runner{DryRun: req.DryRun}
	_ = r.Do(ctx, plan.SayStep(func() { node.Map{}.Ensure(req.Home, req.Conf) }))
	entries, _ := node.Map{}.Read() // without a map nothing has been begun
	ok = true
	for _, e := range entries {
		i := &incremental{fs: sysfs.Host, node: node.BegunNode(sysfs.Host, e.Name, e.Path, req.Report)}
		if state, err := i.sysfs().State(); err != nil || state.Running() {
			continue
		}
		start := plan.NewSetting(i.sysfs().StateTo(sysmd.ReadAuto), nil)
		started := plan.SayStep(func() { req.Report.Say(note.Normal, "incremental.started-array", e.Path) })
		if err := r.Do(ctx, start, started); err != nil {
			req.Report.Say(note.Always, "incremental.failed-start-array", e.Path, note.Errno{Err: err})
			req.Report.Extra(note.Always, note.Reason, fmt.Sprint(err))
			ok = false
		}
	}
	return r.Steps, ok
}
