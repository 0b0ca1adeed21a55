package cluster

import (
	"maps"
	"slices"
)

// lead does a leader's work, if this node is to lead.
func (s *State) lead() []Action {
	alive := s.alive()
	if !s.mayLead(alive) || !s.Quorate() {
		s.Leading = false
		return nil
	}
	if !s.Leading || !slices.Equal(alive, s.Order.Live) || s.Highest.compare(s.Order.Epoch) > 0 {
		s.beginEpoch(alive)
	}
	return s.advance()
}

func (s *State) beginEpoch(alive []Life) {
	number := max(s.Highest.Number, s.Order.Epoch.Number) + 1
	s.Highest = Epoch{number, s.Rules.Self.Node}
	s.Order = Order{Epoch: s.Highest, Seq: 1, Live: alive}
	s.Leading, s.Since, s.Version = true, 0, 0
}

// advance goes on with what all nodes have come through.
func (s *State) advance() []Action {
	if !s.Leading {
		return nil
	}
	if !s.Order.Gathered {
		if !s.allStopped() {
			return nil
		}
		s.gather()
	}
	return s.drive()
}

// report returns how a live node stands to a lockspace; false if it has none.
func (s *State) report(l Life, name string) (SpaceReport, bool) {
	if l == s.Rules.Self {
		r, ok := s.Spaces[name]
		return r, ok
	}
	for _, r := range s.Peers[l.Node].Last.Spaces {
		if r.Name == name && s.Peers[l.Node].Last.From == l {
			return r, true
		}
	}
	return SpaceReport{}, false
}

// reports lists the lockspaces of a node.
func (s *State) reports(l Life) []SpaceReport {
	if l == s.Rules.Self {
		return slices.Collect(maps.Values(s.Spaces))
	}
	return s.Peers[l.Node].Last.Spaces
}

