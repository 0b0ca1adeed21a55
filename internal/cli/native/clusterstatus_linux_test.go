package native

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/cluster"
)

// aCluster has one of everything that the text tells apart.
func aCluster() *cluster.Status {
	return &cluster.Status{
		Cluster: "lab", Controller: "mdkit", Node: 1, Quorate: true, Leader: 1, Epoch: 4,
		Nodes: []cluster.NodeStatus{
			{ID: 1, Name: "one", Addr: "10.9.0.1", Local: true, Alive: true, State: cluster.NodeMember},
			{ID: 2, Name: "two", Addr: "10.9.0.2", State: cluster.NodeFencing},
			{ID: 3, State: cluster.NodeUnknown},
		},
		Spaces: []cluster.SpaceStatus{
			{Name: "a", ID: 0x10, Members: []int{1, 2}, State: "stopping", Recovery: "NODES|DIR", WaitsFor: 2},
			{Name: "b", ID: 0x20, Members: []int{1}, State: "running", Settled: true, LocksVisible: true},
			{Name: "c", ID: 0x30, Members: []int{1}, State: "running", Settled: true, LocksVisible: true, Locks: []cluster.LockStatus{
				{Resource: "r\x01", Node: 2, Thread: 77, Queue: "granted", Held: "EX"},
				{Resource: "s", Node: 1, Queue: "waiting", Wanted: "PR"},
				{Resource: "t", Node: 1, Queue: "converting", Held: "CR", Wanted: "EX"},
			}},
		},
		Arrays: []cluster.ArrayStatus{
			{Name: "md0", Space: "u-1", Slot: 1, Degraded: 1, Sync: "recovery", Where: cluster.SyncHere, Done: 1, Total: 4, Slots: []cluster.SlotStatus{{Slot: 1, Node: 1}, {Slot: 2, Dirty: 5}}},
			{Name: "md1", Sync: "resync", Where: cluster.SyncRemote},
			{Name: "md2", Slot: 2, Sync: "resync", Where: cluster.SyncWaiting},
		},
	}
}

const aClusterText = `cluster lab; controller: mdkit; quorum; epoch 4 led by node 1
  node 1 one 10.9.0.1: member, this node
  node 2 two 10.9.0.2: dead: being fenced
  node 3: no controller says how it is
  lockspace a id 0x10: stopping, recovering (NODES|DIR) and waiting for node 2, members 1 2
    locks: not visible here
  lockspace b id 0x20: running, recovered, members 1
    locks: none that this node knows
  lockspace c id 0x30: running, recovered, members 1
    r\x01: node 2 (process 77) holds EX
    s: node 1 waits for PR
    t: node 1 holds CR and waits for EX
  array md0: slot 1 here, lockspace u-1, 1 missing, recovery here, 25% done
    slot 1: node 1, 0 dirty chunks
    slot 2: no node that is visible here, 5 dirty chunks
  array md1: the slot of this node is not visible here, resync on another node
    bitmaps: not visible here
  array md2: slot 2 here, resync waiting
    bitmaps: not visible here
`

func TestClusterText(t *testing.T) {
	if got := clusterText(aCluster()); got != aClusterText {
		t.Errorf("got\n%s\nwant\n%s", got, aClusterText)
	}
	for text, st := range map[string]*cluster.Status{
		"no cluster; controller: none\n":                                {Controller: "none"},
		"cluster c; controller: none\n":                                 {Cluster: "c", Controller: "none"},
		"cluster c; controller: dlm_controld; quorum\n":                 {Cluster: "c", Controller: "dlm_controld", Quorate: true},
		"cluster c; controller: mdkit; no quorum\n":                     {Cluster: "c", Controller: "mdkit"},
		"cluster c; controller: dlm_controld; no quorum\n":              {Cluster: "c", Controller: "dlm_controld"},
		"cluster c; controller: mdkit; quorum; epoch 0 led by node 3\n": {Cluster: "c", Controller: "mdkit", Quorate: true, Leader: 3},
	} {
		if got := clusterText(st); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

// TestShowChange prints a status once, until it is another one.
func TestShowChange(t *testing.T) {
	for _, lines := range []bool{false, true} {
		var out bytes.Buffer
		std := ui.IO{Out: &out}
		last := ""
		show := func(epoch uint64) {
			t.Helper()
			st := aCluster()
			st.Epoch = epoch
			var err error
			if last, err = showChange(std, st, lines, last); err != nil {
				t.Fatal(err)
			}
		}
		show(4)
		show(4)
		show(5)
		if lines {
			if n := strings.Count(out.String(), "\n"); n != 2 || !strings.HasPrefix(out.String(), `{"schema":"mdkit.cluster.status/1","cluster":"lab"`) {
				t.Errorf("%d lines: %s", n, &out)
			}
		} else if want := aClusterText + "\n" + strings.ReplaceAll(aClusterText, "epoch 4", "epoch 5") + "\n"; out.String() != want {
			t.Errorf("got\n%s", &out)
		}
	}
}
