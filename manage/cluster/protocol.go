package cluster

import (
	"cmp"
	"maps"
	"slices"
)

// The protocol by which the nodes of a static cluster agree, as a pure step machine:
// [Step] takes what has happened and says what to do. All messages carry the whole of
// what their sender has to say and are sent again with every tick, so that any of them
// may be lost, late or out of order.
//
// A node hears another if each has messages of the other's. One whose number is the lowest
// of those that it hears, and of those whom they hear, and that hears a quorum, leads: it begins an epoch, in which all nodes first stop their lockspaces and report
// them (gathering), and then takes each lockspace through three phases, each of which
// begins when all nodes have come through the one before: stop, update the members,
// start. So no two nodes ever run a lockspace with different members.

// Epoch orders the rules of leaders.
type Epoch struct {
	Number uint64 `json:"number"`
	Leader int    `json:"leader"`
}

func (e Epoch) compare(o Epoch) int {
	return cmp.Or(cmp.Compare(e.Number, o.Number), cmp.Compare(e.Leader, o.Leader))
}

// Stamp orders the changes of a lockspace's members.
type Stamp struct {
	Epoch   Epoch  `json:"epoch"`
	Version uint64 `json:"version"`
}

func (s Stamp) compare(o Stamp) int {
	return cmp.Or(s.Epoch.compare(o.Epoch), cmp.Compare(s.Version, o.Version))
}

// Life is a node from one boot to the next: what it held before is lost with its kernel.
type Life struct {
	Node int    `json:"node"`
	Boot string `json:"boot"`
}

func compareLives(a, b Life) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Boot, b.Boot))
}

// Phase is how far a change of a lockspace has come.
type Phase int

// The phases.
const (
	Stopping Phase = iota + 1 // nobody may run it
	Updating                  // it gets its new members
	Starting                  // it is started
	Running                   // all have started it
)

// String returns the phase's name.
func (p Phase) String() string {
	names := [...]string{"", "stopping", "updating", "starting", "running"}
	if p < 0 || int(p) >= len(names) {
		return "unknown"
	}
	return names[p]
}

// Wish is what a node's kernel wants of a lockspace.
type Wish int

// The wishes.
const (
	Join  Wish = iota + 1 // a process waits for its creation
	Stay                  // it is a member
	Leave                 // a process waits for its release
)

// SpaceOrder is what a leader wants of one lockspace.
type SpaceOrder struct {
	Name    string `json:"name"`
	Stamp   Stamp  `json:"stamp"`
	Phase   Phase  `json:"phase"`
	Before  []Life `json:"before"`  // the members before this change that live
	Members []Life `json:"members"` // the members after it
	Fresh   []Life `json:"fresh"`   // those of them that join
	Crashed []Life `json:"crashed"` // members before that have died
}

// Order is what a leader says.
type Order struct {
	Epoch    Epoch        `json:"epoch"`
	Seq      uint64       `json:"seq"`
	Live     []Life       `json:"live"`     // the cluster's members
	Gathered bool         `json:"gathered"` // all of them have reported; Spaces counts
	Spaces   []SpaceOrder `json:"spaces"`   // sorted by name
}

func (o *Order) space(name string) *SpaceOrder {
	for i := range o.Spaces {
		if o.Spaces[i].Name == name {
			return &o.Spaces[i]
		}
	}
	return nil
}

// SpaceReport is how a node stands to one lockspace.
type SpaceReport struct {
	Name    string `json:"name"`
	Wish    Wish   `json:"wish"`
	Running bool   `json:"running"`
	Acted   Stamp  `json:"acted"`   // the change that it follows
	Done    Phase  `json:"done"`    // how far
	Based   Stamp  `json:"based"`   // the change that its members are from
	Members []Life `json:"members"` // as the kernel was told
	Busy    Job    `json:"busy"`    // what is being done
	Dropped bool   `json:"dropped"` // it is being removed by force
}

// Job is something that is done to a lockspace of the kernel.
type Job int

// The jobs.
const (
	JobNone   Job = iota
	JobStop       // suspend it
	JobUpdate     // tell it its members
	JobStart      // resume it, and answer who waits for the join
	JobDepart     // answer who waits for the release
	JobDrop       // remove it by force: the others have gone on without this node
)

// Message is all that nodes tell each other.
type Message struct {
	From    Life          `json:"from"`
	Seq     uint64        `json:"seq"`
	Epoch   Epoch         `json:"epoch"`   // the one that it obeys
	Highest Epoch         `json:"highest"` // the latest that it has heard of
	Hears   []Life        `json:"hears"`   // that it hears, itself among them
	Mutual  []Life        `json:"mutual"`  // those of them that hear it
	Spaces  []SpaceReport `json:"spaces"`
	Order   *Order        `json:"order,omitempty"` // from the leader
}

