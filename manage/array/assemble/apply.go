package assemble

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// carryOut runs the plan, and reports the result.
func (a *assembler) carryOut(ctx context.Context) error {
	pl := a.plan()
	a.reportForced()
	a.log = note.ListenToKernel()
	defer a.log.Close()
	a.runner.Backup = plan.BackupFor(a.BackupDir, node.MapUUIDOf(a.found[0].Member).String(), a.Force || a.Update != nil)
	a.working, a.spares = a.s.Working(), len(a.s.Spares)
	applied, err := a.runner.Run(ctx, pl)
	a.result.Steps, a.result.applied = a.runner.Steps, applied && err == nil
	var failed *plan.PlanError
	if errors.As(err, &failed) {
		a.result.Started = false
		for _, l := range failed.Left {
			a.Report.Extra(note.Always, "assemble.could-not-take-back", l.Step, l.Err)
		}
	}
	if err == nil && a.s.Start == md.StartNotWanted {
		_ = a.notStarted() // it stays set up, for a later command that adds the rest
	}
	return errors.Join(err, a.node.Close())
}

// plan lists the steps: superblocks that --force changes, the device, its members, the
// start. The superblocks are included only if the array then starts, and are put back if
// it does not.
func (a *assembler) plan() *plan.Plan {
	steps := a.updateSteps()
	for _, j := range a.s.Written() {
		m := a.found[j].Member
		steps = append(steps, a.writeStep(j, "superblock "+m.Version.String(), m.Offset, a.s.Edits[j].Bytes()))
	}
	steps = append(steps, a.restoreSteps()...)
	steps = append(steps, a.node.Steps()...)
	steps = append(steps, a.mapStep())
	if !a.merges {
		steps = append(steps, a.setStep())
	}
	for _, o := range a.s.Order() {
		steps = append(steps, a.memberSteps(o)...)
	}
	if a.s.Start == md.StartNotWanted {
		return &plan.Plan{Steps: steps}
	}
	if a.s.Start != md.StartNow {
		// The kernel has accepted or refused each member; there is nothing more to do.
		stop := plan.NewIoctl(a.node.Chosen, "STOP_ARRAY", "", a.notStarted, nil)
		return &plan.Plan{Steps: append(steps, plan.Foreseen(stop, a.notStarted))}
	}
	steps = append(steps, a.runStep())
	var guard []plan.Step
	if a.s.Lead().Reshape().InPlace() {
		guard = a.guardSteps()
		steps, guard = append(steps, guard[:2]...), guard[2:]
	}
	steps = append(steps, a.attrSteps()...)
	steps = append(steps, plan.SayStep(a.started))
	steps = append(steps, guard...)
	steps = append(steps, a.returnSteps()...)
	if a.s.Lead().Level() == md.LevelRAID6 && a.s.Forced {
		steps = append(steps, a.repairStep())
	}
	return &plan.Plan{Steps: steps}
}

// writeStep writes to a candidate. One that an array already holds cannot be opened
// exclusively.
func (a *assembler) writeStep(j int, what string, off int64, b []byte) plan.Step {
	if a.found[j].Included {
		return plan.NewSharedWrite(a.memberPath(j), what, off, b)
	}
	return plan.NewWrite(a.memberPath(j), what, off, b)
}

// memberPath returns a path for a candidate, which may have been named by number.
func (a *assembler) memberPath(j int) string {
	c := a.found[j]
	if _, _, byNumber := device.ParseDevNumber(c.Path); !byNumber {
		return c.Path
	}
	name, err := live.KernelNameOf(c.Major, c.Minor)
	if err != nil {
		return c.Path
	}
	return device.DevicePath(c.Major, c.Minor, name)
}

// reportForced reports which superblocks are going to change.
func (a *assembler) reportForced() {
	for _, r := range a.s.Raised {
		m := a.s.Verdicts[r.Index].Member
		a.Report.Say(note.Normal, "assemble.forcing-event-count-from-up", m.Name, m.Slot(), int32(r.From), int32(r.To))
	}
	for _, w := range a.s.Wrong {
		if a.Force {
			a.Report.Say(note.Normal, "assemble.clearing-faulty-flag-for-device", w.Index, a.node.Chosen, a.s.Verdicts[w.Index].Member.Name)
		} else {
			a.Report.Say(note.Warning, "assemble.device-has-wrong-state-superblock-but-seems-ok", w.Place, a.node.Chosen, a.s.Verdicts[w.Index].Member.Name)
		}
	}
	if a.s.Marked {
		a.Report.Say(note.Normal, "assemble.marking-array-as-clean", a.node.Chosen)
	}
}

// mapStep writes the array into mdadm's map, so that udev finds its name.
func (a *assembler) mapStep() plan.Step {
	entry := node.MapEntry{
		Name: a.node.Kernel, Metadata: a.s.Lead().Version.String(),
		UUID: node.MapUUIDOf(a.s.Lead()), Path: a.node.Chosen,
	}
	return plan.NewStep(plan.StepInfo{Kind: plan.KindMap, Target: node.MapDir + "/map", What: entry.Name, Value: entry.Path},
		func(context.Context) error {
			// An array without a line in the map works as well.
			entry.Path = a.node.Chosen
			_ = a.arrays.Update(entry)
			return nil
		},
		func(context.Context) error {
			if !a.merges {
				_ = a.arrays.Remove(entry.Name)
			}
			return nil
		})
}

