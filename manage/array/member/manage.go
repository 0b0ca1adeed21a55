// Package member changes which devices are in a running array: add, re-add, remove,
// replace, fail, and wiping what an earlier membership has left.
package member

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Verb is what to do with a device of a running array.
type Verb byte

// Verbs; the letters are those of mdadm's messages.
const (
	VerbAdd      Verb = 'a' // put it back in its former slot if possible, else make it a spare
	VerbAddSpare Verb = 'S' // make it a spare, whatever it holds
	VerbReAdd    Verb = 'A' // put it back in its former slot
	VerbRemove   Verb = 'r'
	VerbFail     Verb = 'f'
	VerbReplace  Verb = 'R' // copy it to a spare, then fail it
	VerbWith     Verb = 'W' // the spare to use for the VerbReplace before
	VerbConfirm  Verb = 'c' // tell the node of the cluster that adds it that this one sees it, or does not

	verbReAddMissing Verb = 'M' // VerbReAdd without complaints, for a device that may be a former member
	verbReAddFaulty  Verb = 'F' // VerbReAdd for a failed member, which has to be removed first
	verbWithPaired   Verb = 'w' // VerbWith that belongs to a VerbReplace
)

// Setting is whether a per-device flag is set, cleared or left as it is.
type Setting int8

// Values of a Setting.
const (
	Keep Setting = iota
	On
	Off
)

// Subdev is one device on the command line of --manage. Besides a path, Name can be
// "major:minor" or, for VerbFail and VerbRemove, a kernel name such as "sdb1",
// "detached", "set-A" (half of a raid10); for VerbRemove and VerbReAdd "failed" or
// "faulty"; for VerbReAdd "missing".
type Subdev struct {
	Name        string
	Verb        Verb
	WriteMostly Setting
	FailFast    Setting

	slot int // for verbWithPaired: the slot of the member to replace
}

// ManageRequest is a list of changes to the members of a running array.
type ManageRequest struct {
	Array   string // path of the md device
	Devices []Subdev
	// Force fails even a member without which the array cannot go on, adds devices that
	// are larger than metadata 0.90 can use, whatever they hold, and waits longer for
	// members that are still busy.
	Force bool
	// Overwrite makes devices spares whatever they hold.
	Overwrite bool
	// Confirm is asked, after a report, before a device that holds something else is
	// made a spare; if it is nil, that fails with ErrOccupied.
	Confirm func() bool
	// BackupDir is where to save what is overwritten; with Force that is saved for the
	// time being even without a BackupDir. See plan.Backup.
	BackupDir string
	DryRun    bool // plan only
	Report    note.Reporter
}

// ManageResult says what a ManageRequest did, or would do.
type ManageResult struct {
	Changed int             // number of devices changed
	Steps   []plan.StepInfo // in order; if the request failed, those up to the failure
}

// ErrLastMember marks a member that was not failed because the array cannot go on
// without it; it also matches unix.EBUSY, which the kernel would return.
var ErrLastMember = fmt.Errorf("the array would not survive that: %w", unix.EBUSY)

// errDeclined marks a device that cannot be changed as requested. That has been
// reported.
var errDeclined error = &note.Reported{Err: errors.New("refused; the devices named before are done, this one and those after it are not")}

