package assemble

import (
	"github.com/mdkit/mdkit/engine/md"
)

// forced is a member whose event count has to be raised for the array to run.
type forced struct {
	cand     int // index in choice.cands
	From, To uint64
}

// force brings the freshest of the members that fell behind up to date, one
// vintage at a time, until the array can run. It changes the choice and says
// what it did; when no choice of members would do, it changes nothing, so that
// a hopeless --force leaves every superblock as it was.
//
// mdadm marks the member it forced in by its index in the list of devices
// rather than by its slot (Assemble.c, force_array). When the two differ its
// count of working members does not rise and it goes on to force staler
// members in, whose data is then served as current. Here the slot counts.
func (c *choice) force() []forced {
	var plan []forced
	raised := make(map[int]bool)
	avail := append([]bool(nil), c.avail...)
	for !c.canRun(avail) {
		newest := -1
		for j := range c.forceable(raised) {
			if newest < 0 || c.cands[j].Events > c.cands[newest].Events {
				newest = j
			}
		}
		if newest < 0 {
			return nil
		}
		// Members of one vintage left the array together. Any of them is as
		// good as the others, so all come in.
		events := c.cands[newest].Events
		for j, slot := range c.forceable(raised) {
			if c.cands[j].Events == events && (j == newest || c.sameVintage(j)) {
				raised[j] = true
				avail[slot] = true
				plan = append(plan, forced{cand: j, From: events, To: c.cands[c.mostRecent].Events})
			}
		}
	}
	for _, f := range plan {
		m := &c.cands[f.cand]
		m.upToDate, m.forced, m.Events = true, true, f.To
	}
	c.working += len(plan)
	c.avail = avail
	return plan
}

// canRun reports whether avail is enough, and in the middle of a growing
// reshape enough for the old shape too.
func (c *choice) canRun(avail []bool) bool {
	ref := &c.reference
	if !md.Enough(ref.Level, ref.RaidDisks, ref.Layout, true, avail) {
		return false
	}
	if !ref.Reshape.Active || ref.Reshape.Delta <= 0 {
		return true
	}
	return md.Enough(ref.Level, ref.RaidDisks-ref.Reshape.Delta, ref.Reshape.NewLayout, true, avail)
}

// forceable yields the members that could be forced in, with their slots, in
// slot order.
func (c *choice) forceable(raised map[int]bool) func(yield func(cand, slot int) bool) {
	return func(yield func(int, int) bool) {
		for i := 0; i < c.reference.RaidDisks*2 && i < len(c.best); i += 2 {
			j := c.best[i]
			if j < 0 || c.cands[j].upToDate || raised[j] || !c.mayForce(i/2, &c.cands[j]) {
				continue
			}
			if !yield(j, i/2) {
				return
			}
		}
	}
}

// mayForce reports whether a member that fell behind may be a source of data.
func (c *choice) mayForce(slot int, m *Candidate) bool {
	ref := &c.reference
	if m.Damaged {
		return false
	}
	if m.RecoveryStart == md.MaxSector {
		// Members that disagree on how far a reshape has come hold data in
		// different shapes.
		return m.Reshape.Active == ref.Reshape.Active &&
			(!m.Reshape.Active || m.Reshape.Progress == ref.Reshape.Progress)
	}
	// A device that a growing reshape adds looks like one in recovery. It may
	// come in as long as nothing is read from it.
	if !m.Reshape.Active || m.Reshape.Delta <= 0 {
		return false
	}
	switch {
	case m.Level.Parity() && slot >= ref.RaidDisks-m.Reshape.Delta:
		return true
	case m.Level == md.LevelRAID4 && slot >= ref.RaidDisks-m.Reshape.Delta-1:
		return true
	}
	return false
}

// sameVintage reports whether member j may come in only because another one
// with its event count does.
func (c *choice) sameVintage(j int) bool {
	m, ref := &c.cands[j], &c.reference
	return m.RecoveryStart == md.MaxSector && m.Reshape.Active == ref.Reshape.Active &&
		(!m.Reshape.Active || m.Reshape.Progress == ref.Reshape.Progress)
}