// Rules are what does not change while a cluster lives.
type Rules struct {
	Self    Life  `json:"self"`
	Nodes   []int `json:"nodes"`
	Lowest  bool  `json:"lowest"`  // of two nodes, that with the lower number goes on alone
	Fencing bool  `json:"fencing"` // a crash is recovered from only when the node has been fenced
	Dead    int   `json:"dead"`    // ticks of silence after which a node counts as dead
}

// Peer is what is known of another node.
type Peer struct {
	Silent int     `json:"silent"` // ticks since it was heard
	Last   Message `json:"last"`
}

// State is everything that a node knows.
type State struct {
	Rules   Rules                  `json:"rules"`
	Age     int                    `json:"age"`     // ticks
	Seq     uint64                 `json:"seq"`     // of the last message
	Highest Epoch                  `json:"highest"` // that anybody has spoken of
	Order   Order                  `json:"order"`   // the one that is obeyed
	Leading bool                   `json:"leading"`
	Since   int                    `json:"since"` // ticks since the epoch began, of a leader
	Version uint64                 `json:"version"`
	Peers   map[int]Peer           `json:"peers"`
	Spaces  map[string]SpaceReport `json:"spaces"`
	Fences  map[Life]Fence         `json:"-"` // of a leader
}

// Fence is how far the fencing of a node has come.
type Fence int

// How far.
const (
	FenceAsked Fence = iota + 1
	FenceDone
	FenceFailed
)

// EventKind tells events apart.
type EventKind int

// The events.
const (
	Tick     EventKind = iota + 1 // time goes on
	Received                      // Message has come
	Wanted                        // the kernel asks to join (Wish Join) or leave (Wish Leave) Space
	Vanished                      // Space is no longer there
	Finished                      // Job of Space is done
	Fenced                        // Node has been fenced, or not (OK)
)

// Event is something that has happened.
type Event struct {
	Kind    EventKind
	Message Message
	Space   string
	Wish    Wish
	Job     Job
	Life    Life
	OK      bool
}

// Action is something to do. Its end comes back as an [Event] unless it is a message.
type Action struct {
	To      int      // send Message to this node
	Message *Message //
	Job     Job      // do this to Space
	Space   string   //
	Members []Life   // JobUpdate: its members from now on
	Fresh   []Life   // JobUpdate: those that join
	Live    []Life   // JobUpdate: who lives; other members have crashed
	First   bool     // JobStart: a process waits for the join
	Fence   *Life    // fence this node
}

// Begin returns the state of a node that has just booted.
func Begin(r Rules) State {
	return State{Rules: r, Peers: map[int]Peer{}, Spaces: map[string]SpaceReport{}, Fences: map[Life]Fence{}}
}

// Step takes one event. The state that it is given stays as it was.
func Step(old State, e Event) (State, []Action) {
	s := old
	s.Peers, s.Spaces, s.Fences = maps.Clone(old.Peers), maps.Clone(old.Spaces), maps.Clone(old.Fences)
	if s.Fences == nil {
		s.Fences = map[Life]Fence{}
	}
	s.Order.Spaces = slices.Clone(old.Order.Spaces)
	before := s.message(false)
	s.take(e)
	if s.Order.Gathered && len(s.alive()) == len(s.Rules.Nodes) {
		s.Age = max(s.Age, s.Rules.quiet()) // all know of this life
	}
	actions := s.lead()
	actions = append(actions, s.follow()...)
	actions = append(actions, s.advance()...) // what was done at once
	if e.Kind == Tick || !sameMessage(before, s.message(false)) {
		actions = append(actions, s.send()...)
	}
	return s, actions
}

func (s *State) take(e Event) {
	switch e.Kind {
	case Tick:
		s.Age++
		s.Since++
		for n, p := range s.Peers {
			p.Silent++
			s.Peers[n] = p
		}
		for l, f := range s.Fences {
			if f == FenceFailed && s.Since%s.Rules.Dead == 0 {
				delete(s.Fences, l) // once more
			}
		}
	case Received:
		s.receive(e.Message)
	case Wanted:
		r, known := s.Spaces[e.Space]
		if e.Wish == Join || !known {
			r = SpaceReport{Name: e.Space}
		}
		r.Wish = e.Wish
		s.Spaces[e.Space] = r
	case Vanished:
		delete(s.Spaces, e.Space)
	case Finished:
		s.finish(e)
	case Fenced:
		s.Fences[e.Life] = FenceFailed
		if e.OK {
			s.Fences[e.Life] = FenceDone
		}
	}
}

