package md

import "fmt"

// asMdadm gives every place to the freshest member that claims it, and judges the
// members that have a place.
func (a *Assembly) asMdadm(members []*Member) {
	if a.Freshest == nil {
		a.measureByFirst(members)
	}
	if a.Twins = a.claim(members); a.Twins != nil {
		return
	}
	for place, i := range a.Places {
		if i < 0 {
			continue
		}
		v := &a.Verdicts[i]
		if *v = a.judgeClaim(v.Member, place); v.In {
			a.settleIn(v, place)
		} else if v.Rule == RuleSplit {
			a.Places[place] = -1 // mdadm does not even offer it to the kernel
		}
	}
}

// measureByFirst takes the first member as the measure if no other will do, as
// mdadm does; the kernel has the last word.
func (a *Assembly) measureByFirst(members []*Member) {
	for _, m := range members {
		if m.UUID() == a.UUID {
			a.Freshest = m
			break
		}
	}
	a.table()
}

// claim fills Places, and writes the verdicts on members that lost their place to
// a fresher one.
func (a *Assembly) claim(members []*Member) *TwinsError {
	nextSpare, path := 0, 0
	for i, m := range members {
		if m.UUID() != a.UUID {
			a.Verdicts[i] = a.foreign(m)
			continue
		}
		place := m.Place(path, m.Slots(), &nextSpare)
		path++
		if place >= MaxPlaces {
			a.Verdicts[i] = out(m, ruleSlot, m.Role(), "claims a slot beyond the last possible one, %d", MaxPlaces)
			continue
		}
		a.Verdicts[i] = Verdict{Member: m}
		switch holder := a.At(place); {
		case holder < 0:
			a.put(place, i)
		case members[holder].Events() < m.Events():
			a.put(place, i)
			a.Verdicts[holder] = older(members[holder], m)
		case members[holder].Events() == m.Events() && m.Version == V090 && m.Level() != LevelMultipath:
			return &TwinsError{First: members[holder], Second: m}
		default:
			a.Verdicts[i] = older(m, members[holder])
		}
	}
	return nil
}

// At returns the index of the member that claims a place, or -1.
func (a *Assembly) At(place int) int {
	if place < len(a.Places) {
		return a.Places[place]
	}
	return -1
}

// put gives a place to member i. The table grows by a few more places than needed,
// as mdadm's does: its list of empty slots ends where its table does.
func (a *Assembly) put(place, i int) {
	if place >= len(a.Places) {
		for range place + 10 - len(a.Places) {
			a.Places = append(a.Places, -1)
		}
	}
	a.Places[place] = i
}

// older is the verdict on a member whose place is held by another that is no older.
func older(m, holder *Member) Verdict {
	return out(m, ruleDuplicate, m.Role(), "claims the place of %s, which is no older", holder.Name)
}

// judgeClaim judges a member that has a place.
func (a *Assembly) judgeClaim(m *Member, place int) Verdict {
	f, s := a.Freshest, m.State()
	if f.Level() != LevelMultipath && !s.Journal && !s.Active { // every path counts, whatever its flags say
		if s.Faulty {
			return out(m, ruleFaulty, m.Role(), "its own superblock says it is faulty")
		}
		return accepted(m, RoleSpare)
	}
	v := a.judgeEvents(m)
	if s.Journal && !f.NeedsJournal() && f.Level() != LevelMultipath {
		v.State.Faulty = true // the array has no journal
		if !v.In && v.Rule != RuleSplit {
			v.Rule = RuleFaulty
		}
	}
	return v
}

// judgeEvents compares a member with the freshest. An event count above that of
// the freshest belongs to a stray spare.
func (a *Assembly) judgeEvents(m *Member) Verdict {
	f := a.Freshest
	switch {
	case m != f && a.Policy != Forced && m.ReportsFailed(f.Slot()):
		return out(m, ruleSplit, m.Role(), "its superblock says that slot %d is missing, but %s has it", f.Slot(), f.Name)
	case m.Events() > f.Events():
		return out(m, ruleAhead, m.Role(), "has event count %d, ahead of %s with %d", m.Events(), f.Name, f.Events())
	case m.Events()+EventMargin < f.Events():
		return out(m, ruleStale, m.Role(), "is stale: event count %d, %s has %d", m.Events(), f.Name, f.Events())
	}
	return accepted(m, m.Role())
}

// settleIn puts a member that is in where it belongs.
func (a *Assembly) settleIn(v *Verdict, place int) {
	slot := place / 2
	switch {
	case v.Role == RoleSpare && a.Freshest.Level() != LevelMultipath:
		a.Spares, v.Why = append(a.Spares, v.Member), "spare"
	case v.State.Journal:
		if a.Journal == nil {
			a.Journal = v.Member
		}
		v.Why = "journal"
	case slot < len(a.Slots) && place&1 == 0:
		a.Slots[slot], v.Why = v.Member, fmt.Sprintf("slot %d", slot)
	case slot < len(a.Slots):
		a.Replacements[slot], v.Why = v.Member, fmt.Sprintf("replacement of slot %d", slot)
	default:
		a.Spares, v.Why = append(a.Spares, v.Member), "spare"
	}
}

// Rebuilding counts the members that are in and are still being rebuilt.
func (a *Assembly) Rebuilding() int {
	n := 0
	for slot := range a.Slots {
		for i, m := range []*Member{a.Slots[slot], a.Replacements[slot]} {
			if m != nil && !a.complete(2*slot+i, m) {
				n++
			}
		}
	}
	return n
}

// Working counts the slots with a complete member.
func (a *Assembly) Working() int {
	n := 0
	for _, ok := range a.Avail() {
		if ok {
			n++
		}
	}
	return n
}

// Journals counts the journals that claim to be the array's.
func (a *Assembly) Journals() int {
	n := 0
	for _, i := range a.Places {
		if i >= 0 && a.Verdicts[i].State.Journal && a.Freshest.NeedsJournal() {
			n++
		}
	}
	return n
}
