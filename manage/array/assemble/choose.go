package assemble

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
)

// Candidate is a device that belongs to the array being assembled, and what
// has been decided about it.
type Candidate struct {
	md.Info
	upToDate bool // as recent as everything else in the array
	forced   bool // made so by raising its event count
}

// places maps what a device claims to be to the best device that claims it:
// place 2n is slot n, 2n+1 the replacement for it, and spares and journals
// follow from 2*raidDisks on. -1 means nobody.
type places []int

// at gives the candidate at place i, or -1.
func (p places) at(i int) int {
	if i < len(p) {
		return p[i]
	}
	return -1
}

// put records candidate c at place i. The table grows by some places more than
// it needs, as mdadm's does, whose list of empty slots ends where its table
// does.
func (p *places) put(i, c int) {
	if i >= len(*p) {
		for range i + 10 - len(*p) {
			*p = append(*p, -1)
		}
	}
	(*p)[i] = c
}

// choice is who takes part in an assembly, and with how much of the array that
// leaves us.
type choice struct {
	cands      []Candidate
	best       places
	mostRecent int // the candidate all others are measured against
	reference  md.Info

	avail      []bool // by slot: an in-sync member will be there
	working    int    // in-sync members
	spares     int
	rebuilding int
	journals   int
	journalOK  bool // a journal that is as recent as the members

	dropped []dropped
}

// dropped is a member that is left out because its superblock says that the
// freshest one has failed: it stopped taking part in the array and later was
// used without the others.
type dropped struct {
	Device, Reports string
}

// errTwins is two 0.90 members that claim the same slot with the same event
// count: overlapping partitions look like that.
type errTwins struct{ First, Second string }

func (e *errTwins) Error() string {
	return fmt.Sprintf("%s and %s appear to have very similar superblocks", e.First, e.Second)
}

// choose decides which devices become members, given the superblocks of all
// that belong to the array, in the order the user named them. Nothing about
// the outcome depends on that order except which of two equals is taken.
func choose(infos []md.Info, force bool) (*choice, error) {
	c := &choice{cands: make([]Candidate, len(infos)), mostRecent: -1}
	nextSpare := 0
	for n, info := range infos {
		c.cands[n] = Candidate{Info: info}
		if info.State.InSync() && !info.Damaged && (c.mostRecent < 0 || info.Events > infos[c.mostRecent].Events) {
			c.mostRecent = n
		}
		i := info.Place(n, info.RaidDisks, &nextSpare)
		if i >= md.MaxPlaces {
			continue
		}
		other := c.best.at(i)
		switch {
		case other < 0 || infos[other].Events < info.Events:
			c.best.put(i, n)
		case infos[other].Events == info.Events && info.Version == md.V090 && info.Level != md.LevelMultipath:
			return nil, &errTwins{First: infos[other].Device, Second: info.Device}
		}
	}
	c.mostRecent = max(c.mostRecent, 0)
	c.preferComplete(infos)
	c.reference = infos[c.mostRecent]
	c.avail = make([]bool, max(c.reference.RaidDisks, 0))
	c.judge(force)
	return c, nil
}

// preferComplete goes by the freshest complete member if the one with the highest
// event count is only being rebuilt, and just one update ahead: the power went
// while the superblocks were being written, and those of the others may not
// even know of it yet. mdadm goes by it all the same, drops all others, and
// does not start.
func (c *choice) preferComplete(infos []md.Info) {
	ahead := infos[c.mostRecent]
	if ahead.RecoveryStart == md.MaxSector || ahead.Reshape.Active || ahead.Level == md.LevelMultipath {
		return
	}
	best := -1
	for n, info := range infos {
		complete := info.State.InSync() && !info.Damaged && !info.State.Replacement && info.RecoveryStart == md.MaxSector
		if complete && (best < 0 || info.Events > infos[best].Events) {
			best = n
		}
	}
	if best >= 0 && infos[best].Events < ahead.Events && infos[best].Events+1 >= ahead.Events {
		c.mostRecent = best
	}
}

// judge walks the places and counts who is in.
func (c *choice) judge(force bool) {
	ref := &c.reference
	for i, j := range c.best {
		if j < 0 {
			continue
		}
		m := &c.cands[j]
		if ref.Level != md.LevelMultipath { // every path counts, whatever its flags say
			switch {
			case m.State.Journal && ref.NeedsJournal:
				c.journals++
			case m.State.Journal:
				m.State.Faulty = true
			case !m.State.Active:
				if !m.State.Faulty {
					m.upToDate = true
					c.spares++
				}
				continue
			}
		}
		if j != c.mostRecent && !force && m.ReportsFailed(ref.Slot) {
			c.dropped = append(c.dropped, dropped{m.Device, ref.Device})
			c.best[i] = -1
			continue
		}
		// A count above the reference's belongs to a stray spare.
		if m.Events+md.EventMargin < ref.Events || m.Events > ref.Events {
			continue
		}
		m.upToDate = true
		if m.State.Journal {
			c.journalOK = true
		}
		c.count(i, m)
	}
}

// count adds an up-to-date member at place i to the tally.
func (c *choice) count(i int, m *Candidate) {
	if i >= len(c.avail)*2 {
		if !m.State.Journal {
			c.spares++
		}
		return
	}
	ref := &c.reference
	if m.RecoveryStart != md.MaxSector && !(ref.Reshape.Active && i >= ref.RaidDisks-ref.Reshape.Delta) {
		c.rebuilding++
		return
	}
	if !c.avail[i/2] {
		c.avail[i/2] = true
		c.working++
	}
}

// enough reports whether the members there are can run the array.
func (c *choice) enough(clean bool) bool {
	return md.Enough(c.reference.Level, c.reference.RaidDisks, c.reference.Layout, clean, c.avail)
}
