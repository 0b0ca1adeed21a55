package md

import "slices"

// Raise is a member whose event count has to be raised for the array to run.
type Raise struct {
	Index    int // in Verdicts
	From, To uint64
}

// force brings members that fell behind up to date, the freshest first and all
// with the same event count together, until the array can run. It returns the
// resulting assembly and what was raised. If no choice of members would do, it
// returns the assembly unchanged: a hopeless --force leaves every superblock
// alone.
//
// mdadm marks the member it forced in by its index in the list of devices
// rather than by its slot (Assemble.c, force_array). If the two differ, its
// count of working members does not rise, and it goes on to force staler
// members in, whose data is then served as current. Here the slot counts.
func (a *Assembly) force() (*Assembly, []Raise) {
	var raises []Raise
	raised := make(map[int]bool)
	avail := a.Avail()
	for !a.canRun(avail) {
		newest := -1
		for i := range a.forceable(raised) {
			if newest < 0 || a.Verdicts[i].Events > a.Verdicts[newest].Events {
				newest = i
			}
		}
		if newest < 0 {
			return a.clone(), nil
		}
		// Members with the same event count left the array together. Any of them
		// is as good as the others, so all come in.
		events := a.Verdicts[newest].Events
		for i, slot := range a.forceable(raised) {
			if a.Verdicts[i].Events == events && (i == newest || a.sameShape(a.Verdicts[i].Member)) {
				raised[i], avail[slot] = true, true
				raises = append(raises, Raise{Index: i, From: events, To: a.Freshest.Events()})
			}
		}
	}
	b := a.clone()
	for _, r := range raises {
		v := &b.Verdicts[r.Index]
		v.In, v.Raised, v.Events = true, true, r.To
		b.settleIn(v, slices.Index(b.Places, r.Index))
	}
	return b, raises
}

// clone returns a copy with tables of its own.
func (a *Assembly) clone() *Assembly {
	b := *a
	b.Verdicts = slices.Clone(a.Verdicts)
	b.Places = slices.Clone(a.Places)
	b.Slots = slices.Clone(a.Slots)
	b.Replacements = slices.Clone(a.Replacements)
	b.Spares = slices.Clone(a.Spares)
	return &b
}

// canRun reports whether avail is enough and, in the middle of a growing reshape,
// also enough for the old geometry.
func (a *Assembly) canRun(avail []bool) bool {
	f := a.Freshest
	if !Enough(f.Level(), f.Slots(), f.Layout(), true, avail) {
		return false
	}
	r := f.Reshape()
	return r == nil || r.Delta <= 0 || Enough(f.Level(), f.Slots()-r.Delta, r.Layout, true, avail)
}

// forceable yields the members that could be forced in, by index, with their
// slots, in slot order.
func (a *Assembly) forceable(raised map[int]bool) func(yield func(i, slot int) bool) {
	return func(yield func(int, int) bool) {
		for slot := range a.Slots {
			i := a.At(2 * slot)
			if i < 0 || a.Verdicts[i].In || raised[i] || !a.mayForce(slot, a.Verdicts[i].Member) {
				continue
			}
			if !yield(i, slot) {
				return
			}
		}
	}
}

// mayForce reports whether a member that fell behind may be a source of data.
func (a *Assembly) mayForce(slot int, m *Member) bool {
	if m.Damaged() {
		return false
	}
	if m.RecoveryOffset() == MaxSector {
		return a.sameShape(m)
	}
	// A device that a growing reshape adds looks like one in recovery. It may
	// come in as long as nothing is read from it.
	r := m.Reshape()
	if r == nil || r.Delta <= 0 {
		return false
	}
	old := a.Freshest.Slots() - r.Delta
	return m.Level().Parity() && slot >= old || m.Level() == LevelRAID4 && slot >= old-1
}

// sameShape reports whether a member that fell behind holds data in the geometry
// of the freshest: it is complete, and they agree on how far a reshape has come.
func (a *Assembly) sameShape(m *Member) bool {
	r, f := m.Reshape(), a.Freshest.Reshape()
	return m.RecoveryOffset() == MaxSector && (r == nil) == (f == nil) && (r == nil || r.Position == f.Position)
}
