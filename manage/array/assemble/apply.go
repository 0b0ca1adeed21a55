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

// carryOut has the plan run, and says what came of it.
func (a *assembler) carryOut(ctx context.Context) error {
	pl := a.plan()
	a.reportForced()
	a.log = note.ListenToKernel()
	defer a.log.Close()
	a.working, a.spares = a.s.working, a.s.spares
	applied, err := a.runner.Run(ctx, pl)
	a.result.Steps, a.result.applied = a.runner.Steps, applied && err == nil
	var failed *plan.PlanError
	if errors.As(err, &failed) {
		a.result.Started = false
		for _, l := range failed.Left {
			a.Report.Extra(note.Always, "assemble.could-not-take-back", l.Step, l.Err)
		}
	}
	if err == nil && a.s.start == startNotWanted {
		_ = a.notStarted() // it stays there, for whoever brings the rest
	}
	return errors.Join(err, a.node.Close())
}

// plan lists the steps: superblocks that --force changes, the device, its
// members, the start. The superblocks are among them only if the array then
// starts, and come back if it does not.
func (a *assembler) plan() *plan.Plan {
	steps := a.updateSteps()
	for _, j := range a.s.writes() {
		m := a.found[j].Member
		steps = append(steps, a.writeStep(j, "superblock "+m.Version.String(), m.Offset, a.s.edits[j].Bytes()))
	}
	backup := plan.NewBackup(a.BackupDir, node.MapUUIDOf(a.found[0].Member).String(), steps)
	steps = append(backup.Before(), steps...)
	steps = append(steps, a.restoreSteps()...)
	steps = append(steps, a.node.Steps()...)
	steps = append(steps, a.mapStep())
	if !a.merges {
		steps = append(steps, a.setStep())
	}
	for _, o := range a.s.order() {
		steps = append(steps, a.memberSteps(o)...)
	}
	if a.s.start == startNotWanted {
		return &plan.Plan{Steps: append(steps, backup.After()...)}
	}
	if a.s.start != startNow {
		// The kernel has had its say about the members; that is all.
		stop := plan.NewStep(plan.StepInfo{Kind: plan.KindIoctl, Target: a.node.Chosen, What: "STOP_ARRAY"},
			func(context.Context) error { return a.notStarted() }, nil)
		return &plan.Plan{Steps: append(steps, plan.Foreseen(stop, a.notStarted))}
	}
	steps = append(steps, a.runStep())
	var guard []plan.Step
	if a.s.content.Reshape.InPlace() {
		guard = a.guardSteps()
		steps, guard = append(steps, guard[:2]...), guard[2:]
	}
	steps = append(steps, a.attrSteps()...)
	steps = append(steps, plan.SayStep(a.started))
	steps = append(steps, guard...)
	steps = append(steps, a.returnSteps()...)
	if a.s.content.Level == md.LevelRAID6 && a.s.wasForced {
		steps = append(steps, a.repairStep())
	}
	steps = append(steps, backup.After()...)
	return &plan.Plan{Steps: append(steps, plan.AsideStep(func(ctx context.Context) error {
		node.WaitForName(ctx, a.node.Chosen, a.Report)
		return nil
	}))}
}

// writeStep writes to a candidate. One that an array holds already can not be
// claimed for that.
func (a *assembler) writeStep(j int, what string, off int64, b []byte) plan.Step {
	if a.found[j].Included {
		return plan.NewSharedWrite(a.memberPath(j), what, off, b)
	}
	return plan.NewWrite(a.memberPath(j), what, off, b)
}

// memberPath is a path for a candidate that may have been named by number.
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

// reportForced tells which superblocks are going to change.
func (a *assembler) reportForced() {
	for _, f := range a.s.forcedIn {
		c := &a.s.cands[f.cand]
		a.Report.Say(note.Normal, "assemble.forcing-event-count-from-up", c.Device, c.Slot, int32(f.From), int32(f.To))
	}
	for _, w := range a.s.wrong {
		if a.Force {
			a.Report.Say(note.Normal, "assemble.clearing-faulty-flag-for-device", w.Index, a.node.Chosen, w.Device)
		} else {
			a.Report.Say(note.Warning, "assemble.device-has-wrong-state-superblock-but-seems-ok", w.Place, a.node.Chosen, w.Device)
		}
	}
	if a.s.marked {
		a.Report.Say(note.Normal, "assemble.marking-array-as-clean", a.node.Chosen)
	}
}

