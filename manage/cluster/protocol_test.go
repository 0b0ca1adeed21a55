package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// world is a cluster in a network that loses, delays and reorders, with nodes that die.
type world struct {
	t      *testing.T
	rnd    *rand.Rand
	rules  Rules
	round  int
	calm   bool // nothing goes wrong any more
	nodes  map[int]*machine
	boots  int
	post   []letter
	cut    map[[2]int]bool
	trace  []string
	starts int
	dead   int // nodes that were fenced or crashed
	fenced map[Life]bool
}

type letter struct {
	at, to int
	event  Event
	life   Life // only to this life; none for all
}

// machine is a node: the controller, and its kernel.
type machine struct {
	state  State
	up     bool
	back   int // round at which it boots again
	kernel map[string]*kernelSpace
}

type kernelSpace struct {
	running bool
	members []Life
	leaving bool
}

func newWorld(t *testing.T, rnd *rand.Rand, n int, lowest, fencing bool) *world {
	w := &world{t: t, rnd: rnd, nodes: map[int]*machine{}, cut: map[[2]int]bool{}, fenced: map[Life]bool{}}
	w.rules = Rules{Lowest: lowest, Fencing: fencing, Dead: 8}
	for i := 1; i <= n; i++ {
		w.rules.Nodes = append(w.rules.Nodes, i)
	}
	for i := 1; i <= n; i++ {
		w.boot(i)
	}
	return w
}

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%4d ", w.round)+fmt.Sprintf(format, args...))
}

func (w *world) boot(n int) {
	w.boots++
	r := w.rules
	r.Self = Life{n, fmt.Sprint("boot", w.boots)}
	w.nodes[n] = &machine{state: Begin(r), up: true, kernel: map[string]*kernelSpace{}}
	w.logf("%d boots", n)
}

func (w *world) kill(n int) {
	m := w.nodes[n]
	if !m.up {
		return
	}
	w.logf("%d dies", n)
	w.dead++
	m.up, m.back, m.kernel = false, w.round+1+w.rnd.IntN(80), nil
}

// give takes an event to a node, and does what it says.
func (w *world) give(n int, e Event) {
	m := w.nodes[n]
	if !m.up {
		return
	}
	var actions []Action
	m.state, actions = Step(m.state, e)
	for _, a := range actions {
		w.do(n, a)
	}
	w.check()
}

func (w *world) later(n, most int, e Event) {
	w.post = append(w.post, letter{w.round + w.rnd.IntN(most+1), n, e, w.nodes[n].state.Rules.Self})
}

func (w *world) do(n int, a Action) {
	switch {
	case a.Message != nil:
		lost := w.cut[[2]int{n, a.To}] || !w.calm && w.rnd.IntN(10) == 0
		if !lost {
			w.post = append(w.post, letter{at: w.round + w.rnd.IntN(3), to: a.To, event: Event{Kind: Received, Message: *a.Message}})
		}
		if !w.calm && w.rnd.IntN(20) == 0 && !lost { // twice
			w.post = append(w.post, letter{at: w.round + w.rnd.IntN(6), to: a.To, event: Event{Kind: Received, Message: *a.Message}})
		}
	case a.Fence != nil:
		ok := w.calm || w.rnd.IntN(3) > 0
		if ok && w.nodes[a.Fence.Node].state.Rules.Self == *a.Fence {
			w.kill(a.Fence.Node)
		}
		w.fenced[*a.Fence] = w.fenced[*a.Fence] || ok
		w.logf("%d fences %d: %v", n, a.Fence.Node, ok)
		w.later(n, 3, Event{Kind: Fenced, Life: *a.Fence, OK: ok})
	default:
		w.work(n, a)
	}
}

// work is what the kernel does.
func (w *world) work(n int, a Action) {
	k := w.nodes[n].kernel[a.Space]
	if k == nil {
		w.t.Fatalf("node %d: job %d for a lockspace that is not there\n%s", n, a.Job, w.story())
	}
	w.logf("%d job %d of %s %v", n, a.Job, a.Space, a.Members)
	switch a.Job {
	case JobStop:
		if !k.running {
			w.t.Fatalf("node %d stops twice\n%s", n, w.story())
		}
		k.running = false
	case JobUpdate:
		if k.running {
			w.t.Fatalf("node %d: members change while it runs\n%s", n, w.story())
		}
		w.checkFenced(k.members, a)
		k.members = a.Members
	case JobStart:
		if k.running {
			w.t.Fatalf("node %d starts twice\n%s", n, w.story())
		}
		if s := w.nodes[n].state; !s.Quorate() {
			w.t.Fatalf("node %d starts without a quorum\n%s", n, w.story())
		}
		k.running = true
		w.starts++
	case JobDepart:
		delete(w.nodes[n].kernel, a.Space)
	case JobDrop:
		k.leaving = true
		w.later(n, 2, Event{Kind: Wanted, Space: a.Space, Wish: Leave})
	}
	w.later(n, 2, Event{Kind: Finished, Space: a.Space, Job: a.Job, OK: true})
}

