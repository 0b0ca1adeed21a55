package dlmtool

import (
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/dlm"
)

// summary counts what lockdebug shows.
type summary struct {
	resources, masters, remote, lookups, values, lockless, wrong, unused            int
	locks, granted, converting, waiting, local, copies, processes, looking, awaited int
	replies                                                                         int
}

func summarize(used []dlm.Resource, unused, replies int) *summary {
	s := &summary{resources: len(used), unused: unused, replies: replies}
	for i := range used {
		s.resource(&used[i])
	}
	return s
}

func (s *summary) resource(r *dlm.Resource) {
	s.values += bit(r.Value != nil)
	s.lockless += bit(len(r.Locks) == 0)
	switch {
	case r.Master == 0:
		s.masters++
	case r.Master == -1:
		s.lookups++
	case r.Master > 0:
		s.remote++
	default:
		s.wrong++
	}
	s.locks += len(r.Locks)
	for i := range r.Locks {
		l := &r.Locks[i]
		s.granted += bit(l.Queue == dlm.Granted)
		s.converting += bit(l.Queue == dlm.Converting)
		s.waiting += bit(l.Queue == dlm.Waiting)
		s.looking += bit(l.Lookup)
		s.awaited += bit(l.WaitType != 0)
		s.copies += bit(r.Master == 0 && l.Node != 0)
		s.local += bit(r.Master == 0 && l.Node == 0)
		s.processes += bit(r.Master != 0)
	}
}

func (s *summary) print(b *strings.Builder) {
	table := func(head string, rows ...any) {
		b.WriteString("\n" + head + "\n")
		for i := 0; i < len(rows); i += 2 {
			fmt.Fprintf(b, "  %-13s %d\n", rows[i], rows[i+1])
		}
	}
	table("rsb", "active", s.resources, "master", s.masters, "remote master", s.remote, "lookup master", s.lookups,
		"with lvb", s.values, "with no locks", s.lockless, "nodeid error", s.wrong, "inactive", s.unused)
	table("lkb", "total", s.locks, "granted", s.granted, "convert", s.converting, "waiting", s.waiting, "local copy", s.local,
		"master copy", s.copies, "process copy", s.processes, "rsb lookup", s.looking, "wait message", s.awaited, "expect reply", s.replies)
}

// debugDoc is what lockdebug shows, for documents.
type debugDoc struct {
	Resources []resourceDoc `json:"resources"`
	Unused    []unusedDoc   `json:"unused"`
	Waiters   []waiterDoc   `json:"waiters"`
}

type resourceDoc struct {
	Name     string    `json:"name"`
	Master   int       `json:"master"`
	Value    string    `json:"value,omitempty"`
	ValueSeq uint32    `json:"value_seq"`
	Locks    []lockDoc `json:"locks"`
}

type unusedDoc struct {
	Name      string `json:"name"`
	Master    int    `json:"master"`
	Directory int    `json:"directory"`
}

type waiterDoc struct {
	ID       uint32 `json:"id"`
	Node     int    `json:"node"`
	Message  string `json:"message"`
	Resource string `json:"resource"`
}

func debugDocOf(used []dlm.Resource, unused []dlm.UnusedResource, waiters []dlm.WaiterInfo) debugDoc {
	d := debugDoc{Resources: []resourceDoc{}, Unused: []unusedDoc{}, Waiters: []waiterDoc{}}
	for i := range used {
		d.Resources = append(d.Resources, resourceDocOf(&used[i]))
	}
	for _, u := range unused {
		d.Unused = append(d.Unused, unusedDoc{u.Name, u.Master, u.Directory})
	}
	for _, w := range waiters {
		d.Waiters = append(d.Waiters, waiterDoc{w.ID, w.Node, strings.TrimSpace(messageWord(w.Type)), w.Resource})
	}
	return d
}

func resourceDocOf(r *dlm.Resource) resourceDoc {
	d := resourceDoc{Name: r.Name, Master: r.Master, Value: fmt.Sprintf("%x", r.Value), ValueSeq: r.ValueSeq, Locks: []lockDoc{}}
	for i := range r.Locks {
		l := &r.Locks[i]
		d.Locks = append(d.Locks, lockDoc{
			ID: l.ID, Node: l.Node, RemoteID: l.RemoteID, Thread: l.Thread, Queue: l.Queue.String(),
			Held: modeWord(l.Held), Wanted: modeWord(l.Wanted), Master: r.Master,
		})
	}
	return d
}