// setStep begins the assembly; undoing it stops the array.
func (a *assembler) setStep() plan.Step {
	v := a.s.Lead().Version
	return plan.NewIoctl(a.node.Chosen, "SET_ARRAY_INFO", "metadata "+v.String(),
		func() error {
			err := a.node.Device().SetArrayInfo(&mdctl.ArrayInfo{MajorVersion: int32(v.Major), MinorVersion: int32(v.Minor)})
			if err != nil {
				a.Report.Say(note.Always, "assemble.failed-set-array-info", a.node.Chosen, note.Errno{Err: err})
				a.Report.KernelSaid(a.log, a.node.Kernel)
				return &note.Reported{Err: err}
			}
			return nil
		},
		func() error { return a.node.Device().StopArray() })
}

// memberSteps hands one member to the kernel. A member that the kernel refuses is left
// out; the start shows whether the others suffice.
func (a *assembler) memberSteps(o md.Claim) []plan.Step {
	s := a.s
	if o.Index < 0 {
		if o.Place >= s.Lead().Slots()*2 || o.Place&1 != 0 {
			return nil
		}
		return []plan.Step{plan.SayStep(func() {
			a.Report.Say(note.Chatty, "assemble.no-uptodate-device-for-slot", o.Place/2, a.node.Chosen)
		})}
	}
	c, v := a.found[o.Index], &s.Verdicts[o.Index]
	disk := c.DiskInfo(v.State)
	if a.found[o.Index].Included {
		return []plan.Step{plan.SayStep(func() {
			a.Report.Say(note.Chatty, "assemble.already-as", c.Path, a.node.Chosen, disk.RaidDisk)
		})}
	}
	path := a.memberPath(o.Index)
	value := fmt.Sprintf("%s (%s) as %d, slot %d", path, live.DevNumber(&disk), disk.Number, disk.RaidDisk)
	add := plan.NewIoctl(a.node.Chosen, "ADD_NEW_DISK", value, func() error {
		if err := a.node.Device().AddNewDisk(disk); err != nil {
			a.refused(o, c, err)
			return nil
		}
		old := ""
		if !v.In {
			old = " (possibly out of date)"
		}
		a.Report.Say(note.Chatty, "assemble.added-as", c.Path, a.node.Chosen, disk.RaidDisk, old, replacementWord(v.State.Replacement))
		return nil
	}, nil)
	return []plan.Step{device.DropPartitions(path), add}
}

// refused reports a member that the kernel has refused, and adjusts the counts.
func (a *assembler) refused(o md.Claim, c *FoundMember, err error) {
	a.Report.Say(note.Always, "assemble.failed-add", c.Path, a.node.Chosen, note.Errno{Err: err})
	if mayBeInvalid(err, a.s.Lead()) {
		a.Report.More(note.Always, "assemble.possibly-your-kernel-doesnt-support-raid0-layouts")
		a.Report.More(note.Always, "assemble.please-upgrade")
	}
	a.Report.KernelSaid(a.log, a.node.Kernel)
	a.Report.Holders(note.Always, c.Path, err)
	for i := range a.result.Members {
		if m := &a.result.Members[i]; m.Device == c.Path && m.In {
			m.In, m.Why = false, note.Of("assemble.out-refused", note.Errno{Err: err})
		}
	}
	if o.Place < a.s.Lead().Slots()*2 || o.Place == len(a.s.Places) {
		a.working--
	} else {
		a.spares--
	}
}

// sysfs returns the array that the plan makes, which need not exist yet.
func (a *assembler) sysfs() *sysmd.Array { return sysmd.At(a.fs, a.node.Kernel) }

// runStep starts the array: by array_state if it is to be read-only, which RUN_ARRAY
// cannot do.
func (a *assembler) runStep() plan.Step {
	if a.ReadOnly || a.s.NoJournal || a.s.Lead().Reshape().InPlace() {
		set := a.sysfs().StateTo(sysmd.ReadOnly)
		return plan.NewStep(plan.SettingInfo(set), func(context.Context) error { return a.tryStart(set.Write) }, nil)
	}
	return plan.NewIoctl(a.node.Chosen, "RUN_ARRAY", "", func() error { return a.tryStart(a.node.Device().RunArray) }, nil)
}

// tryStart starts the array, unless too few members are left.
func (a *assembler) tryStart(start func() error) error {
	if a.tooFewLeft() {
		a.s.Start = md.StartNeedRun
		return a.notStarted()
	}
	if a.s.NoJournal {
		a.Report.Say(note.Always, "assemble.journal-missing-or-stale-starting-array-read-only")
	}
	if err := start(); err != nil {
		a.startFailed(err)
		return &note.Reported{Err: err}
	}
	return nil
}

