package member

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// ZeroRequest asks to wipe the superblocks of one device or image.
type ZeroRequest struct {
	Device string
	// Version is the only version to wipe. If it is nil, every superblock is wiped or,
	// with Newest1, the newest of format 1.
	Version *md.Version
	Newest1 bool
	// Force wipes even a device that is in use, and what does not look like a superblock
	// of the requested version.
	Force bool
	// BackupDir is where to save what is wiped; without it that is saved only until the
	// request has been carried out. See plan.Backup.
	BackupDir string
	DryRun    bool
	Report    note.Reporter
}

// ZeroResult says what was wiped, or would be.
type ZeroResult struct {
	Versions []md.Version // of the wiped superblocks, in order
	Steps    []plan.StepInfo
}

// Failures of ZeroSuperblock. They have been reported.
var (
	// ErrNoSuperblock marks a device without a superblock of the requested version.
	ErrNoSuperblock = errors.New("no superblock to be wiped")
	// ErrUnreadable marks a device that is too small for a superblock of the requested
	// version, or cannot be read where it would be.
	ErrUnreadable = errors.New("cannot be read")
	// ErrNotOpened marks a device that cannot be opened for writing, exclusively.
	ErrNotOpened = errors.New("cannot be opened for writing")
)

// ZeroSuperblock overwrites superblocks with zeroes: all of a 0.90 one, the first 512
// bytes of a 1.x one, as mdadm does. It wipes all of them, or none.
//
// The error matches ErrNotOpened, ErrUnreadable, ErrNoSuperblock, or is a *PlanError.
func ZeroSuperblock(ctx context.Context, req ZeroRequest) (*ZeroResult, error) {
	flag := block.ForWriting
	if !req.Force {
		flag |= block.Exclusive
	}
	d, err := device.Open(req.Device, flag)
	if err != nil {
		req.Report.Say(note.Normal, "member.couldnt-open-for-write-not-zeroing", req.Device)
		req.Report.Extra(note.Normal, note.Reason, note.Errno{Err: err})
		req.Report.Holders(note.Normal, req.Device, err)
		return nil, &note.Reported{Err: errors.Join(ErrNotOpened, err)}
	}
	over := block.NewOverlay(d)
	result := &ZeroResult{}
	err = req.wipe(over, result)
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return result, err
	}
	p := plan.Plan{}
	for e := range over.Extents() {
		p.Steps = append(p.Steps, NewWipe(req.Device, "wipe superblock", e, req.Force))
	}
	r := plan.Runner{DryRun: req.DryRun, Backup: plan.NewBackup(req.BackupDir, filepath.Base(req.Device))}
	_, err = r.Run(ctx, &p)
	if result.Steps = r.Steps; err != nil {
		req.Report.Say(note.Normal, "member.could-not-zero-superblock", req.Device)
		req.Report.Extra(note.Normal, note.Reason, err)
		return result, &note.Reported{Err: err}
	}
	return result, nil
}

// wipe wipes the superblocks on an overlay.
func (req *ZeroRequest) wipe(d block.Device, result *ZeroResult) error {
	switch {
	case req.Version != nil:
		m, bad := md.LoadSuper(d, *req.Version)
		if bad == nil {
			if err := req.spareShared(d, m); err != nil {
				return err
			}
			return result.wipe(d, m)
		}
		req.Report.Say(note.Always, note.Reason, note.Unloaded(bad))
		if !bad.Foreign() {
			return &note.Reported{Err: errors.Join(ErrUnreadable, bad)}
		}
		if !req.Force {
			return &note.Reported{Err: errors.Join(ErrNoSuperblock, bad)}
		}
		off, _ := req.Version.SuperOffset(d.Size())
		if err := result.wipe(d, &md.Member{Version: *req.Version, Offset: off}); err != nil {
			return err
		}
		req.Report.Say(note.Normal, "member.superblock-zeroed-anyway")
		return nil
	case req.Newest1:
		m, why := md.LoadNewest(d)
		for _, w := range why {
			req.Report.Say(note.Always, note.Reason, note.Unloaded(w))
		}
		if m == nil {
			return &note.Reported{Err: ErrNoSuperblock}
		}
		return result.wipe(d, m)
	}
	for {
		m, err := md.GuessSuper(d)
		switch {
		case err == nil:
			if err := req.spareShared(d, m); err != nil {
				return err
			}
			if err := result.wipe(d, m); err != nil {
				return err
			}
			continue
		case len(result.Versions) > 0:
			return nil
		}
		req.Report.Say(note.Normal, "member.unrecognised-md-component-device", req.Device)
		if format := ExternalMetadata(d); format != "" {
			req.Report.Extra(note.Normal, "member.it-carries-metadata-which-mdkit-leaves-alone", format)
		}
		return &note.Reported{Err: errors.Join(ErrNoSuperblock, err)}
	}
}

// spareShared refuses to wipe, unless forced, what is the superblock of a partition as
// well.
func (req *ZeroRequest) spareShared(d block.Device, m *md.Member) error {
	p, err := m.SharedWith(d)
	switch {
	case err != nil:
		return &note.Reported{Err: errors.Join(ErrUnreadable, err)}
	case p == nil || req.Force:
		return nil
	}
	req.Report.Say(note.Always, "member.superblock-of-partition", req.Device, p.Number)
	req.Report.Extra(note.Always, "member.force-zeroes-it-all-same")
	return &note.Reported{Err: fmt.Errorf("%s: %w", req.Device, ErrOccupied)}
}

func (r *ZeroResult) wipe(d block.Device, m *md.Member) error {
	r.Versions = append(r.Versions, m.Version)
	return fresh.WipeSuper(d, m)
}

// NewWipe returns a step that writes, with force even to a device that is in use.
func NewWipe(path, what string, e block.Extent, force bool) plan.Step {
	if force {
		return plan.NewSharedWrite(path, what, e.Off, e.Data)
	}
	return plan.NewWrite(path, what, e.Off, e.Data)
}
