package watch

import (
	"context"
	"fmt"

	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// migrate gives each array that is missing a member and has no spare a spare from
// another array that can do without it (Monitor.c, try_spare_migration). Array and
// spare must belong together: every domain of the spare is one of the array's, and
// there is at least one.
func (w *Watcher) migrate(ctx context.Context) {
	for _, to := range w.known {
		if !to.needy() || to.errs > 0 || to.metadata == "" {
			continue
		}
		domains := w.domains(to)
		if len(domains) == 0 {
			continue
		}
		for _, from := range w.known {
			if from == to || !from.lends() {
				continue
			}
			if spare, ok := w.choose(from, to, domains); ok && w.migration(ctx, from, to, spare) {
				break
			}
		}
	}
}

// lends reports whether the array can do without a spare.
func (k *known) lends() bool {
	return k.errs == 0 && k.metadata != "" && k.seen.Active >= k.seen.RaidDisks && k.seen.Spare > 0
}

// domains lists the domains of an array: those of its members, and its spare group.
func (w *Watcher) domains(k *known) []string {
	var list []string
	for _, d := range k.disks {
		if !d.empty() {
			list = append(list, w.domainsOf(d.num, k.metadata)...)
		}
	}
	if k.spareGroup != "" {
		list = append(list, k.spareGroup)
	}
	return list
}

// choose finds a spare in one array that suits the other.
func (w *Watcher) choose(from, to *known, domains []string) (sysblock.Num, bool) {
	for i := from.seen.RaidDisks; i < len(from.disks); i++ {
		d := from.disks[i]
		if d.empty() || d.state != 0 || !w.fits(d.num, to) {
			continue
		}
		own := w.domainsOf(d.num, to.metadata)
		if from.spareGroup != "" {
			own = append(own, from.spareGroup)
		}
		if mdconf.InDomains(domains, own) == 1 {
			return d.num, true
		}
	}
	return sysblock.Num{}, false
}

// fits reports whether a device has room for a member of the array. mdadm finds out
// by first removing the device from its own array.
func (w *Watcher) fits(num sysblock.Num, to *known) bool {
	a, err := sysmd.Open(w.fs, to.kernel)
	if err != nil {
		return false
	}
	kib, err := a.ComponentSize()
	if err != nil {
		return true // the kernel has the last word
	}
	dev, err := sysblock.OpenNum(w.fs, num)
	if err != nil {
		return false
	}
	sectors, err := dev.Sectors()
	return err == nil && sectors > 2*kib
}

// migration moves a spare from one array to another, and tells of it. It reports
// whether that went well or, in a dry run, is what would be tried.
func (w *Watcher) migration(ctx context.Context, from, to *known, spare sysblock.Num) bool {
	info := plan.StepInfo{Kind: plan.KindDevice, Target: to.path, What: "move a spare here", Value: fmt.Sprintf("%v from %s", spare, from.path)}
	w.runner.Steps = nil // they are told as they come
	applied, err := w.runner.Run(ctx, &plan.Plan{Steps: []plan.Step{
		plan.NewStep(info, func(ctx context.Context) error { return w.move(ctx, from, to, spare) }, nil),
	}})
	if err == nil && applied {
		w.tell(MoveSpare, to, from.path, "")
	}
	return err == nil
}

// move moves a spare from one array to another. If that fails it puts the spare
// back.
func (w *Watcher) move(ctx context.Context, from, to *known, spare sysblock.Num) error {
	if err := w.change(ctx, from, member.VerbRemove, spare); err != nil {
		return err
	}
	err := w.change(ctx, to, member.VerbAdd, spare)
	if err != nil {
		_ = w.change(ctx, from, member.VerbAdd, spare) // problems have been reported
	}
	return err
}

// change does something to a member, and reports only problems.
func (w *Watcher) change(ctx context.Context, k *known, verb member.Verb, mem sysblock.Num) error {
	var said []note.Note
	_, err := member.Manage(ctx, member.ManageRequest{
		Array: k.path, Devices: []member.Subdev{{Name: mem.String(), Verb: verb}},
		Overwrite: true, // it has the superblock of the array that it comes from
		Report:    func(n note.Note) { said = append(said, n) },
	})
	if err == nil || w.Report == nil {
		return err
	}
	for _, n := range said {
		w.Report(n)
	}
	if !note.WasReported(err) {
		w.Report.Say(note.Always, note.Reason, err)
	}
	return err
}
