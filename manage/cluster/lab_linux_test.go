package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
)

// site is a node of the lab: a controller in this process, and what is done beside it.
type site struct {
	t      *testing.T
	nodes  int
	lowest bool // of two, the first goes on alone
	stop   context.CancelFunc
	ended  chan error
	space  *dlm.Space
	locks  map[string]*dlm.Lock
}

// nodesText is a cluster of n nodes.
func nodesText(self string, n int) string {
	text := fmt.Sprintf("cluster = \"lab\"\ntick_ms = 100\ndead_ms = 5000\nfence = [%q, \"fence\"]\n", self)
	for i := 1; i <= n; i++ {
		text += fmt.Sprintf("[[node]]\nid = %d\nname = \"n%d\"\naddrs = [\"10.9.0.%d\"]\n", i, i, i)
	}
	return text
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// up starts a controller.
func (s *site) up() {
	s.t.Helper()
	path := s.t.TempDir() + "/nodes.toml"
	self, err := os.Executable()
	s.must(err)
	text := nodesText(self, s.nodes)
	if s.lowest {
		text = "two_node = \"lowest\"\n" + text
	}
	s.must(os.WriteFile(path, []byte(text), 0o600))
	file, err := ReadNodes(path)
	s.must(err)
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ended = stop, make(chan error, 1)
	ready := make(chan bool, 1)
	go func() {
		s.ended <- Serve(ctx, Request{
			Root: sysfs.Host, Dir: Dir, File: file, Holder: []string{self, "hold"},
			Report: func(n Note) {
				s.t.Logf("%+v", n)
				if n.Kind == NoteUp {
					ready <- true
				}
			},
		})
	}()
	select {
	case <-ready:
	case err := <-s.ended:
		s.t.Fatal(err)
	case <-lab.Patient(s.t).Done():
		s.t.Fatal("the controller does not come up")
	}
}

// halt ends the controller as SIGTERM does.
func (s *site) halt() {
	s.t.Helper()
	s.stop()
	s.must(lab.Receive(s.t, "the controller to end", s.ended))
}

func (s *site) status() *Status {
	s.t.Helper()
	st, err := Find(sysfs.Host, Dir).Status()
	s.must(err)
	return st
}

// await waits until a lockspace is in a state, with these members.
func (s *site) await(space, state string, members ...int) {
	s.t.Helper()
	lab.Poll(s.t, func() string {
		st := s.status()
		i := slices.IndexFunc(st.Spaces, func(p SpaceStatus) bool { return p.Name == space })
		if i < 0 {
			if state == "gone" {
				return ""
			}
			return space + " is not there"
		}
		p := st.Spaces[i]
		if p.State != state || state == "running" && (!p.Settled || !slices.Equal(p.Members, members)) {
			return fmt.Sprintf("%+v, want %s with %v; quorate %v", p, state, members, st.Quorate)
		}
		return ""
	})
}

// sees looks at the cluster, in which the nodes have to stand like that. The lab's kernels
// are built without CONFIG_DLM_DEBUG or with it: where locks are shown, that on r is.
func (s *site) sees(space string, nodes ...NodeState) {
	s.t.Helper()
	lab.Poll(s.t, func() string {
		st, err := Look(sysfs.Host, Dir)
		s.must(err)
		var got []NodeState
		for _, n := range st.Nodes {
			got = append(got, n.State)
		}
		if !slices.Equal(got, nodes) {
			return fmt.Sprintf("nodes %q, want %q", got, nodes)
		}
		_, err = os.Stat("/sys/kernel/debug/dlm")
		for _, p := range st.Spaces {
			if p.LocksVisible != (err == nil) {
				s.t.Errorf("%+v, and debugfs: %v", p, err)
			}
			own := func(l LockStatus) bool { return l.Resource == "r" && l.Node == st.Node && l.Thread > 0 }
			if p.Name == space && p.LocksVisible && s.locks["r"] != nil && !slices.ContainsFunc(p.Locks, own) {
				s.t.Errorf("the lock on r is not among %+v", p.Locks)
			}
		}
		return ""
	})
}

// lock takes or converts a lock in the lockspace tst.
func (s *site) lock(resource string, mode dlm.Mode) {
	s.t.Helper()
	ctx := lab.Patient(s.t)
	if s.space == nil {
		var err error
		s.space, err = dlm.Open(sysfs.Host, "tst")
		s.must(err)
	}
	if l := s.locks[resource]; l != nil {
		s.must(l.Convert(ctx, mode))
		return
	}
	l, err := s.space.Lock(ctx, resource, mode)
	s.must(err)
	s.locks[resource] = l
}

// leave leaves a lockspace. Locks of a descriptor that has been closed are there until
// the node that masters them has answered.
func (s *site) leave(space string) {
	s.t.Helper()
	lab.Until(s.t, "locks to be gone", func() bool {
		err := Find(sysfs.Host, Dir).Leave(lab.Patient(s.t), space, false)
		if err != nil && !errors.Is(err, dlm.ErrBusy) {
			s.t.Fatal(err)
		}
		return err == nil
	})
}

func (s *site) closeSpace() {
	if s.space != nil {
		s.must(s.space.Close())
		s.space, s.locks = nil, map[string]*dlm.Lock{}
	}
}

// TestAlone is what one node shows.
func TestAlone(t *testing.T) {
	spec := lab.Spec{Modules: []string{"dlm"}, NICs: []*lab.Port{lab.NewSwitch(t).Port("10.9.0.1/24")}}
	lab.Run(t, spec, lab.Case{Name: "life", Run: labAlone})
}

func labAlone(t *testing.T, _ *lab.Guest) {
	s := &site{t: t, nodes: 1, locks: map[string]*dlm.Lock{}}
	ctx := lab.Patient(t)
	if err := Find(sysfs.Host, Dir).Join(ctx, "tst"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("join without a controller: %v", err)
	}
	s.up()
	c := Find(sysfs.Host, Dir)
	s.must(c.Join(ctx, "tst"))
	s.await("tst", "running", 1)
	s.lock("r", dlm.EX)
	s.sees("tst", NodeMember)
	if err := c.Down(); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "tst") {
		t.Errorf("taken down while tst is joined: %v", err)
	}
	// The next controller goes on; the lockspace has not been stopped in between.
	s.halt()
	if done, err := dlm.NewLockspace(sysfs.Host, "tst").Recovered(); !done || err != nil {
		t.Errorf("without a controller the lockspace runs: %v, %v", done, err)
	}
	s.lock("r", dlm.PR)
	before, err := os.ReadFile(Dir + "/state.json")
	s.must(err)
	if !strings.Contains(string(before), `"tst"`) {
		t.Errorf("the state says nothing of tst: %s", before)
	}
	s.up()
	s.await("tst", "running", 1)
	s.lock("r", dlm.EX)

	// Without any controller for too long, the kernel stops it, and the next one starts it.
	s.halt()
	lab.Until(t, "the kernel to stop the lockspace", func() bool {
		done, err := dlm.NewLockspace(sysfs.Host, "tst").Recovered()
		s.must(err)
		return !done
	})
	s.up()
	s.await("tst", "running", 1)
	s.lock("r", dlm.NL)

	// What the kernel asks for while there is no controller is answered by the next.
	s.halt()
	joined := make(chan error, 1)
	go func() { joined <- beside{sysfs.Host}.create(ctx, "late") }()
	lab.Until(t, "the kernel to ask for the lockspace late", func() bool {
		_, err := os.Stat("/sys/kernel/dlm/late")
		return err == nil
	})
	s.up()
	s.must(lab.Receive(t, "late to be joined", joined))
	s.await("late", "running", 1)
	s.leave("late")
	s.closeSpace()
	s.leave("tst")
	s.must(c.Down())
	s.must(lab.Receive(t, "the controller to end", s.ended))
	if present, err := dlm.NewConfig(sysfs.Host).Present(); present || err != nil {
		t.Errorf("after down a cluster is there: %v, %v", present, err)
	}
}

