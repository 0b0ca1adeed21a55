package md

import (
	"fmt"
	"slices"
)

// Policy says by whose rules it is decided who is in an array.
type Policy int

const (
	// Strict takes those that both the kernel (md.c, super_1_load and
	// super_1_validate) and mdadm without --force (Assemble.c, load_devices and
	// Assemble) take. Each member is judged by itself first; then the freshest of
	// the good ones has the slot.
	Strict Policy = iota
	// AsMdadm decides as mdadm --assemble does: the freshest of those that claim
	// a slot has it, and is judged then. The kernel has its say later.
	AsMdadm
	// Forced is AsMdadm with --force: what others say of a member does not count,
	// and Settle brings members up to date that fell behind.
	Forced
	// Arriving decides as mdadm --incremental does when members come one by one
	// (Incremental.c, count_active): those being rebuilt count as well.
	Arriving
)

// Verdict says whether a member takes part in the array.
type Verdict struct {
	Member *Member
	In     bool
	// Role is what the member is or would be in the array: by its own
	// superblock, or by the freshest one if that is newer.
	Role        Role
	Replacement bool
	// State is what the kernel is told of the device (mdadm's policies).
	State DeviceState
	// Events is the event count that the member is going to have. It is above
	// its superblock's if it is Raised.
	Events uint64
	Raised bool
	// Expel marks a member that must not be in the array when it starts
	// (Arriving).
	Expel bool
	// Rule is the stable id of the rule that decided: md.member.*, or that of
	// the fault in the superblock.
	Rule string
	// Why is the reason in one line, without the member's name.
	Why string
}

// String gives one line: name, in or out, reason, rule.
func (v Verdict) String() string {
	word := "out"
	if v.In {
		word = "in"
	}
	return fmt.Sprintf("%s: %s: %s [%s]", v.Member.Name, word, v.Why, v.Rule)
}

// TwinsError is two 0.90 members that claim the same slot with the same event
// count: overlapping partitions look like that.
type TwinsError struct{ First, Second *Member }

// Error gives one line.
func (e *TwinsError) Error() string {
	return fmt.Sprintf("%s and %s appear to have very similar superblocks", e.First.Name, e.Second.Name)
}

// Assembly is what would be assembled from a set of members.
type Assembly struct {
	Policy Policy
	UUID   UUID
	// Freshest is the member whose word counts: the one with a slot and the
	// highest event count. It is nil if there is none; then everybody is out.
	Freshest *Member
	// Verdicts has one entry for each member that was given, in that order.
	Verdicts []Verdict
	// Places has who claims what, as indices into Verdicts, -1 for nobody: place
	// 2n is slot n, 2n+1 the replacement for it, and spares and journals follow.
	// Whoever has a place need not be in. Strict keeps none.
	Places []int
	// Slots has the member of each slot, nil where it is missing. Members that
	// are still being rebuilt are included; see Avail.
	Slots []*Member
	// Replacements has the member that is to take the slot over, or nil.
	Replacements []*Member
	Spares       []*Member
	Journal      *Member
	// Twins is why nobody can be chosen at all, or nil (AsMdadm).
	Twins *TwinsError
}

// Groups sorts members by array, in the order of the first member of each.
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
// either in or out for a stated reason. The outcome hangs on the order only
// where two are equals: the first of them is taken.
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

// table makes room for the members of the freshest one's slots. Roles are 16 bits
// wide, so no array has more than RoleMax.
func (a *Assembly) table() {
	n := min(max(a.Freshest.Slots(), 0), int(RoleMax))
	a.Slots, a.Replacements = make([]*Member, n), make([]*Member, n)
}

// freshest gives the member of those with a slot that has the highest event
// count; the first of them. A member that is only being rebuilt and one update
// ahead does not count beside complete ones: the power went while the
// superblocks were being written, and those of the others may not even know of
// it yet. mdadm goes by it all the same, and finds that everybody else is out.
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

// freshestOf prefers members to replacements, as mdadm asks for a device in sync
// (Assemble.c, load_devices).
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

// leaderless is the verdict where nobody can say what the array is.
func leaderless(m *Member) Verdict {
	return out(m, ruleNoActive, m.Role(), "is a %v, and no member with a slot is there to tell what the array is", m.Role())
}

// Members lists the members that are in: slots in order, replacements, spares,
// journal.
func (a *Assembly) Members() []*Member {
	list := slices.Concat(a.Slots, a.Replacements, a.Spares, []*Member{a.Journal})
	return slices.DeleteFunc(list, func(m *Member) bool { return m == nil })
}
