package md

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reasons an array cannot be started. They are matched with errors.Is on what
// Assembly.Startable returns.
var (
	// ErrNotEnough: too many slots have no usable member.
	ErrNotEnough = errors.New("not enough members to start the array")
	// ErrDirtyDegraded: there would be enough members, but the array was not
	// clean, so the parity that stands in for the missing ones may be wrong.
	ErrDirtyDegraded = errors.New("array is degraded and was not clean")
	// ErrNoJournal: the array has a journal device, and it is missing or stale.
	ErrNoJournal = errors.New("journal device is missing or stale")
)

// StartError says why an array cannot be started.
type StartError struct {
	UUID    UUID
	Level   Level
	Slots   int   // how many slots there are
	Missing []int // slots without a usable, rebuilt member
	Err     error // ErrNotEnough, ErrDirtyDegraded or ErrNoJournal
}

// Error gives one line: which array, why, and which slots are missing.
func (e *StartError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "array %v: %v", e.UUID, e.Err)
	if n := len(e.Missing); n > 0 {
		fmt.Fprintf(&b, ": %v has %d of %d, missing slot", e.Level, e.Slots-n, e.Slots)
		if n > 1 {
			b.WriteString("s")
		}
		for i, slot := range e.Missing {
			if i == 8 {
				fmt.Fprintf(&b, " and %d more", n-i)
				break
			}
			fmt.Fprintf(&b, " %d", slot)
		}
	}
	return b.String()
}

// Unwrap gives the reason.
func (e *StartError) Unwrap() error { return e.Err }