// remote is a machine that does what the test on the host says.
type remote struct {
	t    *testing.T
	name string
	m    *lab.Machine
	said int
}

// begin has a line done; the returned function waits for that.
func (r *remote) begin(line string) func() {
	r.said++
	n := r.said
	r.t.Logf("%s: %s", r.name, line)
	r.m.Tell(fmt.Sprint("do ", n), []byte(line))
	return func() { r.m.Await(fmt.Sprint("done ", n)) }
}

func (r *remote) do(line string) { r.begin(line)() }

// labRemote does what it is told, until it is told to end.
func labRemote(t *testing.T, g *lab.Guest) {
	s := &site{t: t, nodes: 3, locks: map[string]*dlm.Lock{}}
	for n := 1; ; n++ {
		words := strings.Fields(string(g.Await(fmt.Sprint("do ", n))))
		t.Log(words)
		switch words[0] {
		case "up":
			s.up()
		case "halt":
			s.halt()
		case "join":
			s.must(Find(sysfs.Host, Dir).Join(lab.Patient(t), "tst"))
		case "leave":
			s.closeSpace()
			s.leave("tst")
		case "close":
			s.closeSpace()
		case "ex":
			s.lock("r", dlm.EX)
		case "nl":
			s.lock("r", dlm.NL)
		case "fenced":
			got, err := os.ReadFile(fencedFile)
			if want := strings.Join(words[1:], " "); err != nil || string(got) != want {
				t.Errorf("fenced %q, %v; want %s", got, err, want)
			}
		case "sees":
			var states []NodeState
			for _, w := range words[1:] {
				states = append(states, NodeState(w))
			}
			s.sees("tst", states...)
		case "await":
			var members []int
			for _, w := range words[2:] {
				members = append(members, int(w[0]-'0'))
			}
			s.await("tst", words[1], members...)
		case "end":
			s.must(Find(sysfs.Host, Dir).Down())
			s.must(lab.Receive(t, "the controller to end", s.ended))
		}
		g.Publish(fmt.Sprint("done ", n), nil)
		if words[0] == "end" {
			return
		}
	}
}

