package mdadm

import (
	"context"
	"errors"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/member"
)

// zeroDocument is what --zero-superblock --json prints, one for each device.
type zeroDocument struct {
	change
	Device string       `json:"device"`
	Found  bool         `json:"found"`    // there was a superblock of a version asked for
	Wiped  []md.Version `json:"versions"` // of the superblocks that were wiped, or would be
}

// zeroSuperblock is --zero-superblock of one device.
func (c *Command) zeroSuperblock(ctx context.Context, std ui.IO, d Device) int {
	t := c.messages(std)
	req := member.ZeroRequest{Device: d.Name, Force: c.Force, BackupDir: c.BackupMetadata, DryRun: c.DryRun, Report: t.report}
	v, versioned, ok := formatOf(c.Shape.Metadata)
	switch {
	case !ok:
		return c.notBuilt(std, "--zero-superblock --metadata="+c.Shape.Metadata)
	case versioned:
		req.Version = &v
	default:
		req.Newest1 = c.Shape.Metadata == "1"
	}
	result, err := member.ZeroSuperblock(ctx, req)
	t.failed(err)
	code := zeroCode(err, c.Shape.Metadata != "")
	if result == nil {
		result = &member.ZeroResult{}
	}
	switch {
	case c.JSON:
		wiped := result.Versions
		if wiped == nil {
			wiped = []md.Version{}
		}
		t.document(zeroDocument{
			change: t.change(c, "zero-superblock", code, result.Steps),
			Device: d.Name, Found: len(wiped) > 0, Wiped: wiped,
		})
	case c.DryRun:
		printPlan(std.Out, result.Steps)
	}
	return code
}

// zeroCode is mdadm's exit code. Having nothing to wipe is a failure only if a
// format was named.
func zeroCode(err error, versioned bool) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, member.ErrNotOpened), errors.Is(err, member.ErrOccupied):
		return 2
	case errors.Is(err, member.ErrNoSuperblock) && !versioned:
		return 0
	case errors.Is(err, member.ErrNoSuperblock):
		return 2
	}
	return 1
}
