package md

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reasons why an array cannot be started. Match them with errors.Is against the
// error of Assembly.Startable.
var (
	// ErrNotEnough means that too many slots have no usable member.
	ErrNotEnough = errors.New("not enough members to start the array")
	// ErrDirtyDegraded means that there would be enough members, but the array was
	// not clean, so the parity that stands in for the missing ones may be wrong.
	ErrDirtyDegraded = errors.New("array is degraded and was not clean")
	// ErrNoJournal means that the array has a journal device, and that it is
	// missing or stale.
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

// Error returns one line: which array, why, and which slots are missing.
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

// Unwrap returns the reason.
func (e *StartError) Unwrap() error { return e.Err }

// Avail says for each slot whether it has a member that can be read in full: one
// that is not being rebuilt, or only because a reshape adds its slot.
func (a *Assembly) Avail() []bool {
	avail := make([]bool, len(a.Slots))
	for i := range avail {
		avail[i] = a.complete(2*i, a.Slots[i]) || a.complete(2*i+1, a.Replacements[i])
	}
	return avail
}

// complete reports whether the member at a place can be read in full. mdadm
// confuses the place with the slot when it checks whether a reshape adds it
// (Assemble.c), and so counts more members than the kernel will.
func (a *Assembly) complete(place int, m *Member) bool {
	if m == nil {
		return false
	}
	if a.raised(m) || a.asRead(m).RecoveryOffset() == MaxSector {
		return true
	}
	r := a.Freshest.Reshape()
	switch {
	case r == nil:
		return false
	case a.Policy == Strict:
		return r.Delta > 0 && place/2 >= a.Freshest.RaidDisks()-r.Delta
	}
	return place >= a.Freshest.Slots()-r.Delta
}

// asRead is a member as its data has to be read: under Strict, it is caught up with
// a reshape that has just begun or ended. Under mdadm's policies it is unchanged,
// because the kernel will use it as it is.
func (a *Assembly) asRead(m *Member) *Member {
	if a.Policy == Strict {
		return CaughtUp(a.Freshest, m)
	}
	return m
}

// raised reports whether the member is in by force.
func (a *Assembly) raised(m *Member) bool {
	return a.Policy == Forced && slices.ContainsFunc(a.Verdicts, func(v Verdict) bool { return v.Member == m && v.Raised })
}

// Missing lists the slots that are not available.
func (a *Assembly) Missing() []int {
	var missing []int
	for i, ok := range a.Avail() {
		if !ok {
			missing = append(missing, i)
		}
	}
	return missing
}

// Clean reports whether parity can be trusted: the array was clean, or its journal
// is there to make it clean.
func (a *Assembly) Clean() bool {
	return a.Freshest != nil && (a.Freshest.Clean() || a.Journal != nil)
}

// orOnlyParity is avail plus the slots whose member is being rebuilt but not
// needed to read the array.
func (a *Assembly) orOnlyParity(avail []bool) []bool {
	list := slices.Clone(avail)
	for i, m := range a.Slots {
		list[i] = list[i] || m != nil && a.Freshest.Dispensable(a.asRead(m), i)
	}
	return list
}

// Enough reports whether the members that are in suffice to run the array, given
// whether its parity can be trusted. An incomplete member is no obstacle if none
// of its data would have to be computed from parity; it has to be in its slot for
// the kernel to see that (raid5.c, raid5_run). mdadm does not take this into
// account.
func (a *Assembly) Enough(clean bool) bool {
	f := a.Freshest
	return a.enoughSlots(clean) || Enough(f.Level(), f.Slots(), f.Layout(), false, a.orOnlyParity(a.Avail()))
}

// enoughSlots is Enough by complete slots alone, as in mdadm.
func (a *Assembly) enoughSlots(clean bool) bool {
	f := a.Freshest
	return Enough(f.Level(), f.Slots(), f.Layout(), clean, a.Avail())
}

// Dispensable reports whether m, which is being rebuilt for a slot, is not needed
// to read the array, because it holds nothing but parity. If a reshape changes
// that, m must be complete up to where the reshape has come (raid5.c, raid5_run).
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
	switch {
	case e.Level == LevelFaulty && len(a.Slots) > 0 && a.complete(0, a.Slots[0]):
		// mdadm's enough() does not know this level; the kernel starts it.
	case a.Enough(a.Clean()):
	case a.Enough(true):
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