// checkFenced holds another promise: what has crashed is recovered from only once it has
// been fenced or has booted anew.
func (w *world) checkFenced(before []Life, a Action) {
	for _, l := range before {
		again := slices.ContainsFunc(a.Live, func(k Life) bool { return k.Node == l.Node })
		for fenced := range w.fenced { // or had, and was fenced in a later life
			later := len(fenced.Boot) > len(l.Boot) || len(fenced.Boot) == len(l.Boot) && fenced.Boot >= l.Boot
			again = again || fenced.Node == l.Node && later && w.fenced[fenced]
		}
		if w.rules.Fencing && !again {
			w.t.Fatalf("%s goes on without %v, which nobody has fenced\n%s", a.Space, l, w.story())
		}
	}
}

// check holds the promise: whoever runs a lockspace runs it with the same members.
func (w *world) check() {
	running := map[string][]Life{}
	for n, m := range w.nodes {
		for name, k := range m.kernel {
			if !k.running {
				continue
			}
			if other, ok := running[name]; ok && !slices.Equal(other, k.members) {
				w.t.Fatalf("%s runs with members %v, and on node %d with %v\n%s", name, other, n, k.members, w.story())
			}
			running[name] = k.members
		}
	}
}

func (w *world) story() string {
	return strings.Join(w.trace[max(0, len(w.trace)-150):], "\n")
}

// live lets one round pass.
func (w *world) live() {
	w.round++
	for _, n := range w.rules.Nodes {
		m := w.nodes[n]
		if !m.up && w.round >= m.back {
			w.boot(n)
		}
		w.give(n, Event{Kind: Tick})
	}
	due := w.post
	w.post = nil
	w.rnd.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, l := range due {
		switch {
		case l.at > w.round:
			w.post = append(w.post, l)
		case l.life == Life{} || l.life == w.nodes[l.to].state.Rules.Self:
			w.give(l.to, l.event)
		}
	}
}

// trouble does one thing that happens in clusters.
func (w *world) trouble() {
	n := 1 + w.rnd.IntN(len(w.rules.Nodes))
	space := []string{"a", "b"}[w.rnd.IntN(2)]
	m := w.nodes[n]
	switch w.rnd.IntN(12) {
	case 0:
		w.kill(n)
	case 1:
		w.cut = map[[2]int]bool{}
		w.logf("healed")
	case 2: // two parts
		for _, a := range w.rules.Nodes {
			for _, b := range w.rules.Nodes {
				if (a <= n) != (b <= n) {
					w.cut[[2]int{a, b}] = true
				}
			}
		}
		w.logf("parted after %d", n)
	case 3: // one direction of one pair
		other := 1 + w.rnd.IntN(len(w.rules.Nodes))
		w.cut[[2]int{n, other}] = true
		w.logf("cut from %d to %d", n, other)
	case 4, 5:
		w.restart(n)
	default:
		k := m.kernel[space]
		switch {
		case !m.up:
		case k == nil:
			w.logf("%d wants %s", n, space)
			m.kernel[space] = &kernelSpace{}
			w.give(n, Event{Kind: Wanted, Space: space, Wish: Join})
		case k.running && !k.leaving:
			w.logf("%d leaves %s", n, space)
			k.leaving = true
			w.give(n, Event{Kind: Wanted, Space: space, Wish: Leave})
		}
	}
}

