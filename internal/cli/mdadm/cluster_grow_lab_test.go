package mdadm

import (
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab/corosync"
)

// TestClusterGrow takes an array into a cluster of two nodes, changes its size and the
// number of its devices there, and takes it out again, with its data whole on both nodes
// after each.
func TestClusterGrow(t *testing.T) {
	nodes := clusterOf(t, 2, 4, 24<<20)
	a, b := nodes[0], nodes[1]
	same := func(want string) {
		t.Helper()
		for _, n := range nodes {
			if got := n.does("sum"); got != want {
				t.Fatalf("other data on node %s\n%s", n.name, n.does("log"))
			}
		}
	}
	joinCluster(t, a)
	want := a.does("sum")
	b.does("ours --assemble /dev/md0 @0 @1")
	same(want)
	a.refuses("ours --grow /dev/md0 --bitmap=none", "another node of the cluster runs /dev/md0")
	a.refuses("ours --grow /dev/md0 --bitmap=internal", "bitmap already present on /dev/md0")
	a.refuses("ours --grow /dev/md0 --array-size=4M", "cannot change its array size")
	a.refuses("ours --grow /dev/md0 --level=0", "cannot change its level")
	a.refuses("ours --grow /dev/md0 --level=5", "cannot change its level")

	before := a.does("size")
	a.does("ours --grow /dev/md0 --size=14M")
	a.does("idle")
	for _, n := range nodes {
		if n.does("size") == before {
			t.Errorf("node %s: %s sectors as before\n%s", n.name, before, n.does("log"))
		}
	}
	b.does("scribble 8")
	want = b.does("sum")
	same(want)

	a.begin("ours --grow /dev/md0 --raid-devices=3 --add @2")
	b.does("confirm 2:@2")
	if got := a.end(); got.Code != 0 {
		t.Fatalf("three devices: %v\n%s", got, a.does("log"))
	}
	for _, n := range nodes {
		n.does("sees active sync @2")
		n.does("sees Raid Devices : 3")
	}
	a.does("scribble 9")
	want = a.does("sum")
	same(want)

	b.does("ours --stop /dev/md0")
	for _, bitmap := range []string{"none", "internal", "none", "clustered --nodes=3"} {
		if bitmap[0] == 'c' {
			a.refuses("ours --grow /dev/md0 --bitmap=none", "no bitmap found on /dev/md0")
		}
		a.does("scribble 10") // an array that has left a cluster counts as clean after its next write
		want = a.does("sum")
		a.does("idle")
		a.does("ours --grow /dev/md0 --bitmap=" + bitmap)
		if got := a.does("sum"); got != want {
			t.Fatalf("other data with --bitmap=%s", bitmap)
		}
	}
	a.does("idle")
	a.does("agree @0 @1 @2")
	want = a.does("sum")
	b.does("ours --assemble /dev/md0 @0 @1 @2")
	same(want)
	for _, n := range nodes {
		for _, disk := range []string{"@0", "@1", "@2"} {
			ours, mdadms := n.does("ours -X "+disk), n.does("mdadm -X "+disk)
			if ours != mdadms || !strings.Contains(ours, "Cluster nodes : 3") {
				t.Errorf("mdadm -X %s\n%s\nours:\n%s", disk, mdadms, ours)
			}
		}
	}
	clusterEnds(nodes)
}

// joinCluster makes an array with data on one node, and has a cluster share it once what
// it cannot share is gone.
func joinCluster(t *testing.T, a *clusterNode) {
	t.Helper()
	a.does("ours --create /dev/md0 --run -l1 -n2 --bitmap=none --size=10M --assume-clean @0 @1")
	a.does("scribble 7")
	want := a.does("sum")
	a.refuses("ours --grow /dev/md0 --bitmap=clustered --nodes=2", "has a bad block log")
	a.does("ours --stop /dev/md0")
	a.does("ours --assemble /dev/md0 --update=no-bbl @0 @1")
	a.refuses("ours --grow /dev/md0 --bitmap=clustered --nodes=2000", "max num of nodes can't exceed")
	a.refuses("ours --grow /dev/md0 --bitmap=internal --nodes=2", "only compatible with --bitmap=clustered")
	a.does("ours --grow /dev/md0 --bitmap=clustered --nodes=2 --dry-run")
	a.refuses("ours --grow /dev/md0 --bitmap=none", "no bitmap found on /dev/md0")
	a.does("ours --grow /dev/md0 --bitmap=clustered --nodes=2")
	a.does("idle")
	if got := a.does("sum"); got != want {
		t.Fatal("other data in the cluster")
	}
	a.does("agree @0 @1")
}

// TestClusterUpdates gives an array another cluster's name, in which it does not start, and
// its own again, and room for other numbers of nodes.
func TestClusterUpdates(t *testing.T) {
	nodes := clusterOf(t, 2, 2, 24<<20)
	a, b := nodes[0], nodes[1]
	assemble := "ours --assemble /dev/md0 @0 @1"
	a.does("ours --create /dev/md0 --run -l1 -n2 --bitmap=clustered --nodes=4 @0 @1")
	a.does("idle")
	a.does("scribble 7")
	want := a.does("sum")
	a.does("ours --stop /dev/md0")

	for _, update := range []string{"bbl", "revert-reshape"} {
		a.refuses(assemble+" --update="+update, "a cluster shares")
	}
	named := func(n *clusterNode, name string) {
		t.Helper()
		if got := n.does("ours --examine-bitmap @1"); !strings.Contains(got, "Cluster name : "+name) {
			t.Errorf("another name than %s:\n%s", name, got)
		}
	}
	// What does not start is as it was; mdadm leaves the name that it cannot start with.
	a.refuses(assemble+" --update=home-cluster --home-cluster=elsewhere", "failed to RUN_ARRAY")
	named(b, corosync.Cluster)
	a.try("mdadm --assemble /dev/md0 @0 @1 --update=home-cluster --home-cluster=elsewhere")
	a.try("mdadm --stop /dev/md0")
	named(b, "elsewhere")
	b.refuses(assemble, "failed to RUN_ARRAY")
	b.does(assemble + " --update=home-cluster") // the name is the DLM's
	b.does("idle")
	b.does("agree @0 @1")
	a.does(assemble)
	for _, n := range nodes {
		if got := n.does("sum"); got != want {
			t.Errorf("other data on node %s", n.name)
		}
		n.does("ours --stop /dev/md0")
	}

	for _, count := range []string{"2", "3"} {
		a.does(assemble + " --update=nodes --nodes=" + count)
		a.does("idle")
		a.does("agree @0 @1")
		b.does(assemble)
		b.does("scribble " + count)
		want = b.does("sum")
		for _, n := range nodes {
			ours, mdadms := n.does("ours -X @0"), n.does("mdadm -X @0")
			if ours != mdadms || !strings.Contains(ours, "Cluster nodes : "+count) {
				t.Errorf("mdadm -X\n%s\nours:\n%s", mdadms, ours)
			}
			if got := n.does("sum"); got != want {
				t.Errorf("other data on node %s, room for %s", n.name, count)
			}
			n.does("ours --stop /dev/md0")
		}
	}
	a.refuses(assemble+" --update=nodes --nodes=2000", "can't exceed")
	a.does(assemble + " --update=uuid --uuid=01234567:89abcdef:01234567:89abcdef")
	a.does("idle")
	a.does("agree @0 @1")
	b.does(assemble)
	if got := b.does("sum"); got != want {
		t.Error("other data with another uuid")
	}
	clusterEnds(nodes)
}
