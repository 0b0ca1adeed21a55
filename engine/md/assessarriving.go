package md

import "fmt"

// arriving judges the members of an array that arrive one by one: those with the
// highest event count or the one below it count, unless the freshest is missing
// from their own table. No member is in before there is one to measure against.
func (a *Assembly) arriving(members []*Member) {
	if a.Freshest == nil {
		for i, m := range members {
			a.Verdicts[i] = leaderless(m)
		}
		return
	}
	for i, m := range members {
		a.Verdicts[i] = a.judgeArrival(m)
	}
	a.seatArrivals()
	a.expelSplit()
}

// judgeArrival judges one member by itself and against the freshest. A member that
// is ahead of the freshest without being in sync is expelled; other replacements
// and spares are in, whatever their event count.
func (a *Assembly) judgeArrival(m *Member) Verdict {
	f, s := a.Freshest, m.State()
	stale := m.Events()+EventMargin < f.Events()
	switch {
	case m.UUID() != a.UUID:
		return a.foreign(m)
	case s.Journal && !stale && a.Journal == nil:
		a.Journal = m // even if the member turns out to be out
	}
	switch {
	case !s.Sync && m.Events() > f.Events():
		v := out(m, ruleAhead, m.Role(), "has event count %d, ahead of %s with %d", m.Events(), f.Name, f.Events())
		v.Expel = true
		return v
	case s.Replacement && !s.Journal:
		return arrived(m, fmt.Sprintf("replacement of slot %d", m.Slot()))
	case s.Faulty && !s.Sync:
		return out(m, ruleFaulty, m.Role(), "its own superblock says it is faulty")
	case !s.Sync && !s.Journal:
		a.Spares = append(a.Spares, m)
		return arrived(m, "spare")
	case stale:
		return out(m, ruleStale, m.Role(), "is stale: event count %d, %s has %d", m.Events(), f.Name, f.Events())
	case s.Journal:
		return arrived(m, "journal")
	case m.Slot() < 0 || m.Slot() >= len(a.Slots):
		return out(m, ruleSlot, m.Role(), "claims slot %d of an array with %d slots", m.Slot(), len(a.Slots))
	}
	return arrived(m, fmt.Sprintf("slot %d", m.Slot()))
}

// arrived is the verdict on a member that is in.
func arrived(m *Member, why string) Verdict {
	v := accepted(m, m.Role())
	v.Why = why
	return v
}

// seatArrivals gives each slot to the freshest member that claims it.
func (a *Assembly) seatArrivals() {
	holders := make(map[int]int)
	for i := range a.Verdicts {
		v := &a.Verdicts[i]
		if !v.In || !v.State.Sync || v.State.Journal || v.State.Replacement {
			continue
		}
		slot := v.Member.Slot()
		if other, taken := holders[slot]; taken {
			if a.Verdicts[other].Events >= v.Events {
				*v = older(v.Member, a.Slots[slot])
				continue
			}
			a.Verdicts[other] = older(a.Slots[slot], v.Member)
		}
		holders[slot], a.Slots[slot] = i, v.Member
	}
}

// expelSplit expels the members whose own table says that the first slot with the
// highest event count has no member.
func (a *Assembly) expelSplit() {
	known := a.Freshest.Slot()
	for slot, m := range a.Slots {
		if m != nil && m.Events() == a.Freshest.Events() {
			known = slot
			break
		}
	}
	for i := range a.Verdicts {
		v := &a.Verdicts[i]
		if !v.In || !v.State.Sync || v.State.Journal || v.State.Replacement {
			continue
		}
		slot := v.Member.Slot()
		if slot != known && v.Member.ReportsFailed(known) {
			a.Slots[slot] = nil
			*v = out(v.Member, ruleSplit, v.Role, "its superblock says that slot %d is missing, but it is there", known)
			v.Expel = true
		}
	}
}

// Arrived counts the members that are in, and reports whether they can run the
// array (Arriving). Those being rebuilt count as well; the kernel will decide.
func (a *Assembly) Arrived() (n int, enough bool) {
	avail := make([]bool, len(a.Slots))
	for slot, m := range a.Slots {
		if avail[slot] = m != nil; m != nil {
			n++
		}
	}
	for _, v := range a.Verdicts {
		if v.State.Replacement && !v.State.Journal && v.Rule != ruleForeign.ID {
			n++ // whatever its event count
		}
	}
	f := a.Freshest
	return n, f != nil && Enough(f.Level(), len(avail), f.Layout(), f.Clean() || f.HasPPL(), avail)
}
