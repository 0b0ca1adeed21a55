package mdadm

import (
	"fmt"
	"testing"
)

// TestClusterIncremental has a spare come back by --incremental, which the other node
// confirms. A member that missed what the other node has written comes back by --add alone;
// its data is then all that there is.
func TestClusterIncremental(t *testing.T) {
	nodes := clusterOf(t, 2, 3, 24<<20)
	a, b := nodes[0], nodes[1]
	a.does("ours --create /dev/md0 --run -l1 -n2 --bitmap=clustered --nodes=2 @0 @1")
	a.does("idle")
	a.does("agree @0 @1")
	b.does("ours --assemble /dev/md0 @0 @1")
	a.does("ours /dev/md0 --fail @1")
	b.does("sees faulty @1")
	a.does("ours /dev/md0 --remove @1")
	b.does("gone @1")
	b.does("scribble 7")
	want := b.does("sum")
	for _, run := range []string{"", "--run "} {
		if got := a.try("ours --incremental " + run + "@1"); got.Code != 2 {
			t.Errorf("a former member comes back without what the other node has written: %v", got)
		}
	}
	a.refuses("ours /dev/md0 --re-add @1", "what other nodes have written since would be missing")
	add := func(order, confirm string) {
		t.Helper()
		a.begin(order)
		b.does("confirm " + confirm)
		if got := a.end(); got.Code != 0 {
			t.Fatalf("%s: %v\n%s", order, got, a.does("log"))
		}
	}
	add("ours /dev/md0 --add @1", "2:@1")
	for _, n := range nodes {
		n.does("sees active sync @1")
	}
	add("ours /dev/md0 --add @2", "3:@2")
	a.does("ours /dev/md0 --remove @2")
	b.does("gone @2")
	add("ours --incremental @2", "3:@2")
	for _, n := range nodes {
		n.does("sees spare @2")
	}
	a.does("ours /dev/md0 --remove @2") // or it would take the place of the next to fail
	b.does("gone @2")
	a.does("idle")
	b.does("idle")
	a.does("ours /dev/md0 --fail @0")
	b.does("sees faulty @0")
	for _, n := range nodes {
		if got := n.does("sum"); got != want {
			t.Errorf("other data on node %s\n%s", n.name, n.does("log"))
		}
	}
	for _, n := range nodes {
		n.does("ours --stop /dev/md0")
	}
	if got := a.try("ours --incremental @1"); got.Code != 1 {
		t.Errorf("--incremental starts an array that a cluster shares: %v", got)
	}
	clusterDown(nodes)
}

// TestClusterOfThree is the life of an array on three nodes, the second of which has
// Debian's mdadm: each command is given on another node, and all see what comes of it.
func TestClusterOfThree(t *testing.T) {
	nodes := clusterOf(t, 3, 4, 24<<20)
	a, b, c := nodes[0], nodes[1], nodes[2]
	see := func(words string) {
		t.Helper()
		for _, n := range nodes {
			n.does("sees " + words)
		}
	}
	a.does("ours --create /dev/md0 --run -l1 -n2 --bitmap=clustered --nodes=3 @0 @1")
	a.does("idle")
	a.does("agree @0 @1")
	b.does("mdadm --assemble /dev/md0 @0 @1")
	c.does("ours --assemble /dev/md0 @0 @1")
	same := func(writer *clusterNode, seed int) {
		t.Helper()
		writer.does(fmt.Sprint("scribble ", seed))
		want := writer.does("sum")
		for _, n := range nodes {
			if got := n.does("sum"); got != want {
				t.Fatalf("other data on node %s\n%s", n.name, n.does("log"))
			}
		}
	}
	for i, n := range nodes {
		same(n, 7+i)
	}
	b.does("mdadm /dev/md0 --fail @1")
	see("faulty @1")
	c.does("ours /dev/md0 --remove @1")
	for _, n := range nodes {
		n.does("gone @1")
	}
	a.begin("ours /dev/md0 --add @2")
	b.does("mdadm-confirm 2:@2")
	c.does("confirm 2:@2")
	if got := a.end(); got.Code != 0 {
		t.Fatalf("--add: %v\n%s", got, a.does("log"))
	}
	see("active sync @2")
	same(c, 10)
	b.begin("mdadm /dev/md0 --add @3") // a spare
	a.does("confirm 3:@3")
	c.does("confirm 3:@3")
	if got := b.end(); got.Code != 0 {
		t.Fatalf("mdadm --add: %v\n%s", got, b.does("log"))
	}
	see("spare @3")
	clusterEnds(nodes)
}
