package cluster

import (
	"context"
	"slices"

	"github.com/mdkit/mdkit/manage/cluster/controld"
)

// askDaemon adds what dlm_controld knows.
func askDaemon(st *Status) error {
	ctx := context.Background() // the daemon has its own limit
	states, err := controld.Status(ctx)
	if err != nil {
		return err
	}
	addDaemonNodes(st, states)
	spaces, err := controld.Lockspaces(ctx)
	if err != nil {
		return err
	}
	for i := range st.Spaces {
		for _, l := range spaces {
			if l.Name == st.Spaces[i].Name {
				st.Spaces[i].State = daemonSpace(l)
			}
		}
	}
	return nil
}

// addDaemonNodes adds quorum and nodes. The daemon remembers nodes whose addresses the
// kernel has no more (dlm_controld/member.c, daemon_cpg.c).
func addDaemonNodes(st *Status, states []controld.State) {
	for _, s := range states {
		if s.Kind == controld.OfDaemon {
			st.Quorate = s.Number("quorate") != 0
		}
		if s.Kind != controld.OfNode {
			continue
		}
		i := slices.IndexFunc(st.Nodes, func(n NodeStatus) bool { return n.ID == int(s.Node) })
		if i < 0 {
			i = len(st.Nodes)
			st.Nodes = append(st.Nodes, NodeStatus{ID: int(s.Node)})
		}
		n := &st.Nodes[i]
		switch {
		case s.Number("member") != 0:
			n.State, n.Alive = NodeMember, true
		case s.Number("need_fencing") != 0:
			n.State = NodeFencing
		default:
			n.State = NodeDead
		}
	}
	slices.SortFunc(st.Nodes, func(a, b NodeStatus) int { return a.ID - b.ID })
}

// daemonSpace is the state of a lockspace in our words.
func daemonSpace(l controld.Lockspace) string {
	switch {
	case l.Flags&controld.Leaving != 0:
		return "leaving"
	case l.Flags&controld.Joining != 0:
		return "joining"
	case l.Next.Seq != 0:
		return Stopping.String()
	case l.Flags&controld.KernelStopped != 0:
		return "stopped"
	}
	return Running.String()
}