// Manage carries out a request, device by device, as mdadm does: it stops at the first
// failure, and the devices before it stay changed. For each device everything is planned
// before anything is changed, and what a failed change has written is put back.
//
// The error matches unix.EBUSY if a member could not be failed because the array needs
// it.
func Manage(ctx context.Context, req ManageRequest) (*ManageResult, error) {
	dev, err := mdctl.Open(req.Array, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	backup := plan.BackupFor(req.BackupDir, filepath.Base(req.Array), req.Force)
	s := &Manager{ManageRequest: req, Runner: &plan.Runner{DryRun: req.DryRun, Backup: backup}, Dev: dev, Result: &ManageResult{}}
	defer func() { s.Result.Steps = s.Runner.Steps }()
	if s.Live, err = live.Read(dev, req.Array, sysfs.Host); err != nil {
		var e *live.Error
		if errors.As(err, &e) {
			req.Report.Say(note.Always, note.Reason, e.Why)
			err = &note.Reported{Err: err}
		}
		return s.Result, err
	}
	err = s.Run(ctx)
	if thaw := s.thaw(ctx); err == nil {
		err = thaw
	}
	return s.Result, err
}

// Manager carries out one request.
type Manager struct {
	ManageRequest
	Runner *plan.Runner
	Dev    *mdctl.Device
	Live   *live.Array
	frozen bool // we have set sync_action to frozen
	Tried  bool // we have tried to freeze it
	queue  []Subdev
	Result *ManageResult
	// letGo are the devices that a dry run would have removed, while the array still
	// holds them.
	letGo map[devNumber]bool
}

type devNumber struct{ major, minor uint32 }

// Run handles one device after the other. Words that stand for several devices insert
// these at the front of the queue.
func (m *Manager) Run(ctx context.Context) error {
	m.queue = append([]Subdev(nil), m.Devices...)
	for len(m.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		dv := m.queue[0]
		m.queue = m.queue[1:]
		if dv.Verb == VerbReAdd && m.Live.Info.NotPersistent != 0 {
			// Nothing tells what the device has missed. mdadm 4.2 and the kernel take it
			// for up to date (md.c, md_add_new_disk).
			m.Report.Say(note.Always, "member.re-add-without-metadata", dv.Name, m.Live.Name)
			m.Report.Extra(note.Always, "member.add-rebuilds-it")
			return errDeclined
		}
		if dv.Verb == VerbConfirm {
			if err := m.confirmed(ctx, dv); err != nil {
				return err
			}
			continue
		}
		more, word, err := m.expand(dv)
		if err != nil {
			return err
		}
		if word {
			m.queue = append(more, m.queue...)
			continue
		}
		changed, err := m.one(ctx, dv)
		if err != nil {
			return err
		}
		if changed {
			m.Result.Changed++
		}
		// A dry run continues from its own description of the array.
		if err := m.Runner.Do(ctx, plan.AsideStep(m.refresh)); err != nil {
			return err
		}
	}
	return nil
}

// refresh reads the members again.
func (m *Manager) refresh(context.Context) error {
	info, err := m.Dev.ArrayInfo()
	if err != nil {
		return err
	}
	m.Live.Info = info
	m.Live.Disks, err = live.ReadDisks(m.Dev, int(info.NrDisks))
	return err
}

// one finds the device and applies its verb.
func (m *Manager) one(ctx context.Context, dv Subdev) (changed bool, err error) {
	t, err := m.find(dv)
	if err != nil || t == nil {
		return false, err
	}
	switch dv.Verb {
	case VerbAdd, VerbAddSpare, VerbReAdd, verbReAddMissing, verbReAddFaulty:
		return m.add(ctx, t)
	case VerbRemove:
		return m.remove(ctx, t)
	case VerbFail:
		return m.fail(ctx, t)
	case VerbReplace:
		return m.replace(ctx, t)
	case verbWithPaired:
		return false, m.replaceWith(ctx, t) // mdadm counts only the device that is being replaced
	}
	m.Report.Say(note.Always, "member.no-matching-replace-device", dv.Name)
	return false, errDeclined
}

// Target is a device that has been looked up.
type Target struct {
	Subdev
	Major, Minor uint32
	detached     *sysmd.Member // if the device itself is gone: its member in sysfs
}

// find looks up a device. For a device that may be skipped, it returns nil without an
// error.
func (m *Manager) find(dv Subdev) (*Target, error) {
	t := &Target{Subdev: dv}
	if isKernelName(dv.Name) {
		return t, m.findByKernelName(t)
	}
	var ok bool
	if t.Major, t.Minor, ok = device.ParseDevNumber(dv.Name); ok && (dv.Verb == VerbRemove || dv.Verb == VerbFail) {
		return t, nil // it need not exist any more
	}
	d, openErr := device.Open(dv.Name, block.ForReading)
	if openErr == nil {
		defer d.Close()
		t.Major, t.Minor = d.Major, d.Minor
		if d.IsBlockDevice() {
			return t, nil
		}
		openErr = &block.Error{Op: "open", Device: dv.Name, Off: -1, Err: block.ErrNotDevice}
	}
	var statErr error
	t.Major, t.Minor, statErr = device.StatDevice(dv.Name)
	switch {
	case errors.Is(openErr, block.ErrNotDevice) || errors.Is(statErr, block.ErrNotDevice):
		m.Report.Say(note.Always, "member.not-block-device", dv.Name)
	case statErr != nil:
		m.Report.Say(note.Always, "member.stat-failed", dv.Name, note.Errno{Err: statErr})
	case dv.Verb == VerbRemove:
		return t, nil // the number is enough
	case dv.Verb != verbReAddMissing:
		m.Report.Say(note.Always, "member.cannot-open", dv.Name, note.Errno{Err: openErr})
	}
	if dv.Verb == verbReAddMissing {
		return nil, nil
	}
	return nil, errDeclined
}

// freeze keeps the array from starting recovery in the middle of a change.
func (m *Manager) freeze(ctx context.Context) {
	if m.Tried {
		return
	}
	m.Tried = true
	if action, err := m.Live.Sysfs.SyncAction(); err != nil || action != sysmd.Idle && action != sysmd.Recover {
		return
	}
	m.frozen = m.apply(ctx, plan.NewSetting(m.Live.Sysfs.SyncActionTo(sysmd.Frozen), nil)) == nil
}

// thaw reverts freeze.
func (m *Manager) thaw(ctx context.Context) error {
	if !m.frozen {
		return nil
	}
	return m.apply(context.WithoutCancel(ctx), plan.NewSetting(m.Live.Sysfs.SyncActionTo(sysmd.Idle), nil))
}

// ioctlStep returns a step that sends the array a request about one of its devices.
func (m *Manager) ioctlStep(name, value string, do func() error) plan.Step {
	return plan.NewIoctl(m.Array, name, value, do, nil)
}

// apply carries out steps as one plan: all of them, or none.
func (m *Manager) apply(ctx context.Context, steps ...plan.Step) error {
	_, err := m.Runner.Run(ctx, &plan.Plan{Steps: steps})
	return m.sayLeft(err)
}

// try is apply for a request that may fail because there is an alternative.
func (m *Manager) try(ctx context.Context, steps ...plan.Step) error {
	return m.sayLeft(m.Runner.Try(ctx, steps...))
}

// sayLeft reports what a failed plan could not undo.
func (m *Manager) sayLeft(err error) error {
	var e *plan.PlanError
	if errors.As(err, &e) {
		for _, l := range e.Left {
			m.Report.Extra(note.Always, "member.could-not-take-back", l.Step, l.Err)
		}
	}
	return err
}