// Verdict says whether a member takes part in the array.
type Verdict struct {
	Member *Member
	In     bool
	// Role is what the member is or would be in the array: by its own
	// superblock, or by the freshest one if that is newer.
	Role        Role
	Replacement bool
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

// Assembly is what would be assembled from a set of members.
type Assembly struct {
	UUID UUID
	// Freshest is the member whose word counts: the one with a slot and the
	// highest event count. It is nil if there is none; then everybody is out.
	Freshest *Member
	// Verdicts has one entry for each member that was given, in that order.
	Verdicts []Verdict
	// Slots has the member of each slot, nil where it is missing. Members that
	// are still being rebuilt are included; see Avail.
	Slots []*Member
	// Replacements has the member that is to take the slot over, or nil.
	Replacements []*Member
	Spares       []*Member
	Journal      *Member
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
// either in or out for a stated reason. The rules are those of mdadm --assemble
// without --force (Assemble.c, load_devices and Assemble) and of the kernel
// (md.c, super_1_load and super_1_validate), whichever is stricter.
func Assess(members []*Member) *Assembly {
	a := &Assembly{Verdicts: make([]Verdict, len(members))}
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
	a.Freshest = freshest(group)
	if f := a.Freshest; f != nil {
		// Roles are 16 bits wide, so no array has more slots than RoleMax.
		n := min(max(f.Slots(), 0), int(RoleMax))
		a.Slots = make([]*Member, n)
		a.Replacements = make([]*Member, n)
	}
	for i, m := range members {
		v := a.judge(m)
		if v.In {
			a.seat(&v, members[:i])
		}
		a.Verdicts[i] = v
	}
	a.dropUnused()
	return a
}

// freshest gives the loadable member with a slot that has the highest event
// count; the first of them. Replacements count only if there is nobody else, as
// mdadm asks for a device in sync (Assemble.c, load_devices). A member that is
// only being rebuilt and one update ahead does not count beside complete ones:
// the power went while the superblocks were being written, and those of the
// others may not even know of it yet. mdadm goes by it all the same, and finds
// that everybody else is out.
func freshest(group []*Member) *Member {
	best := freshestOf(group, func(*Member) bool { return true })
	if best == nil || best.RecoveryOffset() == MaxSector || best.Reshape() != nil {
		return best
	}
	complete := freshestOf(group, func(m *Member) bool { return m.RecoveryOffset() == MaxSector })
	if complete != nil && complete.Events() < best.Events() && complete.Events()+1 >= best.Events() {
		return complete
	}
	return best
}

func freshestOf(group []*Member, want func(*Member) bool) *Member {
	var best *Member
	for _, m := range group {
		if _, ok := m.activeSlot(); !ok || m.fault() != nil || !want(m) {
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

// activeSlot is the slot of a member that has one by its own word. Members of a
// multipath array have none on disk: any will do.
func (m *Member) activeSlot() (int, bool) {
	if m.Level() == LevelMultipath {
		return 0, true
	}
	return m.Role().Slot()
}

func out(m *Member, r *Rule, role Role, why string, args ...any) Verdict {
	return Verdict{Member: m, Role: role, Rule: r.ID, Why: fmt.Sprintf(why, args...)}
}

// judge looks at one member alone and against the freshest.
func (a *Assembly) judge(m *Member) Verdict {
	own := m.Role()
	if m.UUID() != a.UUID {
		return out(m, ruleForeign, own, "belongs to array %v, not to %v", m.UUID(), a.UUID)
	}
	if f := m.fault(); f != nil {
		return Verdict{Member: m, Role: own, Rule: f.Rule, Why: f.Message}
	}
	f := a.Freshest
	if f == nil {
		return out(m, ruleNoActive, own, "is a %v, and no member with a slot is there to tell what the array is", own)
	}
	if r, why := geometryDiffers(f, CaughtUp(f, m)); why != "" {
		return out(m, r, own, "%s", why)
	}
	if own == RoleSpare && m.Level() != LevelMultipath {
		return Verdict{Member: m, In: true, Role: RoleSpare, Rule: ruleIn.ID, Why: "spare"}
	}
	if own == RoleFaulty {
		return out(m, ruleFaulty, own, "its own superblock says it is faulty")
	}
	if own == RoleJournal && m.Features()&FeatureJournal == 0 {
		return out(m, ruleJournalFeature, own, "is a journal of an array that has none")
	}
	if slot, ok := f.Role().Slot(); ok && m != f && !m.lists(slot) {
		return out(m, ruleSplit, own, "its superblock says that slot %d is missing, which is %s", slot, f.Name)
	}
	switch {
	case own == RoleJournal && m.Events() == f.Events()+1:
		// A cut while all superblocks were being written. The journal is none
		// that mdadm or the kernel go by, so it is the others that are behind.
	case m.Events() > f.Events():
		return out(m, ruleAhead, own, "has event count %d, ahead of %s with %d", m.Events(), f.Name, f.Events())
	case m.Events()+1 < f.Events():
		return out(m, ruleStale, own, "is stale: event count %d, %s has %d", m.Events(), f.Name, f.Events())
	}
	role := own
	if m.Events() < f.Events() && m.Super1 != nil {
		// The member may have been failed after its last update: only the
		// fresher superblock knows (md.c, super_1_validate).
		if role = f.RoleOf(m.DevNumber()); role == RoleFaulty {
			return out(m, ruleFaulty, role, "is faulty by the superblock of %s, which is newer", f.Name)
		}
	}
	if m.Level() == LevelMultipath || role >= RoleJournal {
		return Verdict{Member: m, In: true, Role: role, Replacement: m.Replacement(), Rule: ruleIn.ID}
	}
	if slot, ok := role.Slot(); !ok || slot >= len(a.Slots) {
		return out(m, ruleSlot, role, "claims %v of an array with %d slots", role, len(a.Slots))
	}
	return Verdict{Member: m, In: true, Role: role, Replacement: m.Replacement(), Rule: ruleIn.ID}
}

// lists reports whether the member's table has a device for the slot.
func (m *Member) lists(slot int) bool {
	if m.Level() == LevelMultipath {
		return true
	}
	if s := m.Super0; s != nil {
		for i := range s.Disks {
			d := &s.Disks[i]
			if d.State&(DiskSync|DiskActive) == DiskSync|DiskActive && d.State&DiskFaulty == 0 && d.RaidDisk == uint32(slot) {
				return true
			}
		}
		return false
	}
	return slices.Contains(m.Super1.DevRoles, Role(slot))
}

// geometryDiffers compares what all members of an array must agree on. The
// kernel's list is level, layout and chunk for 1.x and all constant words for
// 0.90; mdadm adds the rest (super0.c and super1.c, compare_super).
func geometryDiffers(f, m *Member) (*Rule, string) {
	if f.Version != m.Version {
		return ruleVersion, fmt.Sprintf("has metadata %v, %s has %v", m.Version, f.Name, f.Version)
	}
	for _, c := range []struct {
		rule      *Rule
		name      string
		got, want any
	}{
		{ruleGeometry, "level", m.Level(), f.Level()},
		{ruleGeometry, "layout", m.Layout(), f.Layout()},
		{ruleGeometry, "chunk size", m.ChunkSectors(), f.ChunkSectors()},
		{ruleGeometry, "number of slots", m.RaidDisks(), f.RaidDisks()},
		{ruleGeometry, "size of each member", m.UsedSize(), f.UsedSize()},
		{ruleCTime, "creation time", m.CTime(), f.CTime()},
	} {
		if c.got != c.want {
			return c.rule, fmt.Sprintf("has %s %v, %s has %v", c.name, c.got, f.Name, c.want)
		}
	}
	return nil, ""
}

// seat gives an accepted member its place, unless another one has it: then the
// one that is fresher, or came first, keeps it.
func (a *Assembly) seat(v *Verdict, earlier []*Member) {
	m := v.Member
	if m.Level() == LevelMultipath {
		a.seatMultipath(v)
		return
	}
	switch v.Role {
	case RoleSpare:
		a.Spares, v.Why = append(a.Spares, m), "spare"
		return
	case RoleJournal:
		if a.Journal == nil {
			a.Journal = m
			v.Why = "journal"
			return
		}
		*v = out(m, ruleDuplicate, v.Role, "is a second journal beside %s", a.Journal.Name)
		return
	}
	slot, _ := v.Role.Slot()
	table, what := a.Slots, "slot"
	if v.Replacement {
		table, what = a.Replacements, "replacement of slot"
	}
	if other := table[slot]; other != nil {
		if other.Events() >= m.Events() {
			*v = duplicate(m, other, v.Role)
			return
		}
		i := slices.Index(earlier, other)
		a.Verdicts[i] = duplicate(other, m, v.Role)
	}
	table[slot] = m
	v.Why = fmt.Sprintf("%s %d", what, slot)
	if r := m.RecoveryOffset(); r != MaxSector {
		v.Why += fmt.Sprintf(", rebuilt up to sector %d", r)
	}
	if m.Events() < a.Freshest.Events() {
		v.Why += fmt.Sprintf(", event count %d, one behind %s", m.Events(), a.Freshest.Name)
	}
}

func (a *Assembly) seatMultipath(v *Verdict) {
	for i, m := range a.Slots {
		if m == nil {
			a.Slots[i], v.Why = v.Member, fmt.Sprintf("path %d", i)
			return
		}
	}
	a.Spares = append(a.Spares, v.Member)
	v.Why = "spare path"
}

func duplicate(m, keeper *Member, role Role) Verdict {
	if id := m.DeviceUUID(); !id.IsZero() && id == keeper.DeviceUUID() {
		return out(m, ruleDuplicate, role, "has the device uuid of %s: a copy of it, or another path to it", keeper.Name)
	}
	return out(m, ruleDuplicate, role, "claims %v, which %s has", role, keeper.Name)
}

// dropUnused turns a replacement whose slot has no other member into the
// slot's member if it is complete, as mdadm's count of slots does.
func (a *Assembly) dropUnused() {
	for i, r := range a.Replacements {
		if r != nil && a.Slots[i] == nil {
			a.Slots[i], a.Replacements[i] = r, nil
		}
	}
}

// Avail says for each slot whether it has a member that can be read in full: one
// that is not still being rebuilt, unless that is because of a reshape that
// adds the slot.
func (a *Assembly) Avail() []bool {
	avail := make([]bool, len(a.Slots))
	for i := range avail {
		avail[i] = a.complete(i, a.Slots[i]) || a.complete(i, a.Replacements[i])
	}
	return avail
}

func (a *Assembly) complete(slot int, m *Member) bool {
	if m == nil {
		return false
	}
	if CaughtUp(a.Freshest, m).RecoveryOffset() == MaxSector {
		return true
	}
	r := a.Freshest.Reshape()
	return r != nil && r.Delta > 0 && slot >= a.Freshest.RaidDisks()-r.Delta
}

// Missing lists the slots that Avail denies.
func (a *Assembly) Missing() []int {
	var missing []int
	for i, ok := range a.Avail() {
		if !ok {
			missing = append(missing, i)
		}
	}
	return missing
}

// Clean reports whether parity can be trusted: the array was clean, or its
// journal is there to make it so.
func (a *Assembly) Clean() bool {
	return a.Freshest != nil && (a.Freshest.Clean() || a.Journal != nil)
}

// Members lists the members that are in: slots in order, replacements, spares,
// journal.
func (a *Assembly) Members() []*Member {
	list := slices.Concat(a.Slots, a.Replacements, a.Spares, []*Member{a.Journal})
	return slices.DeleteFunc(list, func(m *Member) bool { return m == nil })
}

// orOnlyParity is avail with the slots added whose member is being rebuilt, and
// whose data is not needed.
func (a *Assembly) orOnlyParity(avail []bool) []bool {
	list := slices.Clone(avail)
	for i, m := range a.Slots {
		list[i] = list[i] || m != nil && a.Freshest.Dispensable(CaughtUp(a.Freshest, m), i)
	}
	return list
}

// Dispensable reports whether nothing of m, which is being rebuilt for a slot of
// the array, is needed to read the array: it holds parity alone, and as far as a
// reshape that changes this has come it is complete (raid5.c, raid5_run).
func (f *Member) Dispensable(m *Member, slot int) bool {
	r := f.Reshape()
	if r == nil {
		return OnlyParity(f.Level(), f.Layout(), f.RaidDisks(), slot)
	}
	parities := 1
	if r.Level == LevelRAID6 {
		parities = 2
	}
	data := f.RaidDisks() - parities
	if r.Backwards || r.Delta < 0 || data <= 0 || m.RecoveryOffset() < r.Position/uint64(data) {
		return false
	}
	return OnlyParity(f.Level(), f.Layout(), f.RaidDisks()-r.Delta, slot)
}

// Startable returns nil if the members that are in are enough to start the
// array without force, and a *StartError otherwise: matching ErrNotEnough,
// ErrDirtyDegraded or ErrNoJournal.
func (a *Assembly) Startable() error {
	e := &StartError{UUID: a.UUID, Slots: len(a.Slots), Missing: a.Missing()}
	f := a.Freshest
	if f == nil {
		e.Err = fmt.Errorf("%w: no member with a slot", ErrNotEnough)
		return e
	}
	e.Level = f.Level()
	avail := a.Avail()
	switch {
	case e.Level == LevelFaulty && len(avail) > 0 && avail[0]:
		// mdadm's enough() does not know the level; the kernel starts it.
	case Enough(e.Level, len(avail), f.Layout(), a.Clean(), avail):
	case Enough(e.Level, len(avail), f.Layout(), false, a.orOnlyParity(avail)):
		// Nothing that is missing would have to be worked out of parity; it has
		// to be in its slot for the kernel to see that (raid5.c, raid5_run).
	case Enough(e.Level, len(avail), f.Layout(), true, avail):
		e.Err = ErrDirtyDegraded
		return e
	default:
		e.Err = ErrNotEnough
		return e
	}
	if f.Features()&FeatureJournal != 0 && a.Journal == nil {
		e.Err = ErrNoJournal
		return e
	}
	return nil
}
