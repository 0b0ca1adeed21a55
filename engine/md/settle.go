package md

import (
	"maps"
	"slices"
)

// Wishes say under which conditions the user wants an array to start.
type Wishes struct {
	Run        bool // start even if degraded
	NoDegraded bool // do not start if a member is missing
	Partial    bool // start with enough members, even if fewer than when it last ran
}

// Start says whether an assembled array starts, or why it does not.
type Start int

const (
	StartNow        Start = iota // it starts
	StartNotWanted               // Wishes.NoDegraded, and a member is missing
	StartTooFew                  // not enough members in any case
	StartDirty                   // enough members only if it were clean
	StartNeedRun                 // degraded since it last ran, which takes Wishes.Run
	StartNoJournal               // the journal is missing or stale, and nothing is forced
	StartNeedBackup              // a reshape needs its backup file, which the caller has to find
)

// WrongState is a device whose state is wrong in the leader's superblock.
type WrongState struct {
	Index int // in Verdicts
	Place int // in Places
}

// Settlement is an assembly that is fully decided: which superblocks change and
// how, which one the kernel will follow, and whether the kernel is told to start
// the array.
type Settlement struct {
	*Assembly
	Leader int // index of the member whose superblock the kernel will follow

	Raised []Raise
	Wrong  []WrongState
	Edits  map[int]SuperEdit // superblocks to be written, by index
	Marked bool              // the leader's superblock is among them
	Forced bool              // the array would not start as it was

	Clean bool // parity counts as trustworthy
	Start Start
	// NoJournal is set if the array starts without the journal that it should
	// have; it is read-only then.
	NoJournal bool
}

// Settle decides the rest of an assembly under one of mdadm's policies: which
// superblock the kernel will follow, which superblocks have to change first, and
// whether the array starts. It does not change a. Under Forced it plans edits only
// if the array then starts.
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

// Lead is the member whose superblock the kernel will follow.
func (s *Settlement) Lead() *Member { return s.Verdicts[s.Leader].Member }

// leader returns the index of the first member, in slot order, that is as recent
// as the freshest and not damaged; if all such members are damaged, the first of
// them; and -1 if there is none.
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

// agree corrects the leader's superblock so that it has the right state for every
// member that is in, and reports whether it had to change. A member that was not
// clean makes the array dirty.
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

// Order lists the places in the order in which the kernel is given their members.
// The leader comes last, because the kernel follows the first of equals in a list
// that it fills from the front (md.c, bind_rdev_to_array, analyze_sbs). Index is
// -1 for a place without a member.
func (s *Settlement) Order() []Claim {
	var list []Claim
	for place, i := range s.Places {
		if i != s.Leader {
			list = append(list, Claim{Place: place, Index: i})
		}
	}
	return append(list, Claim{Place: len(s.Places), Index: s.Leader})
}

// Claim is a place in the table and the member that has it, as an index into
// Verdicts.
type Claim struct{ Place, Index int }

// Written lists the members whose superblocks change, by index, in order.
func (s *Settlement) Written() []int { return slices.Sorted(maps.Keys(s.Edits)) }
