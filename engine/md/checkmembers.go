package md

import (
	"fmt"
	"iter"
	"slices"

	"github.com/mdkit/mdkit/engine/finding"
)

// CheckMembers yields what the members of an array disagree on, and what keeps
// it from starting. It looks at superblocks only; faults of a single member are
// for Check, which reads the device.
func CheckMembers(members []*Member) iter.Seq[finding.Finding] {
	return Assess(members, Strict).Findings()
}

// Findings yields the findings that CheckMembers does.
func (a *Assembly) Findings() iter.Seq[finding.Finding] {
	return func(yield func(finding.Finding) bool) {
		if len(a.Verdicts) == 0 {
			return
		}
		c := &checker{m: &Member{}, yld: yield}
		for i := range a.Verdicts {
			v := &a.Verdicts[i]
			if v.In {
				continue
			}
			for _, r := range memberRules() {
				if r.ID == v.Rule {
					c.on(v.Member, r, "%s", v.Why)
				}
			}
		}
		a.compare(c)
		a.state(c)
	}
}

// on reports a finding about a field of a member's superblock.
func (c *checker) on(m *Member, r *Rule, why string, args ...any) {
	c.m = m
	off, length := m.Offset, int64(0)
	if m.Super1 != nil {
		if f := super1Layout().Field(r.Field); f != nil {
			off, length = off+int64(f.Off), int64(f.Size)
		}
	}
	c.report(r, off, length, why, args...)
}

func (a *Assembly) state(c *checker) {
	c.m = &Member{}
	if a.Freshest != nil {
		for _, slot := range a.Missing() {
			why := "no member"
			if m := a.Slots[slot]; m != nil {
				why = "its member " + m.Name + " is not rebuilt yet"
			}
			c.report(ruleMissing, -1, 0, "array %v: slot %d is missing: %s", a.UUID, slot, why)
		}
	}
	if err := a.Startable(); err != nil {
		c.report(ruleNotStartable, -1, 0, "%v", err)
	}
}

// arrayFeatures are the feature bits that describe the array, not the device.
const arrayFeatures = FeatureReshapeActive | FeatureReshapeBackwards |
	FeatureClustered | FeatureJournal | FeaturePPL | FeatureMultiplePPLs | FeatureRAID0Layout

// compare compares the members that are in with the freshest.
func (a *Assembly) compare(c *checker) {
	f := a.Freshest
	if f == nil {
		return
	}
	uuids := make(map[UUID]*Member)
	numbers := make(map[uint32]*Member)
	for _, m := range a.Members() {
		if id := m.DeviceUUID(); !id.IsZero() {
			if other := uuids[id]; other != nil {
				c.on(m, ruleDeviceUUID, "has the device uuid of %s", other.Name)
			}
			uuids[id] = m
		}
		if m.Level() != LevelMultipath {
			if other := numbers[m.DevNumber()]; other != nil {
				c.on(m, ruleDevNumber, "has device number %d, as %s", m.DevNumber(), other.Name)
			}
			numbers[m.DevNumber()] = m
		}
		if m != f {
			a.compareTo(c, f, m)
		}
	}
}

func (a *Assembly) compareTo(c *checker, f, m *Member) {
	differ := func(r *Rule, what string, got, want any) {
		if got != want {
			c.on(m, r, "has %s %v, %s has %v", what, got, f.Name, want)
		}
	}
	differ(ruleName, "name", m.SetName(), f.SetName())
	if m.Super0 != nil {
		if !sameConstants(f.Super0, m.Super0) {
			c.on(m, ruleConstants, "its constant words are not those of %s", f.Name)
		}
	} else {
		differ(ruleBlockSize, "logical block size", m.Super1.LogicalBlockSize, f.Super1.LogicalBlockSize)
		if m.Size == f.Size && m.Role() != RoleJournal {
			differ(ruleDataOffset, "its data at sector", m.DataOffset(), f.DataOffset())
			if m.DataOffset() == f.DataOffset() && m.Features()&f.Features()&FeatureBitmapOffset != 0 {
				differ(ruleBitmapEvents, "its bitmap at", m.Super1.BitmapOffset, f.Super1.BitmapOffset)
			}
		}
	}
	if m.Events() != f.Events() {
		return
	}
	differ(ruleUTime, "update time", m.UTime(), f.UTime())
	differ(ruleResync, "resync offset", sectorText(m.ResyncOffset()), sectorText(f.ResyncOffset()))
	differ(ruleFeatures, "features", m.Features()&arrayFeatures, f.Features()&arrayFeatures)
	differ(ruleReshape, "reshape", m.reshapeText(), f.reshapeText())
	if !sameRoles(f, m) {
		c.on(m, ruleRoles, "its table of devices is not that of %s", f.Name)
	}
}

// reshapeText describes the reshape without the new data offset, which may differ
// between members.
func (m *Member) reshapeText() string {
	r := m.Reshape()
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("at sector %d to %v layout %d chunk %d slots %+d", r.Position, r.Level, r.Layout, r.Chunk, r.Delta)
}

// sameConstants compares the first 32 words except nr_disks, as the kernel does
// (md.c, md_sb_equal).
func sameConstants(a, b *Super0) bool {
	x, y := a.Clone(), b.Clone()
	x.NrDisks, y.NrDisks = 0, 0
	const constant = 32 * 4
	return slices.Equal(x.AppendTo(nil)[:constant], y.AppendTo(nil)[:constant])
}

// sameRoles compares what two superblocks say about every device. Tables of
// different lengths agree if the rest are spares.
func sameRoles(a, b *Member) bool {
	n := uint32(Super0Disks)
	if a.Super1 != nil {
		n = uint32(max(len(a.Super1.DevRoles), len(b.Super1.DevRoles)))
	}
	for i := range n {
		if a.RoleOf(i) != b.RoleOf(i) {
			return false
		}
	}
	return true
}
