package incremental

import (
	"context"
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/assemble"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// count is how far an array has come that gets its members one by one.
type count struct {
	best    md.Info // the freshest member
	avail   []bool  // by slot
	active  int
	journal bool                    // one as recent as the members is there
	reject  []*assemble.FoundMember // members that must not be in when it starts
}

// countActive judges the members (Incremental.c, count_active): those of the
// highest event count and the one below it count, unless their own table has
// no place for the freshest; the rest is rejected.
func countActive(devices []*assemble.FoundMember) *count {
	n := &count{}
	var newest *assemble.FoundMember
	var journal uint64
	replacements := 0
	infos := make(map[*assemble.FoundMember]md.Info)
	for _, c := range devices {
		info := md.InfoOf(c.Member)
		infos[c] = info
		switch {
		case info.State.Journal:
			journal = max(journal, info.Events)
		case info.State.Replacement:
			replacements++
		case info.State.Sync && (newest == nil || info.Events > infos[newest].Events):
			newest = c
		}
	}
	if newest == nil {
		return n
	}
	n.best = infos[newest]
	n.journal = journal+md.EventMargin >= n.best.Events
	n.avail = make([]bool, md.Alive(n.best.RaidDisks))
	in := make([]*assemble.FoundMember, len(n.avail))
	for _, c := range devices {
		info := infos[c]
		if !info.State.Sync || info.Slot < 0 || info.Slot >= len(in) || info.Events+md.EventMargin < n.best.Events {
			continue
		}
		if old := in[info.Slot]; old == nil || infos[old].Events < info.Events {
			in[info.Slot] = c
		}
	}
	// The first slot of the freshest is the one that the others must know.
	judge := n.best.Slot
	for slot, c := range in {
		if c != nil && infos[c].Events == n.best.Events {
			judge = slot
			break
		}
	}
	for slot, c := range in {
		if c == nil {
			continue
		}
		if info := infos[c]; slot != judge && info.ReportsFailed(judge) {
			n.reject = append(n.reject, c)
			continue
		}
		n.avail[slot] = true
		n.active++
	}
	for _, c := range devices {
		if info := infos[c]; !info.State.Sync && info.Events > n.best.Events {
			n.reject = append(n.reject, c)
		}
	}
	n.active += replacements
	return n
}

// enough reports whether the members that count can run the array.
func (n *count) enough() bool {
	return n.avail != nil &&
		md.Enough(n.best.Level, n.best.RaidDisks, n.best.Layout, n.best.Clean || n.best.PPL, n.avail)
}

// tell says what became of the device, unless that is exported.
func (i *incremental) tell(id note.ID, args ...any) {
	if !i.Export {
		i.Report.Say(note.Normal, id, args...)
	}
}

// start starts the array if that can be done, and is safe or asked for.
func (i *incremental) start(ctx context.Context) {
	i.result.Code = 0
	n := countActive(i.devices)
	i.count = n
	name := i.node.Chosen
	noJournal := n.best.NeedsJournal && !n.journal
	switch {
	case !n.enough():
		i.result.Started = StartedNo
		i.tell("incremental.attached-not-enough-start", i.Device, name, n.active)
	case i.there != nil && i.running():
		i.result.Started = StartedAlready
		i.tell("incremental.attached-which-already-active", i.Device, name)
	case i.Run || !noJournal && n.active >= n.best.Working:
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

// launch starts the array. What is incomplete or foreign starts without a
// write, until somebody writes to it.
func (i *incremental) launch(ctx context.Context, noJournal bool) {
	name := i.node.Chosen
	if noJournal {
		i.Report.Say(note.Always, "incremental.trying-run-with-missing-journal-device")
	}
	if r := &i.count.best.Reshape; r.Active && !r.NoBackup {
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

// launched is what follows once the array runs.
func (i *incremental) launched(ctx context.Context) error {
	_ = i.node.Close() // an exclusive opening would be in the way of those who wait for it
	i.tell("incremental.attached-which-has-been-started", i.Device, i.node.Chosen)
	node.WaitForName(ctx, i.node.Chosen, i.Report)
	i.takeBack()
	return nil
}

func (i *incremental) launchPlan() *plan.Plan {
	p := &plan.Plan{}
	for _, c := range i.count.reject {
		name, err := live.KernelNameOf(c.Major, c.Minor)
		if err != nil {
			continue
		}
		p.Steps = append(p.Steps, plan.NewStep(
			plan.StepInfo{Kind: plan.KindSysfs, Target: i.node.Chosen, What: "state of " + name, Value: "remove"},
			func(context.Context) error {
				_ = i.remove(name) // if it stays the kernel judges it
				return nil
			}, nil))
	}
	if i.count.active >= i.count.best.Working && i.trust != node.TrustForeign {
		p.Steps = append(p.Steps, plan.NewStep(plan.StepInfo{Kind: plan.KindIoctl, Target: i.node.Chosen, What: "RUN_ARRAY"},
			func(context.Context) error { return i.array().RunArray() }, nil))
	} else {
		p.Steps = append(p.Steps, plan.NewSetting(i.sysfs().StateTo(sysmd.ReadAuto), nil))
	}
	p.Steps = append(p.Steps, plan.AsideStep(i.launched))
	return p
}

// takeBack offers members that the kernel has left out because they are old to
// the running array, where the policy allows that.
func (i *incremental) takeBack() {
	if i.dev == nil && i.open() != nil {
		return
	}
	for _, c := range i.devices {
		if !node.PoliciesOf(i.Conf, c.Major, c.Minor).Allows(node.FormatFamily(c.Member.Version), mdconf.ActionReAdd) {
			continue
		}
		cand := assemble.Candidate{Info: md.InfoOf(c.Member)}
		cand.Major, cand.Minor = c.Major, c.Minor
		name, err := live.KernelNameOf(c.Major, c.Minor)
		if err == nil && i.dev.AddNewDisk(cand.DiskInfo()) == nil {
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

// IncrementalScan starts, without a write to them, all arrays that have been
// begun and can run (Incremental.c, IncrementalScan). It reports whether all
// went well.
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
