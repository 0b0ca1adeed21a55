package assemble

import (
	"maps"
	"slices"

	"github.com/mdkit/mdkit/engine/md"
)

// settled is an assembly that is fully decided: which superblocks change and
// how, in which order the kernel gets the members, and whether it is told to
// start.
type settled struct {
	*choice
	chosen  int // the member whose superblock the kernel will go by
	content md.Info

	forcedIn  []forced
	wrong     []wrongState
	edits     map[int]md.SuperEdit // by candidate: superblocks to be written
	marked    bool                 // the chosen superblock is among them
	wasForced bool

	clean   bool
	start   startVerdict
	journal journalVerdict
}

// wrongState is a device whose state the chosen superblock has wrong.
type wrongState struct {
	Index  int // in the list of devices
	Place  int
	Device string
}

// startVerdict says whether an assembled array is started, or why not.
type startVerdict int

const (
	startNow        startVerdict = iota
	startNotWanted               // --no-degraded, and a member is missing
	startTooFew                  // not enough members whatever one does
	startDirty                   // enough only if it were clean
	startNeedRun                 // degraded since it last ran: --run insists
	startNoJournal               // the journal is missing or stale, and no --force
	startNeedBackup              // a reshape needs its backup file
)

// journalVerdict says what a missing journal means for the start.
type journalVerdict int

const (
	journalFine journalVerdict = iota
	journalMissing
	journalForced // start read-only without it
)

// settleOptions are the wishes of the user that bear on the outcome.
type settleOptions struct {
	Run        bool // start even if degraded
	NoDegraded bool
	Force      bool
	Partial    bool // start whatever has been missing for longer than since it last ran
}

// settle decides the rest: whose superblock the kernel goes by, which
// superblocks have to change first, and whether the array starts. members are
// in the order of c.cands. It changes no device; with --force it plans no
// change either unless the array then starts.
//
// It returns nil if no member is as recent as the freshest.
func (c *choice) settle(members []*md.Member, opt settleOptions) *settled {
	s := &settled{choice: c, edits: make(map[int]md.SuperEdit), clean: c.reference.Clean}
	before := c.snapshot()
	if opt.Force {
		s.forcedIn = c.force()
		s.wasForced = len(s.forcedIn) > 0
	}
	s.chosen = c.choose()
	if s.chosen < 0 {
		return nil
	}
	for _, f := range s.forcedIn {
		edit := md.EditSuper(members[f.cand])
		edit.SetEvents(f.To)
		s.edits[f.cand] = edit
	}
	s.content = c.cands[s.chosen].Info
	chosen, ok := s.edits[s.chosen]
	if !ok {
		chosen = md.EditSuper(members[s.chosen])
	}
	changed := s.agree(chosen)
	if opt.Force && !s.clean && !c.enough(false) {
		changed = chosen.SetClean() || changed
		s.wasForced, s.clean = true, true
	}
	s.start = s.verdict(opt)
	if !opt.Force || s.start != startNow {
		if opt.Force && s.start != startNow {
			c.restore(before)
			s.forcedIn, s.wrong = nil, nil
		}
		s.edits = nil
		return s
	}
	if changed && !s.content.Damaged {
		s.edits[s.chosen], s.marked = chosen, true
	}
	return s
}

// tally is the part of a choice that force changes.
type tally struct {
	cands   []Candidate
	avail   []bool
	working int
}

func (c *choice) snapshot() tally {
	return tally{slices.Clone(c.cands), slices.Clone(c.avail), c.working}
}

func (c *choice) restore(t tally) { c.cands, c.avail, c.working = t.cands, t.avail, t.working }

// choose gives the first member, in slot order, that is as recent as the
// freshest, if there is one without damage; -1 if there is none at all.
func (c *choice) choose() int {
	found := -1
	for i := 0; i < len(c.best); i += 2 {
		j := c.best[i]
		if j < 0 || !c.cands[j].upToDate || c.cands[j].Events < c.cands[c.mostRecent].Events {
			continue
		}
		if !c.cands[j].Damaged {
			return j
		}
		if found < 0 {
			found = j
		}
	}
	return found
}

// agree makes the chosen superblock say of every current device what it is,
// and reports whether it had to change. A member that was not clean makes the
// array dirty.
func (s *settled) agree(chosen md.SuperEdit) (changed bool) {
	for i, j := range s.best {
		if j < 0 || !s.cands[j].upToDate {
			continue
		}
		m := &s.cands[j]
		want := md.DeviceState{WriteMostly: m.State.WriteMostly, FailFast: m.State.FailFast}
		switch {
		case m.State.Journal && m.Slot == md.SlotNone:
			want.Journal = true
		case i >= s.content.RaidDisks*2:
		case i&1 != 0:
			want.Active, want.Replacement = true, true
		default:
			want.Active, want.Sync = true, true
		}
		m.State = want
		if !m.Clean {
			s.clean = false
		}
		if chosen.SetRole(&m.Info, want) {
			s.wrong = append(s.wrong, wrongState{Index: j, Place: i, Device: m.Device})
			changed = true
		}
	}
	return changed
}

// verdict decides whether to start.
func (s *settled) verdict(opt settleOptions) startVerdict {
	if s.content.NeedsJournal && !s.journalOK {
		if !opt.Force {
			s.journal = journalMissing
			return startNoJournal
		}
		s.journal = journalForced
	}
	if s.content.PPL {
		s.clean = true
	}
	if opt.Run {
		return startNow
	}
	enoughDirty := s.enoughOf(s.clean)
	if enoughDirty && (opt.Partial || s.working+s.rebuilding >= s.content.Working) {
		return startNow
	}
	switch {
	case opt.NoDegraded:
		return startNotWanted
	case !s.enoughOf(true):
		return startTooFew
	case !enoughDirty:
		return startDirty
	}
	return startNeedRun
}

// enoughOf is enough by the geometry of the chosen superblock. A member that is
// being rebuilt and holds nothing but parity is no reason for the kernel not to
// start an array that was not clean; mdadm takes it for one.
func (s *settled) enoughOf(clean bool) bool {
	avail := s.avail
	if !clean && !s.content.Reshape.Active {
		avail = slices.Clone(s.avail)
		for i := range avail {
			j := s.best.at(2 * i)
			avail[i] = avail[i] || j >= 0 && s.cands[j].upToDate && md.OnlyParity(s.content.Level, s.content.Layout, len(avail), i)
		}
	}
	return md.Enough(s.content.Level, s.content.RaidDisks, s.content.Layout, clean, avail)
}

// order lists the candidates as the kernel gets them: by place, the chosen one
// last, because the kernel goes by the first of equals in a list that it fills
// from the front (md.c, bind_rdev_to_array, analyze_sbs).
func (s *settled) order() []orderedMember {
	var list []orderedMember
	for i, j := range s.best {
		if j != s.chosen {
			list = append(list, orderedMember{place: i, cand: j})
		}
	}
	return append(list, orderedMember{place: len(s.best), cand: s.chosen})
}

// orderedMember is a place in the table and who has it; cand is -1 for an
// empty one.
type orderedMember struct {
	place, cand int
}

// writes lists the candidates whose superblocks change, in a fixed order.
func (s *settled) writes() []int { return slices.Sorted(maps.Keys(s.edits)) }