// TestThree is three nodes: they join, lock, leave; a controller restarts, the network
// is cut and healed, and one dies.
func TestThree(t *testing.T) {
	set := lab.Cases(t, lab.Case{Name: "node1", Run: labRemote}, lab.Case{Name: "node2", Run: labRemote}, lab.Case{Name: "node3", Run: labRemote})
	sw := lab.NewSwitch(t)
	var ports []*lab.Port
	var nodes []*remote
	for i := 1; i <= 3; i++ {
		p := sw.Port(fmt.Sprintf("10.9.0.%d/24", i))
		ports = append(ports, p)
		m := set.Start(t, lab.Spec{Modules: []string{"dlm"}, NICs: []*lab.Port{p}}, fmt.Sprint("node", i))
		nodes = append(nodes, &remote{t: t, name: fmt.Sprint("node", i), m: m})
	}
	all := func(line string, which ...*remote) {
		t.Helper()
		var waits []func()
		for _, n := range which {
			waits = append(waits, n.begin(line))
		}
		for _, wait := range waits {
			wait()
		}
	}
	one, two, three := nodes[0], nodes[1], nodes[2]
	all("up", nodes...)
	all("join", nodes...)
	all("await running 1 2 3", nodes...)
	all("sees member member member", nodes...)
	one.do("ex")
	waits := two.begin("ex")
	one.do("nl")
	waits()
	two.do("nl")
	three.do("leave")
	all("await running 1 2", one, two)
	three.do("join")
	all("await running 1 2 3", nodes...)

	// The leader's controller restarts; locks go on.
	one.do("halt")
	two.do("ex")
	two.do("nl")
	one.do("up")
	all("await running 1 2 3", nodes...)

	// The third is cut off: its lockspace stops, and the others go on without it once it
	// has been fenced, as they believe. When the network heals, what it has is of no use to
	// the others, and goes.
	sw.Partition(ports[:2], ports[2:])
	three.do("await stopped")
	all("await running 1 2", one, two)
	one.do("fenced 3 n3")
	all("sees member member dead", one, two)
	three.do("sees dead dead heard")
	two.do("ex")
	sw.Heal()
	three.do("await gone")
	three.do("close")
	two.do("nl")
	three.do("join")
	all("await running 1 2 3", nodes...)

	// It dies with a lock.
	three.do("ex")
	three.m.Kill()
	three.m.Wait()
	one.do("ex")
	all("await running 1 2", one, two)
	// A node that has locks, be they those of others that it masters, does not leave.
	all("close", one, two)
	one.do("leave")
	two.do("leave")
	one.do("end")
	two.do("end")
	one.m.Wait()
	two.m.Wait()
}
