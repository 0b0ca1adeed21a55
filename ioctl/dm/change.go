package dm

import (
	"cmp"
	"slices"
)

// Change is what a [Poller] has seen of one device.
type Change struct {
	Entry
	Kind ChangeKind
	Old  Entry // as it was before; zero for a new device
}

// ChangeKind is a kind of [Change].
type ChangeKind int

// Kinds of changes.
const (
	Appeared ChangeKind = iota // a device is new; its events before that are included
	Vanished                   // it was removed; Entry is what was known last
	Renamed                    // it has another name, or a UUID where it had none
	Happened                   // its targets have had events: EventNr has changed
)

// String returns the word for it: "appeared", "vanished", "renamed", "event".
func (k ChangeKind) String() string {
	switch k {
	case Appeared:
		return "appeared"
	case Vanished:
		return "vanished"
	case Renamed:
		return "renamed"
	case Happened:
		return "event"
	}
	return "unknown"
}

// compare finds the changes between two lists of devices, ordered by name. The
// kernel reuses numbers and names as soon as the old devices are gone, so two
// entries count as the same device if they have the same number and either the
// same name or the same UUID.
func compare(before, after []Entry) []Change {
	old := make(map[Number]Entry, len(before))
	for _, e := range before {
		old[e.Number] = e
	}
	var changes []Change
	for _, e := range after {
		was, ok := old[e.Number]
		if ok && same(was, e) {
			delete(old, e.Number)
			if was.Name != e.Name || was.UUID != e.UUID {
				changes = append(changes, Change{Entry: e, Kind: Renamed, Old: was})
			}
			if was.EventNr != e.EventNr {
				changes = append(changes, Change{Entry: e, Kind: Happened, Old: was})
			}
			continue
		}
		changes = append(changes, Change{Entry: e, Kind: Appeared})
	}
	for _, e := range old {
		changes = append(changes, Change{Entry: e, Kind: Vanished, Old: e})
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		// Whatever gave up a name comes before whatever took it.
		return cmp.Or(cmp.Compare(a.Name, b.Name), order(a.Kind)-order(b.Kind))
	})
	return changes
}

func same(was, e Entry) bool {
	if was.UUID != "" || was.Name == e.Name {
		return was.UUID == e.UUID || was.UUID == "" && was.Name == e.Name
	}
	return e.UUID == "" && e.EventNr >= was.EventNr // renamed, as far as can be told
}

func order(k ChangeKind) int {
	if k == Vanished {
		return -1
	}
	return int(k)
}
