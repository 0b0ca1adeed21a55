package cluster

import (
	"maps"
	"slices"
)

// mayRun reports whether lockspaces may run here at all: there is a quorum, and the
// leader that is obeyed is alive and nobody knows of a later one.
func (s *State) mayRun() bool {
	if !s.Order.Gathered || s.Highest.compare(s.Order.Epoch) > 0 || !s.Quorate() {
		return false
	}
	return slices.ContainsFunc(s.alive(), func(l Life) bool { return l.Node == s.Order.Epoch.Leader })
}

// follow does what the order says of the lockspaces here.
func (s *State) follow() []Action {
	var actions []Action
	for _, name := range slices.Sorted(maps.Keys(s.Spaces)) {
		r := s.Spaces[name]
		if a := s.followOne(&r); a != nil {
			actions = append(actions, *a)
		}
		s.Spaces[name] = r
	}
	return actions
}

func (s *State) followOne(r *SpaceReport) *Action {
	do := func(job Job) *Action {
		r.Busy = job
		return &Action{Job: job, Space: r.Name}
	}
	if r.Busy != JobNone {
		return nil
	}
	if !s.mayRun() {
		if r.Running {
			return do(JobStop)
		}
		return nil
	}
	o := s.Order.space(r.Name)
	member := o != nil && slices.Contains(o.Members, s.Rules.Self)
	if !member && r.Wish == Stay && (o == nil || !slices.Contains(o.Before, s.Rules.Self)) {
		return s.drop(r, do)
	}
	if o == nil {
		if r.Wish == Leave {
			return do(JobDepart) // nobody else knows of it
		}
		return nil
	}
	if !member && !slices.Contains(o.Before, s.Rules.Self) {
		if r.Wish == Leave {
			return do(JobDepart) // it is no member any more
		}
		return nil // its wish has not been heard yet
	}
	return s.obey(r, o, member, do)
}

// drop removes a lockspace that the others have recovered from this node's absence:
// its locks are no longer known there, so it can only begin anew.
func (s *State) drop(r *SpaceReport, do func(Job) *Action) *Action {
	switch {
	case r.Running:
		return do(JobStop)
	case r.Dropped:
		return nil // the kernel is going to ask to leave
	}
	r.Dropped = true
	return &Action{Job: JobDrop, Space: r.Name}
}

// obey takes the next step of a change.
func (s *State) obey(r *SpaceReport, o *SpaceOrder, member bool, do func(Job) *Action) *Action {
	if r.Acted != o.Stamp {
		if o.Phase == Running {
			return nil // a change that is over is not begun
		}
		if r.Running {
			return do(JobStop)
		}
		r.Acted, r.Done = o.Stamp, Stopping
	}
	switch {
	case o.Phase >= Updating && r.Done == Stopping && !member && r.Wish == Leave:
		return do(JobDepart)
	case o.Phase >= Updating && r.Done == Stopping && member:
		a := do(JobUpdate)
		a.Members, a.Fresh, a.Live = o.Members, o.Fresh, s.Order.Live
		// From here on the kernel may have it, whatever happens to the rest.
		r.Members, r.Based = o.Members, o.Stamp
		return a
	case o.Phase >= Starting && r.Done == Updating:
		a := do(JobStart)
		a.First = slices.Contains(o.Fresh, s.Rules.Self)
		return a
	}
	return nil
}
