// Package member changes which devices are in an array that runs: add, re-add, remove,
// replace, fail, and zero what an earlier membership has left.
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

// Verb is what is to be done with a device of a running array.
type Verb byte

// Verbs; the letters are those of mdadm's messages.
const (
	VerbAdd      Verb = 'a' // put it back where it was if that is possible, else make it a spare
	VerbAddSpare Verb = 'S' // make it a spare, whatever is on it
	VerbReAdd    Verb = 'A' // put it back where it was
	VerbRemove   Verb = 'r'
	VerbFail     Verb = 'f'
	VerbReplace  Verb = 'R' // copy it to a spare, then fail it
	VerbWith     Verb = 'W' // the spare that takes the place of the one before

	verbReAddMissing Verb = 'M' // VerbReAdd without complaints, of a device that may belong
	verbReAddFaulty  Verb = 'F' // VerbReAdd of a failed member, which has to be removed first
	verbWithPaired   Verb = 'w' // VerbWith that has found its VerbReplace
)

// Setting is a per-device flag that was asked for, or left as it is.
type Setting int8

// Values of a Setting.
const (
	Keep Setting = iota
	On
	Off
)

// Subdev is one device on the command line of --manage. Besides a path, Name
// can be "major:minor" or, for VerbFail and VerbRemove, a kernel name as
// "sdb1", "detached", "set-A" (half of a raid10); for VerbRemove and VerbReAdd
// "failed" or "faulty"; for VerbReAdd "missing".
type Subdev struct {
	Name        string
	Verb        Verb
	WriteMostly Setting
	FailFast    Setting

	slot int // of verbWithPaired: what it replaces
}

// ManageRequest is a list of changes to the members of a running array.
type ManageRequest struct {
	Array   string // path of the md device
	Devices []Subdev
	// Force fails even a member without which the array cannot go on, adds
	// devices that are larger than metadata 0.90 can use, whatever is on them, and
	// waits longer for members that are still busy.
	Force bool
	// Overwrite makes spares of devices whatever is on them.
	Overwrite bool
	// Confirm is asked before a device that holds something else is made a spare,
	// once that has been reported; nil refuses with ErrOccupied.
	Confirm func() bool
	// BackupDir is where to keep what is overwritten; with Force it is saved
	// meanwhile even without. See plan.Backup.
	BackupDir string
	DryRun    bool // only plan
	Report    note.Reporter
}

// ManageResult tells what a ManageRequest did, or would do.
type ManageResult struct {
	Changed int             // devices acted upon
	Steps   []plan.StepInfo // in order; of a failed request those up to the failure
}

// ErrLastMember is the refusal to fail a member without which the array cannot
// go on; it also matches unix.EBUSY, which is what the kernel would answer.
var ErrLastMember = fmt.Errorf("the array would not survive that: %w", unix.EBUSY)

// errDeclined is a device that cannot be acted upon as asked, which has been
// said.
var errDeclined error = &note.Reported{Err: errors.New("refused; the devices named before are done, this one and those after it are not")}

// Manage carries a request out, device by device, as mdadm does: at the first
// failure it stops, with the devices before it done. Each device is planned in
// full before anything is changed for it, and what a failed change has written
// is put back.
//
// The error matches unix.EBUSY if a member could not be failed because the
// array needs it.
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

// Manager works through one request.
type Manager struct {
	ManageRequest
	Runner *plan.Runner
	Dev    *mdctl.Device
	Live   *live.Array
	frozen bool // sync_action was set to frozen by us
	Tried  bool // to freeze it
	queue  []Subdev
	Result *ManageResult
	// letGo are the devices that a dry run has foreseen to be taken out, while
	// the array still holds them.
	letGo map[devNumber]bool
}

type devNumber struct{ major, minor uint32 }

// Run does one device after the other. Words that stand for several devices
// put them in front of the queue.
func (m *Manager) Run(ctx context.Context) error {
	m.queue = append([]Subdev(nil), m.Devices...)
	for len(m.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		dv := m.queue[0]
		m.queue = m.queue[1:]
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
		// A dry run goes on from what it has worked out.
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

// one finds the device and does what its verb says.
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
		return false, m.replaceWith(ctx, t) // mdadm counts only the device that is replaced
	}
	m.Report.Say(note.Always, "member.no-matching-replace-device", dv.Name)
	return false, errDeclined
}

// Target is a device that was found.
type Target struct {
	Subdev
	Major, Minor uint32
	detached     *sysmd.Member // where the device itself is gone: what the array still shows of it
}

// find looks up a device. It returns nil, and no error, for one that may be
// passed over.
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

// thaw undoes freeze.
func (m *Manager) thaw(ctx context.Context) error {
	if !m.frozen {
		return nil
	}
	return m.apply(context.WithoutCancel(ctx), plan.NewSetting(m.Live.Sysfs.SyncActionTo(sysmd.Idle), nil))
}

// ioctlStep is a request to the array about one of its devices.
func (m *Manager) ioctlStep(name, value string, do func() error) plan.Step {
	return plan.NewIoctl(m.Array, name, value, do, nil)
}

// apply takes steps as one plan: all of them, or none.
func (m *Manager) apply(ctx context.Context, steps ...plan.Step) error {
	_, err := m.Runner.Run(ctx, &plan.Plan{Steps: steps})
	return m.sayLeft(err)
}

// try is apply for what the kernel may refuse, as there is another way then.
func (m *Manager) try(ctx context.Context, steps ...plan.Step) error {
	return m.sayLeft(m.Runner.Try(ctx, steps...))
}

// sayLeft names what a failed plan could not take back.
func (m *Manager) sayLeft(err error) error {
	var e *plan.PlanError
	if errors.As(err, &e) {
		for _, l := range e.Left {
			m.Report.Extra(note.Always, "member.could-not-take-back", l.Step, l.Err)
		}
	}
	return err
}