// mapStep writes the array into mdadm's map, so that udev finds its name.
func (a *assembler) mapStep() plan.Step {
	entry := node.MapEntry{
		Name: a.node.Kernel, Metadata: a.s.content.Version.String(),
		UUID: node.MapUUIDOf(a.found[a.s.chosen].Member), Path: a.node.Chosen,
	}
	return plan.NewStep(plan.StepInfo{Kind: plan.KindMap, Target: node.MapDir + "/map", What: entry.Name, Value: entry.Path},
		func(context.Context) error {
			// An array without a line in the map is no worse an array.
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

// setStep begins the assembly; taking it back stops the array.
func (a *assembler) setStep() plan.Step {
	v := a.s.content.Version
	return plan.NewStep(plan.StepInfo{Kind: plan.KindIoctl, Target: a.node.Chosen, What: "SET_ARRAY_INFO", Value: "metadata " + v.String()},
		func(context.Context) error {
			err := a.node.Device().SetArrayInfo(&mdctl.ArrayInfo{MajorVersion: int32(v.Major), MinorVersion: int32(v.Minor)})
			if err != nil {
				a.Report.Say(note.Always, "assemble.failed-set-array-info", a.node.Chosen, note.Errno{Err: err})
				a.Report.KernelSaid(a.log, a.node.Kernel)
				return &note.Reported{Err: err}
			}
			return nil
		},
		func(context.Context) error { return a.node.Device().StopArray() })
}

// memberSteps hands one member to the kernel. A member that the kernel does
// not want is left out; whether the others suffice shows at the start.
func (a *assembler) memberSteps(o orderedMember) []plan.Step {
	s := a.s
	if o.cand < 0 {
		if o.place >= s.content.RaidDisks*2 || o.place&1 != 0 {
			return nil
		}
		return []plan.Step{plan.SayStep(func() {
			a.Report.Say(note.Chatty, "assemble.no-uptodate-device-for-slot", o.place/2, a.node.Chosen)
		})}
	}
	c := &s.cands[o.cand]
	disk := c.DiskInfo()
	if a.found[o.cand].Included {
		return []plan.Step{plan.SayStep(func() {
			a.Report.Say(note.Chatty, "assemble.already-as", c.Device, a.node.Chosen, disk.RaidDisk)
		})}
	}
	path := a.memberPath(o.cand)
	add := plan.NewStep(plan.StepInfo{
		Kind: plan.KindIoctl, Target: a.node.Chosen, What: "ADD_NEW_DISK",
		Value: fmt.Sprintf("%s (%s) as %d, slot %d", path, live.DevNumber(&disk), disk.Number, disk.RaidDisk),
	}, func(context.Context) error {
		if err := a.node.Device().AddNewDisk(disk); err != nil {
			a.refused(o, c, err)
			return nil
		}
		old := ""
		if !c.upToDate {
			old = " (possibly out of date)"
		}
		a.Report.Say(note.Chatty, "assemble.added-as", c.Device, a.node.Chosen, disk.RaidDisk, old, replacementWord(c.State.Replacement))
		return nil
	}, nil)
	return []plan.Step{device.DropPartitions(path), add}
}

// refused reports a member that the kernel does not want, and counts.
func (a *assembler) refused(o orderedMember, c *Candidate, err error) {
	a.Report.Say(note.Always, "assemble.failed-add", c.Device, a.node.Chosen, note.Errno{Err: err})
	if mayBeInvalid(err, &a.s.content) {
		a.Report.More(note.Always, "assemble.possibly-your-kernel-doesnt-support-raid0-layouts")
		a.Report.More(note.Always, "assemble.please-upgrade")
	}
	a.Report.KernelSaid(a.log, a.node.Kernel)
	a.Report.Holders(note.Always, c.Device, err)
	for i := range a.result.Members {
		if m := &a.result.Members[i]; m.Device == c.Device && m.In {
			m.In, m.Why = false, note.Of("assemble.out-refused", note.Errno{Err: err})
		}
	}
	if o.place < a.s.content.RaidDisks*2 || o.place == len(a.s.best) {
		a.working--
	} else {
		a.spares--
	}
}

// sysfs is the array that the plan makes, which need not be there yet.
func (a *assembler) sysfs() *sysmd.Array { return sysmd.At(a.fs, a.node.Kernel) }

// runStep starts the array.
func (a *assembler) runStep() plan.Step {
	readOnly := a.ReadOnly || a.s.journal == journalForced || a.s.content.Reshape.InPlace()
	info := plan.StepInfo{Kind: plan.KindIoctl, Target: a.node.Chosen, What: "RUN_ARRAY"}
	set := a.sysfs().StateTo(sysmd.ReadOnly)
	if readOnly {
		info = plan.SettingInfo(set)
	}
	return plan.NewStep(info, func(context.Context) error {
		if a.tooFewLeft() {
			a.s.start = startNeedRun
			return a.notStarted()
		}
		if a.s.journal == journalForced {
			a.Report.Say(note.Always, "assemble.journal-missing-or-stale-starting-array-read-only")
		}
		var err error
		if readOnly {
			err = set.Write()
		} else {
			err = a.node.Device().RunArray()
		}
		if err != nil {
			a.startFailed(err)
			return &note.Reported{Err: err}
		}
		return nil
	}, nil)
}

// tooFewLeft reports whether the kernel has refused so many members that the
// start has to be insisted on.
func (a *assembler) tooFewLeft() bool {
	return a.working < a.s.working && !a.Run && !a.Force && a.working+a.s.rebuilding < a.s.content.Working
}

// started reports success.
func (a *assembler) started() {
	s := a.s
	var outOf, journals note.Sentence
	if a.working < s.content.RaidDisks {
		outOf = note.Of("assemble.out-of", s.content.RaidDisks)
	}
	if s.journalOK {
		journals = note.Of("assemble.and-journals", s.journals)
	}
	a.Report.Say(note.Normal, "assemble.started", a.node.Chosen, drives(a.working), outOf, a.rebuildingCount(), a.spareCount(), journals)
}

// drives counts members in a sentence.
func drives(n int) note.Sentence {
	if n == 1 {
		return note.Of("assemble.one-drive", n)
	}
	return note.Of("assemble.drives", n)
}

// rebuildingCount is the part of a sentence that tells of rebuilding members.
func (a *assembler) rebuildingCount() note.Sentence {
	switch {
	case a.s.rebuilding == 0:
		return note.Sentence{}
	case a.spares > 0:
		return note.Of("assemble.comma-rebuilding", a.s.rebuilding)
	}
	return note.Of("assemble.and-rebuilding", a.s.rebuilding)
}

// spareCount is the part that tells of spares.
func (a *assembler) spareCount() note.Sentence {
	switch a.spares {
	case 0:
		return note.Sentence{}
	case 1:
		return note.Of("assemble.and-one-spare", a.spares)
	}
	return note.Of("assemble.and-spares", a.spares)
}

// enotsupp is the kernel's ENOTSUPP, which raid0 answers where it cannot tell
// which of two layouts is meant.
const enotsupp = unix.Errno(524)

// startFailed reports a refused start.
func (a *assembler) startFailed(err error) {
	a.Report.Say(note.Always, "assemble.failed-run-array", a.node.Chosen, note.Errno{Err: err})
	if errors.Is(err, enotsupp) && a.s.content.Level == md.LevelRAID0 && a.s.content.Layout == 0 {
		a.Report.More(note.Always, "assemble.please-use-update-layout-original-or-update-layout")
	}
	switch {
	case !a.s.enoughOf(true):
		a.Report.Say(note.Always, "assemble.not-enough-devices-start-array")
	case !a.s.enoughOf(a.s.clean):
		a.Report.Say(note.Always, "assemble.not-enough-devices-start-array-while-not-clean")
	}
	a.Report.KernelSaid(a.log, a.node.Kernel)
}

// notStarted reports why the array is not even tried.
func (a *assembler) notStarted() error {
	s := a.s
	switch s.start {
	case startNoJournal:
		a.Report.Say(note.Always, "assemble.not-safe-assemble-with-missing-or-stale-journal")
		return &note.Reported{Err: ErrNotStarted}
	case startNeedBackup:
		a.Report.Say(note.Always, "assemble.need-backup-file-complete-reshape-this-array", a.node.Chosen)
		a.Report.Say(note.Always, "assemble.please-provided-one-with-backup-file")
		if a.Update.word() == "revert-reshape" {
			a.Report.Say(note.Always, "assemble.dont-specify-update-revert-reshape-again-that-part")
		}
		return &note.Reported{Err: ErrNotStarted}
	}
	if s.start == startNotWanted {
		var outOf note.Sentence
		if a.working != s.content.RaidDisks {
			outOf = note.Of("assemble.out-of", s.content.RaidDisks)
		}
		a.Report.Say(note.Always, "assemble.but-not-started", a.node.Chosen, drives(a.working), outOf)
		return &note.Reported{Err: ErrNotStarted}
	}
	a.Report.Say(note.Warning, "assemble.not-started", a.node.Chosen, drives(a.working), a.rebuildingCount(), a.spareCount(), a.whyNotStarted())
	return &note.Reported{Err: ErrNotStarted}
}

// whyNotStarted is the part of a sentence that says what is missing.
func (a *assembler) whyNotStarted() note.Sentence {
	need := a.s.content.Working
	switch {
	case a.s.start == startTooFew:
		return note.Of("assemble.not-enough")
	case a.s.start == startDirty:
		return note.Of("assemble.not-enough-while-not-clean")
	case need == a.s.content.RaidDisks:
		return note.Of("assemble.need-all", need)
	}
	return note.Of("assemble.need", need)
}

// repairStep lets a raid6 that was forced and has one parity left put the
// other in order.
func (a *assembler) repairStep() plan.Step {
	set := a.sysfs().SyncActionTo(sysmd.Repair)
	return plan.NewStep(plan.SettingInfo(set),
		func(context.Context) error {
			if a.working+1 == a.s.content.RaidDisks {
				_ = set.Write() // best effort, as the array runs
			}
			return nil
		}, nil)
}
