package md

import (
	"maps"
	"slices"
)

// Wishes are what the user wants of the start of an array.
type Wishes struct {
	Run        bool // start even if degraded
	NoDegraded bool // do not start if a member is missing
	Partial    bool // start whatever has been missing for longer than since it last ran
}

// Start says whether an assembled array is started, or why not.
type Start int

const (
	StartNow        Start = iota // it starts
	StartNotWanted               // Wishes.NoDegraded, and a member is missing
	StartTooFew                  // not enough members whatever one does
	StartDirty                   // enough only if it were clean
	StartNeedRun                 // degraded since it last ran: Wishes.Run insists
	StartNoJournal               // the journal is missing or stale, and nobody forces
	StartNeedBackup              // a reshape needs its backup file; for the caller to find
)

// WrongState is a device whose state the leader's superblock has wrong.
type WrongState struct {
	Index int // in Verdicts
	Place int // in Places
}

// Settlement is an assembly that is fully decided: which superblocks change and
// how, whose the kernel goes by, and whether it is told to start.
type Settlement struct {
	*Assembly
	Leader int // index of the member whose superblock the kernel will go by

	Raised []Raise
	Wrong  []WrongState
	Edits  map[int]SuperEdit // by index: superblocks to be written
	Marked bool              // the leader's is among them
	Forced bool              // the array would not start as it was

	Clean bool // parity counts as trustworthy
	Start Start
	// NoJournal is set where the array is started without the journal that it
	// should have: read-only then.
	NoJournal bool
}

// Settle decides the rest of an assembly under one of mdadm's policies: whose
// superblock the kernel goes by, which superblocks have to change first, and
// whether the array starts. It changes nothing of a; under Forced it plans no
// edit either unless the array then starts.
//
// It returns nil if no member is as recent as the freshest.
func (a *Assembly) Settle(w Wishes) *Settlement {
	s := &Settlement{Edits: make(map[int]SuperEdit), Clean: a.Freshest.Clean()}
	if a.Policy == Forced {
		s.Assembly, s.Raised = a.force()
	} else {
		s.Assembly = a.clone()
	}
	s.Forced = len(s.Raised) > 0
	if s.Leader = s.leader(); s.Leader < 0 {
		return nil
	}
	for _, r := range s.Raised {
		edit := EditSuper(s.Verdicts[r.Index].Member)
		edit.SetEvents(r.To)
		s.Edits[r.Index] = edit
	}
	lead, ok := s.Edits[s.Leader]
	if !ok {
		lead = EditSuper(s.Lead())
	}
	changed := s.agree(lead)
	if a.Policy == Forced && !s.Clean && !s.enoughSlots(false) {
		changed = lead.SetClean() || changed
		s.Forced, s.Clean = true, true
	}
	s.Start = s.verdict(w)
	switch {
	case a.Policy == Forced && s.Start != StartNow:
		s.Assembly, s.Raised, s.Wrong, s.Edits = a, nil, nil, nil
	case a.Policy != Forced:
		s.Edits = nil
	case changed && !s.Lead().Damaged():
		s.Edits[s.Leader], s.Marked = lead, true
	}
	return s
}

// Lead is the member whose superblock the kernel will go by.
func (s *Settlement) Lead() *Member { return s.Verdicts[s.Leader].Member }

// leader gives the first member, in slot order, that is as recent as the
// freshest, if there is one without damage; -1 if there is none at all.
func (a *Assembly) leader() int {
	found := -1
	for place := 0; place < len(a.Places); place += 2 {
		i := a.Places[place]
		if i < 0 || !a.Verdicts[i].In || a.Verdicts[i].Events < a.Freshest.Events() {
			continue
		}
		if !a.Verdicts[i].Member.Damaged() {
			return i
		}
		if found < 0 {
			found = i
		}
	}
	return found
}

// agree makes the leader's superblock say of every member that is in what it is,
// and reports whether it had to change. A member that was not clean makes the
// array dirty.
func (s *Settlement) agree(lead SuperEdit) (changed bool) {
	slots := s.Lead().Slots()
	for place, i := range s.Places {
		if i < 0 || !s.Verdicts[i].In {
			continue
		}
		v := &s.Verdicts[i]
		want := DeviceState{WriteMostly: v.State.WriteMostly, FailFast: v.State.FailFast}
		switch {
		case v.State.Journal && v.Member.Slot() == SlotNone:
			want.Journal = true
		case place >= slots*2:
		case place&1 != 0:
			want.Active, want.Replacement = true, true
		default:
			want.Active, want.Sync = true, true
		}
		v.State = want
		s.Clean = s.Clean && v.Member.Clean()
		if lead.SetRole(v.Member, want) {
			s.Wrong = append(s.Wrong, WrongState{Index: i, Place: place})
			changed = true
		}
	}
	return changed
}

// verdict decides whether to start.
func (s *Settlement) verdict(w Wishes) Start {
	lead := s.Lead()
	if lead.NeedsJournal() && s.Journal == nil {
		if s.Policy != Forced {
			return StartNoJournal
		}
		s.NoJournal = true
	}
	if lead.HasPPL() {
		s.Clean = true
	}
	if w.Run {
		return StartNow
	}
	if s.Enough(s.Clean) && (w.Partial || s.Working()+s.Rebuilding() >= lead.Working()) {
		return StartNow
	}
	switch {
	case w.NoDegraded:
		return StartNotWanted
	case !s.Enough(true):
		return StartTooFew
	case !s.Enough(s.Clean):
		return StartDirty
	}
	return StartNeedRun
}

// Order lists the places as the kernel gets who has them, with the leader last,
// because the kernel goes by the first of equals in a list that it fills from
// the front (md.c, bind_rdev_to_array, analyze_sbs). Index is -1 for a place
// that nobody has.
func (s *Settlement) Order() []Claim {
	var list []Claim
	for place, i := range s.Places {
		if i != s.Leader {
			list = append(list, Claim{Place: place, Index: i})
		}
	}
	return append(list, Claim{Place: len(s.Places), Index: s.Leader})
}

// Claim is a place in the table and who has it, as an index into Verdicts.
type Claim struct{ Place, Index int }

// Written lists the members whose superblocks change, by index, in order.
func (s *Settlement) Written() []int { return slices.Sorted(maps.Keys(s.Edits)) }
