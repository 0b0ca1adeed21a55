package md

import (
	"slices"
	"strings"
)

// State is the state of an array as a whole (md.c array_states).
type State string

// States of an array. Clear, Inactive, ReadOnly, ReadAuto, Clean and Active may
// be written; see [Array.SetState] for what that does.
const (
	Clear        State = "clear"         // nothing is set up
	Inactive     State = "inactive"      // set up in part, does not run
	Suspended    State = "suspended"     // named by the kernel, never used
	ReadOnly     State = "readonly"      // no writes, no resync, no metadata updates
	ReadAuto     State = "read-auto"     // read-only until the first write
	Clean        State = "clean"         // runs, no writes outstanding
	Active       State = "active"        // runs, writes outstanding
	WritePending State = "write-pending" // writes wait for a metadata handler to write "active"
	ActiveIdle   State = "active-idle"   // active, no writes for a while
	Broken       State = "broken"        // has lost more members than it can do without
)

var states = []State{
	Clear, Inactive, Suspended, ReadOnly, ReadAuto, Clean, Active, WritePending, ActiveIdle, Broken,
}

// Running reports whether the array serves reads.
func (s State) Running() bool { return s != Clear && s != Inactive }

// SyncAction is what an array does to its redundancy (md.c action_show).
type SyncAction string

// Sync actions. NoAction is only shown by last_sync_action, for an array that
// has done nothing yet.
const (
	Idle     SyncAction = "idle"    // nothing; if written: stop what is running, which may start again
	Frozen   SyncAction = "frozen"  // nothing, and nothing starts until Idle is written
	Resync   SyncAction = "resync"  // make redundancy agree with the data after an unclean stop
	Recover  SyncAction = "recover" // rebuild members on spares
	Check    SyncAction = "check"   // read everything and count what does not agree
	Repair   SyncAction = "repair"  // check, and make it agree
	Reshape  SyncAction = "reshape" // change level, layout, chunk or number of members
	NoAction SyncAction = "none"    // none since the array was started
)

var (
	syncActions     = []SyncAction{Idle, Frozen, Resync, Recover, Check, Repair, Reshape}
	lastSyncActions = append([]SyncAction{NoAction}, syncActions...)
)

// parseLastSync reads md.c last_sync_action_show, where early kernels use the
// word of /proc/mdstat for a recovery (md.c md_do_sync).
func parseLastSync(s string) (SyncAction, error) {
	if s == "recovery" {
		return Recover, nil
	}
	return parseWord(lastSyncActions)(s)
}

// Direction is the direction in which a reshape moves through the array (md.c
// reshape_direction_show).
type Direction string

// Directions of a reshape.
const (
	Forwards  Direction = "forwards"  // from the start: grows
	Backwards Direction = "backwards" // from the end: shrinks
)

var directions = []Direction{Forwards, Backwards}

// ConsistencyPolicy is how an array becomes consistent again after an unclean
// stop (md.c consistency_policy_show).
type ConsistencyPolicy string

// Consistency policies. PolicyPPL and PolicyResync may be written.
const (
	PolicyUnknown ConsistencyPolicy = "unknown" // the array does not run
	PolicyNone    ConsistencyPolicy = "none"    // the level has no redundancy
	PolicyResync  ConsistencyPolicy = "resync"  // resync of the whole array
	PolicyBitmap  ConsistencyPolicy = "bitmap"  // resync of what the bitmap marks
	PolicyJournal ConsistencyPolicy = "journal" // replay of the journal
	PolicyPPL     ConsistencyPolicy = "ppl"     // partial parity log
)

var policies = []ConsistencyPolicy{
	PolicyUnknown, PolicyNone, PolicyResync, PolicyBitmap, PolicyJournal, PolicyPPL,
}

// Level is a personality by name, or by number where the array does not run
// (md.c level_show).
type Level string

// Levels, by the names of their personalities.
const (
	Linear    Level = "linear"
	RAID0     Level = "raid0"
	RAID1     Level = "raid1"
	RAID4     Level = "raid4"
	RAID5     Level = "raid5"
	RAID6     Level = "raid6"
	RAID10    Level = "raid10"
	Multipath Level = "multipath" // removed in Linux 6.8
	Faulty    Level = "faulty"    // removed in Linux 6.8
)

func parseLevel(s string) (Level, error) {
	if strings.ContainsAny(s, " \t\n") {
		return "", wanted("the name or number of a level")
	}
	return Level(s), nil
}

// parseWord accepts exactly the words listed.
func parseWord[W ~string](words []W) func(string) (W, error) {
	return func(s string) (W, error) {
		if w := W(s); slices.Contains(words, w) {
			return w, nil
		}
		list := make([]string, len(words))
		for i, w := range words {
			list[i] = string(w)
		}
		return "", wanted("one of " + strings.Join(list, " "))
	}
}

func formatWord[W ~string](w W) string { return string(w) }