func (s *State) receive(m Message) {
	if m.From.Node == s.Rules.Self.Node || !slices.Contains(s.Rules.Nodes, m.From.Node) {
		return
	}
	p := s.Peers[m.From.Node]
	if p.Last.From == m.From && m.Seq <= p.Last.Seq {
		return // late, or twice
	}
	s.Peers[m.From.Node] = Peer{Last: m}
	if m.Highest.compare(s.Highest) > 0 {
		s.Highest = m.Highest
	}
	o := m.Order
	if o == nil || !slices.Contains(o.Live, s.Rules.Self) {
		return
	}
	if c := o.Epoch.compare(s.Order.Epoch); c > 0 || c == 0 && o.Seq > s.Order.Seq {
		s.Order = *o
		s.Order.Spaces = slices.Clone(o.Spaces)
		s.Leading = false
	}
}

func (s *State) finish(e Event) {
	r, ok := s.Spaces[e.Space]
	if e.Job == JobDrop {
		if ok && !e.OK {
			r.Dropped = false // it is tried again
			s.Spaces[e.Space] = r
		}
		return
	}
	if !ok || r.Busy != e.Job {
		return // another lockspace of that name, made meanwhile
	}
	switch e.Job {
	case JobDepart:
		if e.OK {
			delete(s.Spaces, e.Space)
			return
		}
	case JobStop:
		r.Running = r.Running && !e.OK
	case JobUpdate:
		if e.OK {
			r.Done = Updating
		}
	case JobStart:
		if e.OK {
			r.Done, r.Running, r.Wish = Starting, true, max(r.Wish, Stay)
		}
	}
	r.Busy = JobNone
	s.Spaces[e.Space] = r
}

// alive lists those that are heard and hear this node, it among them, sorted.
func (s *State) alive() []Life {
	return s.heard(func(m *Message) bool { return slices.Contains(m.Hears, s.Rules.Self) })
}

// heard lists those of whom there are messages, and this node, sorted.
func (s *State) heard(counts func(*Message) bool) []Life {
	all := []Life{s.Rules.Self}
	for _, p := range s.Peers {
		if p.Silent < s.Rules.Dead && counts(&p.Last) {
			all = append(all, p.Last.From)
		}
	}
	slices.SortFunc(all, compareLives)
	return all
}

// mayLead reports whether no node is lower, among those that are alive and those that are
// for them: where two nodes do not hear each other and a third hears both, it must not
// stand in for both of them.
func (s *State) mayLead(alive []Life) bool {
	for _, l := range alive {
		if l.Node < s.Rules.Self.Node {
			return false
		}
		if l == s.Rules.Self {
			continue
		}
		for _, m := range s.Peers[l.Node].Last.Mutual {
			if m.Node < s.Rules.Self.Node {
				return false
			}
		}
	}
	return true
}

// Quorate reports whether this node may take part in decisions. One that has just
// booted waits for as long as others may believe in its life before.
func (s *State) Quorate() bool {
	alive := s.alive()
	if len(alive) == len(s.Rules.Nodes) {
		return true
	}
	return s.Age >= s.Rules.quiet() && s.Rules.quorum(alive)
}

// quiet is for how many ticks a node that has just booted waits.
func (r Rules) quiet() int { return 3 * r.Dead }

func (r Rules) quorum(alive []Life) bool {
	if len(r.Nodes) == 2 && r.Lowest && len(alive) == 1 {
		return alive[0].Node == slices.Min(r.Nodes)
	}
	return 2*len(alive) > len(r.Nodes)
}

func (s *State) message(count bool) Message {
	if count {
		s.Seq++
	}
	m := Message{
		From: s.Rules.Self, Seq: s.Seq, Epoch: s.Order.Epoch, Highest: s.Highest,
		Hears: s.heard(func(*Message) bool { return true }), Mutual: s.alive(),
	}
	for _, name := range slices.Sorted(maps.Keys(s.Spaces)) {
		m.Spaces = append(m.Spaces, s.Spaces[name])
	}
	if s.Leading {
		o := s.Order
		o.Spaces = slices.Clone(o.Spaces)
		m.Order = &o
	}
	return m
}

func (s *State) send() []Action {
	m := s.message(true)
	var actions []Action
	for _, n := range s.Rules.Nodes {
		if n != s.Rules.Self.Node {
			actions = append(actions, Action{To: n, Message: &m})
		}
	}
	return actions
}

// sameMessage reports whether two messages say the same.
func sameMessage(a, b Message) bool {
	if !slices.Equal(a.Hears, b.Hears) || !slices.Equal(a.Mutual, b.Mutual) {
		return false
	}
	if a.Epoch != b.Epoch || a.Highest != b.Highest || (a.Order == nil) != (b.Order == nil) || a.Order != nil && a.Order.Seq != b.Order.Seq {
		return false
	}
	return slices.EqualFunc(a.Spaces, b.Spaces, func(x, y SpaceReport) bool {
		return x.Name == y.Name && x.Wish == y.Wish && x.Running == y.Running && x.Acted == y.Acted && x.Done == y.Done
	})
}
