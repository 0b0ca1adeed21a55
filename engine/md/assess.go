package md

import (
	"fmt"
	"slices"
)

// Policy says whose rules decide which members are in an array.
type Policy int

const (
	// Strict takes the members that both the kernel (md.c, super_1_load and
	// super_1_validate) and mdadm without --force (Assemble.c, load_devices and
	// Assemble) take. Each member is judged by itself first; then each slot goes
	// to the freshest of the good ones that claim it.
	Strict Policy = iota
	// AsMdadm decides as mdadm --assemble does: each slot goes to the freshest
	// member that claims it, and only that one is judged. The kernel may still
	// refuse it later.
	AsMdadm
	// Forced is AsMdadm with --force: what other superblocks say about a member
	// does not count, and Settle brings members that fell behind up to date.
	Forced
	// Arriving decides as mdadm --incremental does when members arrive one by one
	// (Incremental.c, count_active): those being rebuilt count as well.
	Arriving
)

// Verdict says whether a member takes part in the array.
type Verdict struct {
	Member *Member
	In     bool
	// Role is what the member is or would be in the array, according to its own
	// superblock, or to the freshest one if that is newer.
	Role        Role
	Replacement bool
	// State is what the kernel is told about the device (mdadm's policies).
	State DeviceState
	// Events is the event count that the member is going to have: higher than
	// its superblock's if it is Raised.
	Events uint64
	Raised bool
	// Expel marks a member that must not be in the array when it starts
	// (Arriving).
	Expel bool
	// Rule is the stable id of the rule that decided: md.member.*, or the rule
	// that the superblock breaks.
	Rule string
	// Why is the reason in one line, without the member's name.
	Why string
}

// String returns one line: name, in or out, reason, rule.
func (v Verdict) String() string {
	word := "out"
	if v.In {
		word = "in"
	}
	return fmt.Sprintf("%s: %s: %s [%s]", v.Member.Name, word, v.Why, v.Rule)
}

// TwinsError says that two 0.90 members claim the same slot with the same event
// count, as overlapping partitions do.
type TwinsError struct{ First, Second *Member }

// Error returns one line.
func (e *TwinsError) Error() string {
	return fmt.Sprintf("%s and %s appear to have very similar superblocks", e.First.Name, e.Second.Name)
}

// Assembly is what would be assembled from a set of members.
type Assembly struct {
	Policy Policy
	UUID   UUID
	// Freshest is the member that the others are measured against: of those with
	// a slot, the one with the highest event count. If it is nil, there is none,
	// and all members are out.
	Freshest *Member
	// Verdicts has one entry for each member, in the order they were given in.
	Verdicts []Verdict
	// Places says which member claims each place, as indices into Verdicts, -1
	// for none: place 2n is slot n, 2n+1 its replacement, and spares and journals
	// follow. A member with a place need not be in. Strict does not fill it.
	Places []int
	// Slots has the member of each slot, nil where it is missing. Members that
	// are still being rebuilt are included; see Avail.
	Slots []*Member
	// Replacements has the member that is to take over each slot, or nil.
	Replacements []*Member
	Spares       []*Member
	Journal      *Member
	// Twins is the reason if no member can be chosen at all, else nil (AsMdadm).
	Twins *TwinsError
}

// Groups sorts members by array; the arrays are in the order of their first
// members.
func Groups(members []*Member) [][]*Member {
	index := make(map[UUID]int)
	var groups [][]*Member
	for _, m := range members {
		i, ok := index[m.UUID()]
		if !ok {
			i = len(groups)
			index[m.UUID()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

// Assess decides what would be assembled from the members, given in any order:
// the array that most of them belong to (the first such), with every member
// either in or out for a stated reason. The order matters only where two members
// are equal: the first is taken.
func Assess(members []*Member, policy Policy) *Assembly {
	a := &Assembly{Policy: policy, Verdicts: make([]Verdict, len(members))}
	var group []*Member
	for _, g := range Groups(members) {
		if len(g) > len(group) {
			group = g
		}
	}
	if len(group) == 0 {
		return a
	}
	a.UUID = group[0].UUID()
	a.Freshest = freshest(group, policy)
	if a.Freshest != nil {
		a.table()
	}
	switch policy {
	case Strict:
		a.strict(members)
	case Arriving:
		a.arriving(members)
	default:
		a.asMdadm(members)
	}
	return a
}

// table makes room for as many slots as the freshest member counts. Roles are 16
// bits wide, so no array has more than RoleMax slots.
func (a *Assembly) table() {
	n := min(max(a.Freshest.Slots(), 0), int(RoleMax))
	a.Slots, a.Replacements = make([]*Member, n), make([]*Member, n)
}

// freshest returns the member with the highest event count of those with a slot,
// the first if several have it. A member that is still being rebuilt and one
// update ahead does not count beside complete ones: the power failed while the
// superblocks were being written, and those of the others may not mention it yet.
// mdadm measures against it all the same, and finds that all others are out.
func freshest(group []*Member, policy Policy) *Member {
	best := freshestOf(group, policy.mayLead)
	if best == nil || policy == Arriving || best.RecoveryOffset() == MaxSector || best.Reshape() != nil {
		return best
	}
	complete := freshestOf(group, func(m *Member) bool { return policy.mayLead(m) && m.RecoveryOffset() == MaxSector })
	if complete != nil && complete.Events() < best.Events() && complete.Events()+1 >= best.Events() {
		return complete
	}
	return best
}

// mayLead reports whether the others can be measured against the member.
func (p Policy) mayLead(m *Member) bool {
	switch p {
	case Strict:
		_, active := m.activeSlot()
		return active && m.fault() == nil
	case Arriving:
		s := m.State()
		return s.Sync && !s.Journal && !s.Replacement
	}
	return m.State().InSync() && !m.Damaged()
}

// freshestOf prefers members to replacements, because mdadm asks for a device in
// sync (Assemble.c, load_devices).
func freshestOf(group []*Member, want func(*Member) bool) *Member {
	var best *Member
	for _, m := range group {
		if !want(m) {
			continue
		}
		switch {
		case best == nil,
			best.Replacement() && !m.Replacement(),
			best.Replacement() == m.Replacement() && m.Events() > best.Events():
			best = m
		}
	}
	return best
}

// out is the verdict on a member that is left out.
func out(m *Member, r *Rule, role Role, why string, args ...any) Verdict {
	return Verdict{Member: m, Role: role, State: m.State(), Events: m.Events(), Rule: r.ID, Why: fmt.Sprintf(why, args...)}
}

// foreign is the verdict on a member of another array.
func (a *Assembly) foreign(m *Member) Verdict {
	return out(m, ruleForeign, m.Role(), "belongs to array %v, not to %v", m.UUID(), a.UUID)
}

// leaderless is the verdict if no superblock can say what the array is.
func leaderless(m *Member) Verdict {
	return out(m, ruleNoActive, m.Role(), "its role is %v, and there is no member with a slot to say what the array is", m.Role())
}

// Members lists the members that are in: slots in order, replacements, spares,
// journal.
func (a *Assembly) Members() []*Member {
	list := slices.Concat(a.Slots, a.Replacements, a.Spares, []*Member{a.Journal})
	return slices.DeleteFunc(list, func(m *Member) bool { return m == nil })
}
