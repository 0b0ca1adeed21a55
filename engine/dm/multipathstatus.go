package dm

import (
	"strconv"
	"strings"
)

// MultipathStatus is the state of a multipath device.
type MultipathStatus struct {
	QueueIO     bool   // requests wait for a path group
	PgInitCount uint32 // initialisations tried
	Group       uint32 // the current group, from 1; 0 without groups
	Groups      []PathGroupStatus
}

// PathGroupStatus is the state of the paths of one priority.
type PathGroupStatus struct {
	State        string // A active, E enabled, D disabled
	SelectorArgs []string
	Paths        []PathStatus
}

// PathStatus is the state of one path.
type PathStatus struct {
	Device string   // "major:minor"
	Active bool     // false: it failed
	Fails  uint32   // how many times it has failed
	Info   []string // what the selector reports: a queue length, a size in flight and a throughput, ...
}

// Type is "multipath".
func (MultipathStatus) Type() string { return "multipath" }

// String is `2 <queue_io> <pg_init_count> 0 <#groups> <group> {<state> <#args>
// <args>... <#paths> <#info> {<dev> A|F <fails> <info>...}...}...` with a
// trailing blank.
func (s MultipathStatus) String() string {
	queue := "0"
	if s.QueueIO {
		queue = "1"
	}
	words := []string{"2", queue, utoa(s.PgInitCount), "0", strconv.Itoa(len(s.Groups)), utoa(s.Group)}
	for _, g := range s.Groups {
		words = append(words, g.words()...)
	}
	return strings.Join(words, " ") + " "
}

func (g PathGroupStatus) words() []string {
	words := append([]string{g.State, strconv.Itoa(len(g.SelectorArgs))}, g.SelectorArgs...)
	n := 0
	if len(g.Paths) > 0 {
		n = len(g.Paths[0].Info)
	}
	words = append(words, strconv.Itoa(len(g.Paths)), strconv.Itoa(n))
	for _, p := range g.Paths {
		state := "F"
		if p.Active {
			state = "A"
		}
		words = append(append(words, p.Device, state, utoa(p.Fails)), p.Info...)
	}
	return words
}

func parseMultipathStatus(s *scan) (Status, error) {
	var st MultipathStatus
	s.expect("2")
	st.QueueIO = s.either("queue_io", "1", "0")
	st.PgInitCount = s.u32("pg_init_count")
	s.expect("0")
	groups := s.count("groups", 4)
	st.Group = s.u32("group")
	for range groups {
		g := PathGroupStatus{State: s.oneOf("group state", "A", "E", "D")}
		for range s.count("selector args", 1) {
			g.SelectorArgs = append(g.SelectorArgs, s.word("selector arg"))
		}
		paths, info := s.count("paths", 1), s.count("info args", 1)
		for range paths {
			p := PathStatus{Device: s.word("path"), Active: s.either("path state", "A", "F"), Fails: s.u32("fails")}
			for range info {
				p.Info = append(p.Info, s.word("info"))
			}
			g.Paths = append(g.Paths, p)
			if s.err != nil {
				return nil, s.err
			}
		}
		st.Groups = append(st.Groups, g)
	}
	return st, nil
}
