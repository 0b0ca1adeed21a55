package mapper

import "github.com/mdkit/mdkit/ioctl/dm"

// RestoreOrder moves devices after those that they use, so that the devices of the list
// can be made in its order. The others stay where they are. A device that cannot be
// asked counts as using none. inactive asks for what the inactive table uses.
func (m *Mapper) RestoreOrder(list []dm.Entry, inactive bool) []dm.Entry {
	uses := make(map[dm.Number][]dm.Number)
	for _, e := range list {
		_, deps, err := m.Control.Deps(dm.ByNumber(e.Number.Major, e.Number.Minor), dm.DepsOptions{Inactive: inactive})
		if err == nil {
			uses[e.Number] = deps
		}
	}
	return inOrder(list, uses)
}

// inOrder sorts a list so that each device comes after those it uses, and otherwise
// keeps the order. A cycle, which no kernel allows, is cut somewhere.
func inOrder(list []dm.Entry, uses map[dm.Number][]dm.Number) []dm.Entry {
	entries := make(map[dm.Number]dm.Entry, len(list))
	for _, e := range list {
		entries[e.Number] = e
	}
	sorted := make([]dm.Entry, 0, len(list))
	seen := make(map[dm.Number]bool, len(list))
	var visit func(e dm.Entry)
	visit = func(e dm.Entry) {
		if seen[e.Number] {
			return
		}
		seen[e.Number] = true
		for _, n := range uses[e.Number] {
			if below, ok := entries[n]; ok {
				visit(below)
			}
		}
		sorted = append(sorted, e)
	}
	for _, e := range list {
		visit(e)
	}
	return sorted
}