// names lists all lockspaces that somebody knows, sorted.
func (s *State) names() []string {
	var all []string
	for _, o := range s.Order.Spaces {
		all = append(all, o.Name)
	}
	for _, l := range s.Order.Live {
		for _, r := range s.reports(l) {
			all = append(all, r.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// allStopped reports whether all nodes obey this epoch and have stopped everything.
func (s *State) allStopped() bool {
	for _, l := range s.Order.Live {
		if l != s.Rules.Self && s.Peers[l.Node].Last.Epoch != s.Order.Epoch {
			return false
		}
		for _, r := range s.reports(l) {
			if r.Running || r.Busy != JobNone {
				return false
			}
		}
	}
	return true
}

// gather makes the first changes of an epoch from what the nodes have reported: who
// has the latest members is right, and those of them that do not live have crashed.
func (s *State) gather() {
	s.Order.Gathered = true
	s.Order.Seq++
	s.Order.Spaces = nil
	for _, name := range s.names() {
		latest := SpaceReport{}
		for _, l := range s.Order.Live {
			if r, ok := s.report(l, name); ok && r.Based.compare(latest.Based) > 0 {
				latest = r
			}
		}
		before := SpaceOrder{Name: name}
		for _, m := range latest.Members {
			r, has := s.report(m, name)
			switch {
			case !slices.Contains(s.Order.Live, m):
				before.Crashed = append(before.Crashed, m)
			case has && r.Based != Stamp{}:
				before.Members = append(before.Members, m)
			}
		}
		s.change(before)
	}
}

// change plans the next change of a lockspace from the members that it has now.
func (s *State) change(now SpaceOrder) {
	next := SpaceOrder{Name: now.Name, Phase: Stopping, Before: now.Members, Crashed: now.Crashed}
	for _, l := range s.Order.Live {
		r, has := s.report(l, now.Name)
		switch {
		case !has || r.Wish == Leave || r.Dropped:
		case r.Wish == Join:
			next.Members = append(next.Members, l)
			next.Fresh = append(next.Fresh, l)
		case slices.Contains(now.Members, l):
			next.Members = append(next.Members, l)
		}
	}
	s.Version++
	s.Order.Seq++
	next.Stamp = Stamp{s.Order.Epoch, s.Version}
	s.Order.Spaces = slices.DeleteFunc(s.Order.Spaces, func(o SpaceOrder) bool { return o.Name == now.Name })
	if len(next.Members)+len(next.Before)+len(next.Crashed) > 0 {
		s.Order.Spaces = append(s.Order.Spaces, next)
	}
}

// drive takes each lockspace on to its next phase, if it can go there.
func (s *State) drive() []Action {
	var actions []Action
	for _, name := range s.names() {
		o := s.Order.space(name)
		switch {
		case o == nil:
			if s.anyoneJoins(name) {
				s.change(SpaceOrder{Name: name})
			}
		case o.Phase == Running:
			if s.isOff(o) {
				s.change(*o)
			}
		default:
			actions = append(actions, s.drivePhase(o)...)
		}
	}
	return actions
}

func (s *State) anyoneJoins(name string) bool {
	return slices.ContainsFunc(s.Order.Live, func(l Life) bool {
		r, has := s.report(l, name)
		return has && r.Wish == Join
	})
}

// isOff reports whether a lockspace that has been started everywhere is not as the
// nodes want it.
func (s *State) isOff(o *SpaceOrder) bool {
	for _, l := range s.Order.Live {
		r, has := s.report(l, o.Name)
		member := slices.Contains(o.Members, l)
		if has && r.Wish == Join || member && (!has || r.Wish == Leave || !r.Running && r.Busy == JobNone) {
			return true
		}
	}
	return false
}

func (s *State) drivePhase(o *SpaceOrder) []Action {
	for _, l := range o.Members {
		if _, has := s.report(l, o.Name); !has { // it has gone meanwhile
			now := *o
			if o.Phase == Stopping {
				now.Members = o.Before
			}
			now.Members = slices.DeleteFunc(slices.Clone(now.Members), func(m Life) bool { return m == l })
			s.change(now)
			return nil
		}
	}
	if !s.allThrough(o) {
		return nil
	}
	if o.Phase == Stopping {
		if waiting, actions := s.fence(o.Crashed); waiting || s.unheardMayRun() {
			return actions
		}
	}
	s.Order.Seq++
	o.Phase++
	if o.Phase == Running {
		o.Crashed = nil // that is over
	}
	if o.Phase == Starting && len(o.Members) == 0 {
		name := o.Name
		s.Order.Spaces = slices.DeleteFunc(s.Order.Spaces, func(o SpaceOrder) bool { return o.Name == name })
	}
	return nil
}

// allThrough reports whether all nodes have come through the phase.
func (s *State) allThrough(o *SpaceOrder) bool {
	for _, l := range slices.Concat(o.Before, o.Members) {
		r, has := s.report(l, o.Name)
		switch {
		case !has: // it has left
		case !slices.Contains(o.Members, l) && r.Wish == Join: // and comes again
		case r.Acted != o.Stamp || r.Done < o.Phase:
			return false
		}
	}
	return true
}

// unheardMayRun reports whether a node that is not heard may still run something: it had
// a quorum with nodes that now obey this epoch, and finds out from their messages, or their
// silence. One that has been fenced does not.
func (s *State) unheardMayRun() bool {
	if s.Since >= 2*s.Rules.Dead {
		return false
	}
	for _, n := range s.Rules.Nodes {
		if !slices.ContainsFunc(s.Order.Live, func(l Life) bool { return l.Node == n }) && s.Fences[s.Peers[n].Last.From] != FenceDone {
			return true
		}
	}
	return false
}

// fence has the dead fenced, and reports whether that has to be waited for. Without
// fencing they have the time in which they find out that they are alone.
func (s *State) fence(crashed []Life) (waiting bool, actions []Action) {
	for _, l := range crashed {
		again := slices.ContainsFunc(s.Order.Live, func(k Life) bool { return k.Node == l.Node })
		switch {
		case again: // its kernel is another one now
		case !s.Rules.Fencing:
			waiting = waiting || s.Since < 2*s.Rules.Dead
		case s.Fences[l] == FenceDone:
		default:
			waiting = true
			if s.Fences[l] == 0 {
				s.Fences[l] = FenceAsked
				actions = append(actions, Action{Fence: &l})
			}
		}
	}
	return waiting, actions
}
