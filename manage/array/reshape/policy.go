package reshape

import (
	"context"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// policy changes how a raid5 becomes consistent again after a crash (Grow.c,
// Grow_consistency_policy).
func (g *Grower) policy(ctx context.Context) error {
	if g.Policy != "resync" && g.Policy != "ppl" {
		return g.refuse("reshape.operation-not-supported-for-consistency-policy", g.Policy)
	}
	l := g.live
	now, err := l.Sysfs.ConsistencyPolicy()
	if err != nil {
		return err
	}
	switch {
	case g.Policy == "ppl" && (!l.HasFormat || l.Version == md.V090):
		return g.refuse("reshape.metadata-does-not-support-ppl", l.Version)
	case md.Level(l.Info.Level) != md.LevelRAID5:
		return g.refuse("reshape.operation-not-supported-for-array-level", l.Info.Level)
	case now == sysmd.ConsistencyPolicy(g.Policy):
		return g.refuse("reshape.consistency-policy-already", now)
	case now != sysmd.PolicyResync && now != sysmd.PolicyPPL:
		return g.refuse("reshape.current-consistency-policy-cannot-change", now, g.Policy)
	}
	if g.Policy == "ppl" {
		if action, err := l.Sysfs.SyncAction(); err != nil || action == sysmd.Reshape {
			return g.refuse("reshape.ppl-cannot-be-enabled-when-reshape-progress")
		}
		steps, err := g.pplSteps()
		if err != nil {
			return err
		}
		if err := g.do(ctx, steps...); err != nil {
			return g.failed(ctx, err, "reshape.failed-write-ppl")
		}
	}
	if err := g.do(ctx, attr(l.Sysfs.ConsistencyPolicyTo(sysmd.ConsistencyPolicy(g.Policy)))); err != nil {
		return g.failed(ctx, err, "reshape.failed-change-array-consistency-policy")
	}
	return nil
}

// pplSteps writes an empty partial parity log to every member.
func (g *Grower) pplSteps() ([]plan.Step, error) {
	members, err := g.live.Members()
	if err != nil {
		return nil, err
	}
	var steps []plan.Step
	for _, m := range members {
		d, err := device.Open(m.Path, block.ForReading)
		if err != nil {
			return nil, g.refuse("reshape.failed-open", m.Path)
		}
		member, bad := md.LoadSuper(d, g.live.Version)
		d.Close()
		if bad != nil {
			g.Report.Extra(note.Always, note.Reason, bad)
			return nil, g.refuse("reshape.failed-load-super-block-2")
		}
		super := member.Super1.Clone()
		if why := placePPL(super); why != "" {
			return nil, g.Report.Fail(ErrNoPPL, note.Reason, why)
		}
		start, size := super.PPL()
		at := int64(super.SuperOffset) + int64(start)
		steps = append(steps,
			attr(m.Sysfs.PPLSectorTo(uint64(at))),
			attr(m.Sysfs.PPLSizeTo(uint32(size))),
			plan.NewSharedWrite(m.Path, "PPL", at*md.SectorSize, fresh.EmptyPPL(super)))
	}
	return steps, nil
}

// placePPL finds room for a partial parity log, or says why there is none (super1.c,
// update_super1).
func placePPL(s *md.Super1) string {
	switch {
	case s.FeatureMap&md.FeatureBitmapOffset != 0:
		return "Cannot add PPL to array with bitmap"
	case s.FeatureMap&md.FeatureJournal != 0:
		return "Cannot add PPL to array with journal"
	}
	const header = 4096 / md.SectorSize
	var start, space int64
	if s.SuperOffset < s.DataOffset {
		start = 8
		if space = int64(s.DataOffset-s.SuperOffset) - 8; s.BblogOffset != 0 {
			space = int64(s.BblogOffset) - 8
		}
	} else {
		start = max(-int64(s.SuperOffset-s.DataOffset-s.DataSize), -1<<15)
		space = int64(s.BblogOffset) - start
	}
	switch {
	case space < header+8:
		return "Not enough space to add ppl"
	case space >= fresh.PPLSectors:
		space = fresh.PPLSectors
	default:
		space = min(space, header+max(int64(s.ChunkSize), 128*2), 1<<16-1)
	}
	s.SetPPL(int16(start), uint16(space))
	s.FeatureMap |= md.FeaturePPL
	return ""
}
