package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/dlm"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// sight is what this node's kernel shows beside what a controller says.
type sight struct {
	locks  map[string][]dlm.LockInfo // by lockspace; those that are not visible are missing
	arrays []arraySight
	log    []string // of the kernel, oldest line first
}

// arraySight is what is seen of a clustered array.
type arraySight struct {
	name     string
	space    string
	degraded int
	sync     *sysmd.MdstatSync
	dirty    []uint64 // by copy of the bitmap
}

// addTo completes a status.
func (v *sight) addTo(st *Status) {
	for i := range st.Spaces {
		s := &st.Spaces[i]
		infos, visible := v.locks[s.Name]
		s.LocksVisible = visible
		for _, l := range infos {
			s.Locks = append(s.Locks, lockStatus(l, st.Node))
		}
		slices.SortFunc(s.Locks, func(a, b LockStatus) int {
			return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Queue, b.Queue), a.Node-b.Node, a.Thread-b.Thread)
		})
	}
	for _, a := range v.arrays {
		st.Arrays = append(st.Arrays, v.array(a, st))
	}
}

// lockStatus is a lock from the point of view of the cluster.
func lockStatus(l dlm.LockInfo, self int) LockStatus {
	s := LockStatus{Resource: l.Resource, Node: self, Thread: l.Thread, Queue: l.Queue.String()}
	if l.Copy() {
		s.Node = l.Node
	}
	if l.Queue != dlm.Waiting {
		s.Held = l.Held.String()
	}
	if l.Queue != dlm.Granted {
		s.Wanted = l.Wanted.String()
	}
	return s
}

func (v *sight) array(a arraySight, st *Status) ArrayStatus {
	s := ArrayStatus{Name: a.name, Space: a.space, Degraded: a.degraded, Slots: []SlotStatus{}}
	if a.sync != nil {
		s.Sync, s.Where = a.sync.Action, SyncHere
		switch {
		case a.sync.Remote:
			s.Where = SyncRemote
		case !a.sync.Running():
			s.Where = SyncWaiting
		default:
			s.Done, s.Total = a.sync.Done<<10, a.sync.Total<<10
		}
	}
	nodes := v.slots(a.space, st)
	for i, dirty := range a.dirty {
		s.Slots = append(s.Slots, SlotStatus{Slot: i + 1, Node: nodes[i+1], Dirty: dirty})
	}
	for slot, node := range nodes {
		if node == st.Node {
			s.Slot = slot
		}
	}
	return s
}

// slots finds out which node has which slot of an array. The DLM logs all slots at the
// end of each recovery, unless log_info is off (fs/dlm/member.c log_slots); of that only
// nodes count that are members still. Where the log is gone, a node has the lock
// bitmapNNNN of its slot in PW (md-cluster.c join), which the master of that resource
// shows; while it recovers a dead node it has that one's, too, and nothing is said.
func (v *sight) slots(space string, st *Status) map[int]int {
	var members []int
	if i := slices.IndexFunc(st.Spaces, func(s SpaceStatus) bool { return s.Name == space }); i >= 0 {
		members = st.Spaces[i].Members
	}
	found := loggedSlots(v.log, space)
	maps.DeleteFunc(found, func(_, node int) bool { return !slices.Contains(members, node) })
	logged := slices.Collect(maps.Values(found))
	held := map[int][]int{} // the slots of each node
	for _, l := range v.locks[space] {
		digits, isBitmap := strings.CutPrefix(l.Resource, "bitmap")
		n, err := strconv.Atoi(digits)
		if s := lockStatus(l, st.Node); isBitmap && err == nil && s.Held == dlm.PW.String() {
			held[s.Node] = append(held[s.Node], n+1)
		}
	}
	for node, slot := range held {
		if len(slot) == 1 && !slices.Contains(logged, node) {
			found[slot[0]] = node
		}
	}
	return found
}

// loggedSlots reads the last "dlm: SPACE: generation 2 slots 2 1:1 2:3", where the pairs
// are slot and node.
func loggedSlots(log []string, space string) map[int]int {
	found := map[int]int{}
	for _, line := range slices.Backward(log) {
		rest, ours := strings.CutPrefix(line, "dlm: "+space+": generation ")
		if !ours || space == "" {
			continue
		}
		for _, pair := range strings.Fields(rest) {
			var slot, node int
			if n, err := fmt.Sscanf(pair, "%d:%d", &slot, &node); n == 2 && err == nil {
				found[slot] = node
			}
		}
		break
	}
	return found
}