// restart makes the controller forget all but what it has written down.
func (w *world) restart(n int) {
	m := w.nodes[n]
	if !m.up {
		return
	}
	b, err := json.Marshal(m.state)
	if err != nil {
		w.t.Fatal(err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		w.t.Fatal(err)
	}
	m.state = s
}

// settled says what is not as it should be when all is well again.
func (w *world) settled() string {
	for _, space := range []string{"a", "b"} {
		var want []Life
		for _, n := range w.rules.Nodes {
			if w.nodes[n].kernel[space] != nil {
				want = append(want, w.nodes[n].state.Rules.Self)
			}
		}
		for _, l := range want {
			k := w.nodes[l.Node].kernel[space]
			got := slices.SortedFunc(slices.Values(k.members), compareLives)
			if !k.running || !slices.Equal(got, want) {
				return fmt.Sprintf("%s on node %d: running %v with %v, want %v", space, l.Node, k.running, got, want)
			}
		}
	}
	return ""
}

// TestProtocol lives through troubles drawn by chance: two memberships are never in
// force together, and when all is well again, nothing is left stopped.
func TestProtocol(t *testing.T) {
	rnd := lab.Rand(t)
	runs := 40
	if lab.Soak() {
		runs = 3000
	}
	starts, dead := 0, 0
	for range runs {
		seed := rnd.Uint64()
		n := 1 + rnd.IntN(5)
		w := newWorld(t, rand.New(rand.NewPCG(seed, 0)), n, seed&1 == 0, seed&2 == 0)
		w.logf("seed %d, %d nodes, lowest %v, fencing %v", seed, n, w.rules.Lowest, w.rules.Fencing)
		for range 400 {
			w.live()
			if w.rnd.IntN(6) == 0 {
				w.trouble()
			}
		}
		w.calm, w.cut = true, map[[2]int]bool{}
		w.logf("calm")
		for i := 0; i < 600 && (i < 200 || w.settled() != ""); i++ {
			w.live()
		}
		if s := w.settled(); s != "" {
			for _, n := range w.rules.Nodes {
				state, _ := json.Marshal(w.nodes[n].state)
				w.logf("%s", state)
			}
			t.Fatalf("%s\n%s", s, w.story())
		}
		starts, dead = starts+w.starts, dead+w.dead
	}
	t.Logf("%d starts, %d deaths", starts, dead)
	if starts < runs || dead < runs {
		t.Errorf("%d starts and %d deaths in %d runs: nothing was shown", starts, dead, runs)
	}
}

// TestStayingDead: the nodes that are left go on without one that never comes back, be
// there several of them or, of two, that with the lowest number.
func TestStayingDead(t *testing.T) {
	for n := 2; n <= 5; n++ {
		for _, fencing := range []bool{false, true} {
			w := newWorld(t, lab.Rand(t), n, true, fencing)
			w.calm = true
			for _, k := range w.rules.Nodes {
				w.nodes[k].kernel["a"] = &kernelSpace{}
				w.give(k, Event{Kind: Wanted, Space: "a", Wish: Join})
			}
			for range 100 {
				w.live()
			}
			w.kill(n)
			w.nodes[n].back = 1 << 30
			for range 100 {
				w.live()
			}
			if s := w.settled(); s != "" {
				t.Errorf("%d nodes, fencing %v: %s\n%s", n, fencing, s, w.story())
			}
		}
	}
}

// TestQuorum is the rule, number by number.
func TestQuorum(t *testing.T) {
	for _, c := range []struct {
		nodes, alive []int
		lowest, want bool
	}{
		{[]int{1}, []int{1}, false, true},
		{[]int{1, 2}, []int{1}, false, false},
		{[]int{1, 2}, []int{1}, true, true},
		{[]int{1, 2}, []int{2}, true, false},
		{[]int{3, 7}, []int{3}, true, true},
		{[]int{1, 2}, []int{1, 2}, false, true},
		{[]int{1, 2, 3}, []int{3}, true, false},
		{[]int{1, 2, 3}, []int{2, 3}, false, true},
		{[]int{1, 2, 3, 4}, []int{1, 2}, false, false},
		{[]int{1, 2, 3, 4}, []int{1, 2, 4}, false, true},
	} {
		var alive []Life
		for _, n := range c.alive {
			alive = append(alive, Life{Node: n})
		}
		if got := (Rules{Nodes: c.nodes, Lowest: c.lowest}).quorum(alive); got != c.want {
			t.Errorf("%v of %v, lowest %v: %v", c.alive, c.nodes, c.lowest, got)
		}
	}
}

// TestStepIsPure: a state that was stepped from is as it was.
func TestStepIsPure(t *testing.T) {
	w := newWorld(t, lab.Rand(t), 3, false, true)
	for _, n := range w.rules.Nodes {
		w.nodes[n].kernel["a"] = &kernelSpace{}
		w.give(n, Event{Kind: Wanted, Space: "a", Wish: Join})
	}
	for range 40 {
		w.live()
		for _, n := range w.rules.Nodes {
			before, err := json.Marshal(w.nodes[n].state)
			if err != nil {
				t.Fatal(err)
			}
			peers := maps.Clone(w.nodes[n].state.Peers)
			Step(w.nodes[n].state, Event{Kind: Tick})
			if after, _ := json.Marshal(w.nodes[n].state); string(after) != string(before) || len(peers) != len(w.nodes[n].state.Peers) {
				t.Fatalf("stepped from %s, which is now %s", before, after)
			}
		}
	}
}
