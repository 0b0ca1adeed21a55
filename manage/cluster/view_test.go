package cluster

import (
	"reflect"
	"testing"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/manage/cluster/controld"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// TestNodeState is how nodes stand for a leader, for one who follows, and without fencing.
func TestNodeState(t *testing.T) {
	one, two, three := Life{1, "a"}, Life{2, "b"}, Life{3, "c"}
	change := SpaceOrder{Name: "tst", Phase: Stopping, Members: []Life{one, two}, Crashed: []Life{three}}
	base := Begin(Rules{Self: one, Nodes: []int{1, 2, 3}, Fencing: true, Dead: 4})
	base.Peers = map[int]Peer{2: {Last: Message{From: two, Hears: []Life{one, two}}}, 3: {Silent: 9, Last: Message{From: three}}}
	base.Age = base.Rules.quiet()
	base.Order = Order{Epoch: Epoch{1, 1}, Gathered: true, Live: []Life{one, two}, Spaces: []SpaceOrder{change}}
	for name, c := range map[string]struct {
		change func(*State)
		want   [3]NodeState
	}{
		"the leader fences": {func(s *State) { s.Fences = map[Life]Fence{three: FenceAsked} }, [3]NodeState{NodeMember, NodeMember, NodeFencing}},
		"a follower":        {func(s *State) {}, [3]NodeState{NodeMember, NodeMember, NodeFencing}},
		"it cannot":         {func(s *State) { s.Fences = map[Life]Fence{three: FenceFailed} }, [3]NodeState{NodeMember, NodeMember, NodeFenceFailed}},
		"it has":            {func(s *State) { s.Fences = map[Life]Fence{three: FenceDone} }, [3]NodeState{NodeMember, NodeMember, NodeDead}},
		"no fencing":        {func(s *State) { s.Rules.Fencing = false }, [3]NodeState{NodeMember, NodeMember, NodeDead}},
		"recovered": {func(s *State) {
			s.Order.Spaces = []SpaceOrder{{Name: "tst", Phase: Starting, Crashed: []Life{three}}}
		}, [3]NodeState{NodeMember, NodeMember, NodeDead}},
		"alone": {func(s *State) {
			s.Peers = map[int]Peer{2: {Silent: 9, Last: Message{From: two}}, 3: {Silent: 9, Last: Message{From: three}}}
			s.Order.Spaces = nil
		}, [3]NodeState{NodeHeard, NodeDead, NodeDead}},
		"not gathered": {func(s *State) { s.Order.Gathered, s.Order.Spaces = false, nil }, [3]NodeState{NodeHeard, NodeHeard, NodeDead}},
	} {
		s := base
		c.change(&s)
		for i, want := range c.want {
			if got := s.nodeState(i + 1); got != want {
				t.Errorf("%s: node %d is %q, want %q", name, i+1, got, want)
			}
		}
	}
}

// TestDaemonNodes is how nodes stand beside dlm_controld, which also remembers those whose
// addresses the kernel has no more.
func TestDaemonNodes(t *testing.T) {
	st := &Status{Nodes: []NodeStatus{{ID: 1, Local: true, State: NodeUnknown}, {ID: 2, Addr: "10.9.0.2", State: NodeUnknown}}}
	addDaemonNodes(st, []controld.State{
		{Kind: controld.OfDaemon, Node: 1, Text: "member_count=2 quorate=1 "},
		{Kind: controld.OfNode, Node: 3, Text: "member=0 need_fencing=0 "},
		{Kind: controld.OfNode, Node: 2, Text: "member=0 need_fencing=1 "},
		{Kind: controld.OfNode, Node: 1, Text: "member=1 need_fencing=0 "},
		{Kind: controld.OfStartupNode, Node: 4, Text: ""},
	})
	want := []NodeStatus{
		{ID: 1, Local: true, Alive: true, State: NodeMember},
		{ID: 2, Addr: "10.9.0.2", State: NodeFencing},
		{ID: 3, State: NodeDead},
	}
	if !st.Quorate || !reflect.DeepEqual(st.Nodes, want) {
		t.Errorf("quorate %v, nodes %+v; want %+v", st.Quorate, st.Nodes, want)
	}
}

// TestDaemonSpace is a lockspace's state beside dlm_controld.
func TestDaemonSpace(t *testing.T) {
	for want, l := range map[string]controld.Lockspace{
		"running":  {Flags: controld.FSRegistered},
		"joining":  {Flags: controld.Joining, Next: controld.Change{Seq: 1}},
		"leaving":  {Flags: controld.Leaving | controld.KernelStopped},
		"stopping": {Flags: controld.KernelStopped, Next: controld.Change{Seq: 2}},
		"stopped":  {Flags: controld.KernelStopped},
	} {
		if got := daemonSpace(l); got != want {
			t.Errorf("%+v is %s, want %s", l, got, want)
		}
	}
}

// aLog is what kernels have logged: the line of 6.1 that ends each recovery.
var aLog = []string{
	"dlm: u-1: generation 1 slots 1 1:1",
	"dlm: u-1: generation 3 slots 3 1:1 2:2 3:9",
	"dlm: other: generation 7 slots 1 1:5",
	"md-cluster: Joined cluster u-1 slot 1",
}

// TestSight is the assembly of what the kernel shows: slots by the log, by locks where
// they are visible, and not at all; syncs here and there.
func TestSight(t *testing.T) {
	pw := dlm.LockInfo{Queue: dlm.Granted, Held: dlm.PW, Wanted: dlm.ModeNone}
	slot := func(resource string, node int, internal uint32) dlm.LockInfo {
		l := pw
		l.Resource, l.Node, l.Internal = resource, node, internal
		return l
	}
	const copied = 0x00010000
	running := &sysmd.MdstatSync{Action: "resync", Done: 2, Total: 8}
	for name, c := range map[string]struct {
		log   []string
		locks []dlm.LockInfo
		sync  *sysmd.MdstatSync
		want  ArrayStatus
	}{
		"by the log": {aLog, nil, nil, ArrayStatus{Slot: 1, Slots: []SlotStatus{{1, 1, 0}, {2, 2, 5}, {3, 0, 7}}}},
		"by locks": {nil, []dlm.LockInfo{slot("bitmap0001", 0, 0), slot("bitmap0000", 2, copied), slot("bitmapx", 0, 0)}, running, ArrayStatus{
			Slot: 2, Sync: "resync", Where: SyncHere, Done: 2048, Total: 8192, Slots: []SlotStatus{{1, 2, 0}, {2, 1, 5}, {3, 0, 7}},
		}},
		"the log before locks": {aLog, []dlm.LockInfo{slot("bitmap0002", 0, 0)}, nil, ArrayStatus{Slot: 1, Slots: []SlotStatus{{1, 1, 0}, {2, 2, 5}, {3, 0, 7}}}},
		"two locks":            {nil, []dlm.LockInfo{slot("bitmap0000", 0, 0), slot("bitmap0002", 0, 0)}, nil, ArrayStatus{Slots: []SlotStatus{{1, 0, 0}, {2, 0, 5}, {3, 0, 7}}}},
		"not visible":          {aLog[2:], nil, &sysmd.MdstatSync{Action: "resync", Remote: true}, ArrayStatus{Sync: "resync", Where: SyncRemote, Slots: []SlotStatus{{1, 0, 0}, {2, 0, 5}, {3, 0, 7}}}},
		"delayed":              {nil, nil, &sysmd.MdstatSync{Action: "recovery", Delayed: true}, ArrayStatus{Sync: "recovery", Where: SyncWaiting, Slots: []SlotStatus{{1, 0, 0}, {2, 0, 5}, {3, 0, 7}}}},
	} {
		st := &Status{Node: 1, Spaces: []SpaceStatus{{Name: "u-1", Members: []int{1, 2}}}}
		v := &sight{log: c.log, locks: map[string][]dlm.LockInfo{}, arrays: []arraySight{{name: "md0", space: "u-1", sync: c.sync, dirty: []uint64{0, 5, 7}}}}
		if c.locks != nil {
			v.locks["u-1"] = c.locks
		}
		v.addTo(st)
		c.want.Name, c.want.Space = "md0", "u-1"
		if !reflect.DeepEqual(st.Arrays, []ArrayStatus{c.want}) {
			t.Errorf("%s: %+v, want %+v", name, st.Arrays, c.want)
		}
		if s := st.Spaces[0]; s.LocksVisible != (c.locks != nil) || len(s.Locks) != len(c.locks) {
			t.Errorf("%s: locks %+v, visible %v", name, s.Locks, s.LocksVisible)
		}
	}
}

// TestLockStatus is a lock from the point of view of the cluster: a copy belongs to
// another node, and the master's number in a lock of one's own says nothing.
func TestLockStatus(t *testing.T) {
	got := lockStatus(dlm.LockInfo{Resource: "r", Node: 3, Thread: 7, Queue: dlm.Converting, Held: dlm.PR, Wanted: dlm.EX}, 1)
	if want := (LockStatus{"r", 1, 7, "converting", "PR", "EX"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = lockStatus(dlm.LockInfo{Resource: "r", Node: 3, Internal: 0x00010000, Queue: dlm.Waiting, Held: dlm.ModeNone, Wanted: dlm.CR}, 1)
	if want := (LockStatus{"r", 3, 0, "waiting", "", "CR"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