// tooFewLeft reports whether the kernel has refused so many members that the array
// starts only if the user insists.
func (a *assembler) tooFewLeft() bool {
	return a.working < a.s.Working() && !a.Run && !a.Force && a.working+a.s.Rebuilding() < a.s.Lead().Working()
}

// started reports success.
func (a *assembler) started() {
	s := a.s
	var outOf, journals note.Sentence
	if a.working < s.Lead().Slots() {
		outOf = note.Of("assemble.out-of", s.Lead().Slots())
	}
	if s.Journal != nil {
		journals = note.Of("assemble.and-journals", s.Journals())
	}
	a.Report.Say(note.Normal, "assemble.started", a.node.Chosen, drives(a.working), outOf, a.rebuildingCount(), a.spareCount(), journals)
}

// drives returns the number of members as part of a sentence.
func drives(n int) note.Sentence {
	if n == 1 {
		return note.Of("assemble.one-drive", n)
	}
	return note.Of("assemble.drives", n)
}

// rebuildingCount returns the part of a sentence that counts rebuilding members.
func (a *assembler) rebuildingCount() note.Sentence {
	switch {
	case a.s.Rebuilding() == 0:
		return note.Sentence{}
	case a.spares > 0:
		return note.Of("assemble.comma-rebuilding", a.s.Rebuilding())
	}
	return note.Of("assemble.and-rebuilding", a.s.Rebuilding())
}

// spareCount returns the part of a sentence that counts spares.
func (a *assembler) spareCount() note.Sentence {
	switch a.spares {
	case 0:
		return note.Sentence{}
	case 1:
		return note.Of("assemble.and-one-spare", a.spares)
	}
	return note.Of("assemble.and-spares", a.spares)
}

// enotsupp is the kernel's ENOTSUPP, which raid0 returns if it cannot tell which of two
// layouts is meant.
const enotsupp = unix.Errno(524)

// startFailed reports a refused start.
func (a *assembler) startFailed(err error) {
	a.Report.Say(note.Always, "assemble.failed-run-array", a.node.Chosen, note.Errno{Err: err})
	if errors.Is(err, enotsupp) && a.s.Lead().Level() == md.LevelRAID0 && a.s.Lead().Layout() == 0 {
		a.Report.More(note.Always, "assemble.please-use-update-layout-original-or-update-layout")
	}
	switch {
	case !a.s.Enough(true):
		a.Report.Say(note.Always, "assemble.not-enough-devices-start-array")
	case !a.s.Enough(a.s.Clean):
		a.Report.Say(note.Always, "assemble.not-enough-devices-start-array-while-not-clean")
	}
	a.Report.KernelSaid(a.log, a.node.Kernel)
}

// notStarted reports why no start is attempted.
func (a *assembler) notStarted() error {
	s := a.s
	switch s.Start {
	case md.StartNoJournal:
		a.Report.Say(note.Always, "assemble.not-safe-assemble-with-missing-or-stale-journal")
		return &note.Reported{Err: ErrNotStarted}
	case md.StartNeedBackup:
		a.Report.Say(note.Always, "assemble.need-backup-file-complete-reshape-this-array", a.node.Chosen)
		a.Report.Say(note.Always, "assemble.please-provided-one-with-backup-file")
		if a.Update.word() == "revert-reshape" {
			a.Report.Say(note.Always, "assemble.dont-specify-update-revert-reshape-again-that-part")
		}
		return &note.Reported{Err: ErrNotStarted}
	}
	if s.Start == md.StartNotWanted {
		var outOf note.Sentence
		if a.working != s.Lead().Slots() {
			outOf = note.Of("assemble.out-of", s.Lead().Slots())
		}
		a.Report.Say(note.Always, "assemble.but-not-started", a.node.Chosen, drives(a.working), outOf)
		return &note.Reported{Err: ErrNotStarted}
	}
	a.Report.Say(note.Warning, "assemble.not-started", a.node.Chosen, drives(a.working), a.rebuildingCount(), a.spareCount(), a.whyNotStarted())
	return &note.Reported{Err: ErrNotStarted}
}

// whyNotStarted returns the part of a sentence that says what is missing.
func (a *assembler) whyNotStarted() note.Sentence {
	need := a.s.Lead().Working()
	switch {
	case a.s.Start == md.StartTooFew:
		return note.Of("assemble.not-enough")
	case a.s.Start == md.StartDirty:
		return note.Of("assemble.not-enough-while-not-clean")
	case need == a.s.Lead().Slots():
		return note.Of("assemble.need-all", need)
	}
	return note.Of("assemble.need", need)
}

// repairStep repairs a raid6 that was started by force with one parity left, so that the
// other parity becomes right.
func (a *assembler) repairStep() plan.Step {
	set := a.sysfs().SyncActionTo(sysmd.Repair)
	return plan.NewStep(plan.SettingInfo(set),
		func(context.Context) error {
			if a.working+1 == a.s.Lead().Slots() {
				_ = set.Write() // best effort: the array already runs
			}
			return nil
		}, nil)
}
