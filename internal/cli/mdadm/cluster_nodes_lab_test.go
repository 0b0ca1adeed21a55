package mdadm

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
)

// clusterNode is a machine of a cluster that does what the test tells it. The names of
// disks in its orders are @0, @1, ...
type clusterNode struct {
	t      *testing.T
	name   string
	m      *lab.Machine
	told   int // orders given
	waited int // orders that have been waited for
}

// answer is what has come of an order.
type answer struct {
	Code     int
	Out, Err string
}

func (a answer) String() string { return outcome{a.Code, a.Out, a.Err}.String() }

// begin gives an order.
func (n *clusterNode) begin(order string) {
	n.t.Logf("%s: %s", n.name, order)
	n.m.Tell(fmt.Sprint("order ", n.told), []byte(order))
	n.told++
}

// end waits for the oldest order that has not been waited for.
func (n *clusterNode) end() (a answer) {
	n.t.Helper()
	if err := json.Unmarshal(n.m.Await(fmt.Sprint("answer ", n.waited)), &a); err != nil {
		n.t.Fatal(err)
	}
	n.waited++
	return a
}

// try gives an order and waits for its end.
func (n *clusterNode) try(order string) answer {
	n.t.Helper()
	n.begin(order)
	return n.end()
}

// does gives an order that must succeed.
func (n *clusterNode) does(order string) string {
	n.t.Helper()
	a := n.try(order)
	if a.Code != 0 {
		n.t.Fatalf("node %s: %s: %v\n%s", n.name, order, a, n.try("log").Out)
	}
	return a.Out
}

// refuses gives an order that must fail with exit code 1 and say why.
func (n *clusterNode) refuses(order, why string) {
	n.t.Helper()
	if a := n.try(order); a.Code != 1 || !strings.Contains(a.Err, why) {
		n.t.Errorf("node %s: %s: %v\nwant exit 1 and %q", n.name, order, a, why)
	}
}

// obeyOrders is the node's side of it, until it is told to end.
func obeyOrders(t *testing.T, g *lab.Guest) {
	for i := 0; ; i++ {
		order := string(g.Await(fmt.Sprint("order ", i)))
		a := obeyOrder(t, g, strings.Fields(order))
		raw, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		g.Publish(fmt.Sprint("answer ", i), raw)
		if order == "end" {
			return
		}
	}
}

func obeyOrder(t *testing.T, g *lab.Guest, words []string) answer {
	args := words[1:]
	for i := range args {
		for d, path := range g.Disks {
			args[i] = strings.ReplaceAll(args[i], fmt.Sprint("@", d), path)
		}
	}
	switch words[0] {
	case "corosync":
		do(t, "hostname labhost")
		corosync.Start(t)
	case "ours":
		o := ours(args...)
		return answer{o.code, o.out, o.err}
	case "mdadm":
		o := peers(t, args...)
		return answer{o.code, o.out, o.err}
	case "confirm", "mdadm-confirm": // until there is a question to answer
		lab.Poll(t, func() string {
			confirm := []string{"/dev/md0", "--cluster-confirm", args[0]}
			got := outcome{}
			if words[0] == "confirm" {
				got = ours(confirm...)
			} else {
				got = peers(t, confirm...)
			}
			if got.code == 0 {
				return ""
			}
			return "a question to be answered with " + args[0] + ": " + got.err
		})
	case "idle":
		reshaped(t)
	case "sees": // until --detail has a line with all words
		stateSays(t, args...)
	case "gone":
		lab.Until(t, args[0]+" to be removed", func() bool { return !strings.Contains(ours("--detail", "/dev/md0").out, args[0]) })
	case "agree":
		agree(t, args...)
	case "scribble":
		seed, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		scribble(t, "/dev/md0", seed)
	case "sum":
		return answer{Out: fmt.Sprintf("%x", sum(t, "/dev/md0"))}
	case "size":
		size, err := os.ReadFile("/sys/block/md0/size")
		if err != nil {
			t.Fatal(err)
		}
		return answer{Out: strings.TrimSpace(string(size))}
	case "log":
		stat, _ := os.ReadFile("/proc/mdstat")
		return answer{Out: string(stat) + strings.Join(g.KernelLog(t), "\n")}
	case "end":
	default:
		t.Fatalf("what is %q?", words)
	}
	return answer{}
}

// clusterOf starts so many nodes with the same disks, under corosync and dlm_controld.
func clusterOf(t *testing.T, nodes, disks int, size int64) []*clusterNode {
	t.Helper()
	onlyInSoak(t)
	beside(t)
	set := lab.Cases(t, lab.Case{Name: "node", Run: obeyOrders})
	sw := lab.NewSwitch(t)
	shared := sharedDisks(t, disks, size)
	var all []*clusterNode
	for i := range nodes {
		spec := lab.Spec{
			Modules: []string{"raid1", "raid10", "md-cluster"}, Disks: shared, Files: clusterFiles(t, nodes),
			NICs: []*lab.Port{sw.Port(corosync.Address(i + 1))},
		}
		all = append(all, &clusterNode{t: t, name: string(rune('a' + i)), m: set.Start(t, spec, "node")})
	}
	for _, n := range all {
		n.begin("corosync")
	}
	for _, n := range all {
		n.end()
	}
	return all
}

// clusterEnds stops the array on all nodes, and the nodes.
func clusterEnds(nodes []*clusterNode) {
	for _, n := range nodes {
		n.t.Helper()
		n.does("ours --stop /dev/md0")
	}
	clusterDown(nodes)
}

// clusterDown stops the nodes.
func clusterDown(nodes []*clusterNode) {
	for _, n := range nodes {
		n.does("end")
		n.m.Wait()
	}
}
