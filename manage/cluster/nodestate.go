package cluster

import "slices"

// nodeState says how a node stands, as this one knows. Where no lockspace may run, there
// is no cluster for anybody to be a member of, this node included. Only the leader runs the command
// that fences; the others see that a change waits for it.
func (s *State) nodeState(node int) NodeState {
	of := func(l Life) bool { return l.Node == node }
	alive := slices.ContainsFunc(s.alive(), of)
	switch {
	case alive && s.mayRun() && slices.ContainsFunc(s.Order.Live, of):
		return NodeMember
	case alive:
		return NodeHeard
	}
	for _, o := range s.Order.Spaces {
		i := slices.IndexFunc(o.Crashed, of)
		if i < 0 || o.Phase != Stopping || !s.Rules.Fencing {
			continue
		}
		switch s.Fences[o.Crashed[i]] {
		case FenceDone:
		case FenceFailed:
			return NodeFenceFailed
		default:
			return NodeFencing
		}
	}
	return NodeDead
}
