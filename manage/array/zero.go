package array

import (
	"context"
	"errors"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// ZeroRequest asks to wipe the superblocks of one device or image.
type ZeroRequest struct {
	Device string
	// Version is the only version to be wiped. If Newest1 is set instead, it is
	// the newest superblock of format 1; if neither is, every superblock.
	Version *md.Version
	Newest1 bool
	// Force wipes even a device that is in use, and what does not look like a
	// superblock of the version that was asked for.
	Force  bool
	DryRun bool
	Report Reporter
}

// ZeroResult tells what was wiped, or would be.
type ZeroResult struct {
	Versions []md.Version // of the superblocks, in order
	Steps    []StepInfo
}

// Failures of ZeroSuperblock. They have been reported.
var (
	// ErrNoSuperblock is a device that has none of those asked for.
	ErrNoSuperblock = errors.New("no superblock to be wiped")
	// ErrUnreadable is a device that is too small for a superblock of the
	// version asked for, or cannot be read where it would be.
	ErrUnreadable = errors.New("cannot be read")
	// ErrNotOpened is a device that cannot be opened for writing by oneself.
	ErrNotOpened = errors.New("cannot be opened for writing")
)

// ZeroSuperblock wipes superblocks with zeroes: the whole of a 0.90 one, the
// first 512 bytes of a 1.x one, which is what mdadm writes. All of it happens,
// or nothing.
//
// The error matches ErrNotOpened, ErrUnreadable, ErrNoSuperblock, or is a
// *PlanError.
func ZeroSuperblock(ctx context.Context, req ZeroRequest) (*ZeroResult, error) {
	flag := block.ForWriting
	if !req.Force {
		flag |= block.Exclusive
	}
	d, err := openDevice(req.Device, flag)
	if err != nil {
		req.Report.say(Normal, "Couldn't open %s for write - not zeroing", req.Device)
		req.Report.extra(Normal, "%s", errnoText(err))
		req.Report.holders(Normal, req.Device, err)
		return nil, &Said{errors.Join(ErrNotOpened, err)}
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
	plan := Plan{}
	for e := range over.Extents() {
		plan.Steps = append(plan.Steps, newWipe(req.Device, "wipe superblock", e, req.Force))
	}
	result.Steps = plan.Describe()
	if req.DryRun {
		return result, nil
	}
	if err := plan.Apply(ctx, nil); err != nil {
		req.Report.say(Normal, "Could not zero superblock on %s", req.Device)
		req.Report.extra(Normal, "%v", err)
		return result, &Said{err}
	}
	return result, nil
}

// wipe does the work on an overlay.
func (req *ZeroRequest) wipe(d block.Device, result *ZeroResult) error {
	switch {
	case req.Version != nil:
		m, bad := loadSuper(d, *req.Version)
		if bad == nil {
			return result.wipe(d, m)
		}
		req.Report.say(Always, "%s", bad.text)
		if !bad.foreign {
			return &Said{errors.Join(ErrUnreadable, bad)}
		}
		if !req.Force {
			return &Said{errors.Join(ErrNoSuperblock, bad)}
		}
		off, _ := req.Version.SuperOffset(d.Size())
		if err := result.wipe(d, &md.Member{Version: *req.Version, Offset: off}); err != nil {
			return err
		}
		req.Report.say(Normal, "superblock zeroed anyway")
		return nil
	case req.Newest1:
		m, why := loadNewest(d)
		for _, w := range why {
			req.Report.say(Always, "%s", w.text)
		}
		if m == nil {
			return &Said{ErrNoSuperblock}
		}
		return result.wipe(d, m)
	}
	for {
		m, err := guessSuper(d)
		switch {
		case err == nil:
			if err := result.wipe(d, m); err != nil {
				return err
			}
			continue
		case len(result.Versions) > 0:
			return nil
		}
		req.Report.say(Normal, "Unrecognised md component device - %s", req.Device)
		if format := ExternalMetadata(d); format != "" {
			req.Report.extra(Normal, "it carries %s metadata, which mdkit leaves alone", format)
		}
		return &Said{errors.Join(ErrNoSuperblock, err)}
	}
}

func (r *ZeroResult) wipe(d block.Device, m *md.Member) error {
	r.Versions = append(r.Versions, m.Version)
	return wipeSuper(d, m)
}

// newWipe is a write that, with force, does not mind who else has the device.
func newWipe(path, what string, e block.Extent, force bool) Step {
	if force {
		return newSharedWrite(path, what, e.Off, e.Data)
	}
	return NewWrite(path, what, e.Off, e.Data)
}
