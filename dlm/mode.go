package dlm

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is a lock's mode (include/uapi/linux/dlmconstants.h DLM_LOCK_*).
type Mode int8

// The modes, weakest first.
const (
	ModeNone Mode = iota - 1 // IV: not granted, or nothing requested
	NL                       // null: holds a place, keeps the resource known
	CR                       // concurrent read
	CW                       // concurrent write
	PR                       // protected read: shared
	PW                       // protected write: update
	EX                       // exclusive
)

var modeNames = []string{"NL", "CR", "CW", "PR", "PW", "EX"}

// String returns two letters, "--" for [ModeNone], as the kernel's debug files have
// them.
func (m Mode) String() string {
	switch {
	case m == ModeNone:
		return "--"
	case m.valid():
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", int8(m))
}

func (m Mode) valid() bool { return m >= NL && m <= EX }

// ParseMode reads a mode as String prints it, in either case.
func ParseMode(s string) (Mode, error) {
	if s == "--" {
		return ModeNone, nil
	}
	if i := slices.Index(modeNames, strings.ToUpper(s)); i >= 0 {
		return Mode(i), nil
	}
	return ModeNone, fmt.Errorf("%w: %q is no lock mode; there are %s", ErrInvalid, s, strings.Join(modeNames, " "))
}

// compatible has a bit for each mode that can be held beside the mode of its index
// (fs/dlm/lock.c __dlm_compat_matrix).
var compatible = [...]uint8{
	NL: 1<<NL | 1<<CR | 1<<CW | 1<<PR | 1<<PW | 1<<EX,
	CR: 1<<NL | 1<<CR | 1<<CW | 1<<PR | 1<<PW,
	CW: 1<<NL | 1<<CR | 1<<CW,
	PR: 1<<NL | 1<<CR | 1<<PR,
	PW: 1<<NL | 1<<CR,
	EX: 1 << NL,
}

// Compatible reports whether two locks on one resource can be granted at the same
// time in these modes. [ModeNone] goes with everything.
func Compatible(a, b Mode) bool {
	if !a.valid() || !b.valid() {
		return true
	}
	return compatible[a]&(1<<b) != 0
}

// ValueMove says what a granted conversion does with the lock value block.
type ValueMove int

// What happens to the lock value block.
const (
	ValueKept    ValueMove = iota // neither read nor written
	ValueRead                     // the resource's value is returned to the caller
	ValueWritten                  // the caller's value becomes the resource's
)

// Value returns what a grant of mode to, asked for with [ValueBlock], does with the
// value when from is held; [ModeNone] stands for a new lock
// (fs/dlm/lock.c dlm_lvb_operations).
func Value(from, to Mode) ValueMove {
	switch {
	case !to.valid():
		return ValueKept
	case from == PW && to <= PW, from == EX:
		return ValueWritten
	case to >= from:
		return ValueRead
	}
	return ValueKept
}

// Flags change what a request does (DLM_LKF_*).
type Flags uint32

// Flags of requests, with the kernel's names.
const (
	NoQueue          Flags = 0x1     // NOQUEUE: fail at once rather than wait
	Cancel           Flags = 0x2     // CANCEL: of an unlock: take the pending request back
	Convert          Flags = 0x4     // CONVERT: set by Lock.Convert
	ValueBlock       Flags = 0x8     // VALBLK: the value block takes part
	QueueConvert     Flags = 0x10    // QUECVT: do not overtake conversions that wait
	InvalidValue     Flags = 0x20    // IVVALBLK: make the value block invalid
	ConvertDeadlock  Flags = 0x40    // CONVDEADLK: demote to NL to break a conversion deadlock
	Persistent       Flags = 0x80    // PERSISTENT: outlives the descriptor, as an orphan
	NoDeadlockWait   Flags = 0x100   // NODLCKWT
	NoDeadlockBlock  Flags = 0x200   // NODLCKBLK
	Expedite         Flags = 0x400   // EXPEDITE: of NL: granted before all others
	NoQueueBlocking  Flags = 0x800   // NOQUEUEBAST: NoQueue still tells the holders
	HeadOfQueue      Flags = 0x1000  // HEADQUE: before all others that wait
	NoOrder          Flags = 0x2000  // NOORDER: whenever it is compatible
	Orphan           Flags = 0x4000  // ORPHAN: adopt; set by Space.Adopt
	AlternativePR    Flags = 0x8000  // ALTPR: PR will do as well
	AlternativeCW    Flags = 0x10000 // ALTCW: CW will do as well
	ForceUnlock      Flags = 0x20000 // FORCEUNLOCK: even while it waits
	RequestedTimeout Flags = 0x40000 // TIMEOUT: obsolete, 6.3 has no such thing
)

var flagNames = []string{
	"NOQUEUE", "CANCEL", "CONVERT", "VALBLK", "QUECVT", "IVVALBLK", "CONVDEADLK", "PERSISTENT",
	"NODLCKWT", "NODLCKBLK", "EXPEDITE", "NOQUEUEBAST", "HEADQUE", "NOORDER", "ORPHAN", "ALTPR",
	"ALTCW", "FORCEUNLOCK", "TIMEOUT",
}

// String returns the kernel's names joined by "|", and what has no name in hex.
func (f Flags) String() string { return bitNames(uint32(f), flagNames) }

func bitNames(v uint32, names []string) string {
	var set []string
	for i, name := range names {
		if v&(1<<i) != 0 {
			set = append(set, name)
			v &^= 1 << i
		}
	}
	if v != 0 || len(set) == 0 {
		set = append(set, fmt.Sprintf("0x%x", v))
	}
	return strings.Join(set, "|")
}

// StatusFlags come with a grant (DLM_SBF_*).
type StatusFlags uint8

// What a grant can be besides granted.
const (
	Demoted      StatusFlags = 1 // to resolve a deadlock it was NL for a while
	ValueInvalid StatusFlags = 2 // the value block was lost with a node
	Alternative  StatusFlags = 4 // in one of the alternative modes
)

// String returns the kernel's names joined by "|".
func (f StatusFlags) String() string {
	return bitNames(uint32(f), []string{"DEMOTED", "VALNOTVALID", "ALTMODE"})
}
