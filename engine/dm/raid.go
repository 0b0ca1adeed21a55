package dm

import (
	"slices"
	"strconv"
	"strings"
)

// Raid is an array of the md driver inside device-mapper (dm-raid.c).
type Raid struct {
	Level           string // "raid1", "raid5_ls", "raid10", ...
	Chunk           uint32 // sectors: a power of two, at least 8; 0 for raid1
	Sync, NoSync    bool   // force the array to be synchronised, or assume that it is
	Rebuild         []int  // devices to be rebuilt
	DaemonSleep     *int   // the number as it was given
	MinRecoveryRate *int   // KiB/s per disk
	MaxRecoveryRate *int   // likewise
	WriteMostly     []int  // devices not to read from; raid1 only
	MaxWriteBehind  *int   // number of write-behind requests; raid1 only
	StripeCache     *int   // stripes; raid4, 5, 6 only
	RegionSize      *int   // sectors: a power of two
	Raid10Copies    *int   // at least 2
	Raid10Format    string // "near", "far" or "offset"
	NearSets        bool   // raid10_use_near_sets; kernels include it in the count but do not print it
	DeltaDisks      *int   // devices to be added, or removed where negative
	DataOffset      *int   // sectors
	Journal         string // journal device; raid4, 5, 6 only
	JournalMode     string // "writethrough" or "writeback" (4.16)
	Disks           []RaidDisk
	old             bool // in the order of kernels before 4.12
}

// RaidDisk is a device of an array: where its metadata and its data are. "-"
// means none.
type RaidDisk struct {
	Metadata, Data string
}

// Type is "raid".
func (Raid) Type() string { return "raid" }

// option is one option in the form in which it is printed.
type option []string

func number(name string, n *int) []option {
	if n == nil {
		return nil
	}
	return []option{{name, strconv.Itoa(*n)}}
}

func numbers(name string, list []int) []option {
	var o []option
	for _, n := range slices.Sorted(slices.Values(list)) {
		o = append(o, option{name, strconv.Itoa(n)})
	}
	return o
}

func word(name, value string) []option {
	if value == "" {
		return nil
	}
	return []option{{name, value}}
}

func flag(name string, set bool) []option {
	if !set {
		return nil
	}
	return []option{{name}}
}

// Params is `<type> <#params> <chunk> <params>... <#devices> {<metadata dev>
// <data dev>}...`.
func (a Raid) Params() string {
	opts := a.options()
	if a.old {
		opts = a.oldOptions()
	}
	count := 1
	var words []string
	for _, o := range slices.Concat(opts...) {
		count += len(o)
		words = append(words, o...)
	}
	words = append([]string{a.Level, strconv.Itoa(count), utoa(a.Chunk)}, words...)
	words = append(words, strconv.Itoa(len(a.Disks)))
	for _, d := range a.Disks {
		words = append(words, d.Metadata, d.Data)
	}
	return join(words...)
}

// options are in the order of kernels since 4.12. A kernel does not print
// raid10_use_near_sets, which must be given to load the table again.
func (a Raid) options() [][]option {
	return [][]option{
		flag("sync", a.Sync), flag("nosync", a.NoSync), numbers("rebuild", a.Rebuild),
		number("daemon_sleep", a.DaemonSleep),
		number("min_recovery_rate", a.MinRecoveryRate), number("max_recovery_rate", a.MaxRecoveryRate),
		numbers("write_mostly", a.WriteMostly), number("max_write_behind", a.MaxWriteBehind),
		number("stripe_cache", a.StripeCache), number("region_size", a.RegionSize),
		number("raid10_copies", a.Raid10Copies), word("raid10_format", a.Raid10Format),
		flag("raid10_use_near_sets", a.NearSets),
		number("delta_disks", a.DeltaDisks), number("data_offset", a.DataOffset),
		word("journal_dev", a.Journal), word("journal_mode", a.JournalMode),
	}
}

// oldOptions are in the order of kernels before 4.12.
func (a Raid) oldOptions() [][]option {
	return [][]option{
		word("raid10_format", a.Raid10Format), number("raid10_copies", a.Raid10Copies),
		flag("raid10_use_near_sets", a.NearSets),
		flag("nosync", a.NoSync), flag("sync", a.Sync), number("region_size", a.RegionSize),
		number("data_offset", a.DataOffset), number("daemon_sleep", a.DaemonSleep),
		number("delta_disks", a.DeltaDisks), number("stripe_cache", a.StripeCache),
		numbers("rebuild", a.Rebuild), numbers("write_mostly", a.WriteMostly),
		number("max_write_behind", a.MaxWriteBehind),
		number("max_recovery_rate", a.MaxRecoveryRate), number("min_recovery_rate", a.MinRecoveryRate),
		word("journal_dev", a.Journal), word("journal_mode", a.JournalMode),
	}
}

// Devices are the journal, the metadata and the data devices.
func (a Raid) Devices() []Ref {
	list := []string{a.Journal}
	for _, d := range a.Disks {
		list = append(list, d.Metadata, d.Data)
	}
	var refs []Ref
	for _, d := range list {
		if d != "" && d != "-" {
			refs = append(refs, Ref(d))
		}
	}
	return refs
}

// RaidStatus is the state of an array.
type RaidStatus struct {
	Level           string // as in Raid
	Disks           int
	Health          string // a letter per device: A in sync, a alive but not in sync, D failed, - missing
	Progress, Total uint64 // sectors
	Action          string // "idle", "frozen", "reshape", "resync", "check", "repair", "recover" or "undef"
	Mismatches      uint64 // found by the last check
	DataOffset      *uint64
	Journal         string // A writethrough, a writeback, D failed, - none; empty from kernels before 4.11
}

// Type is "raid".
func (RaidStatus) Type() string { return "raid" }

// String is `<type> <#devices> <health> <progress>/<total> <action>
// <mismatches> <data offset> <journal>`.
func (s RaidStatus) String() string {
	words := []string{
		s.Level, strconv.Itoa(s.Disks), s.Health, ratio(s.Progress, s.Total), s.Action, utoa(s.Mismatches),
	}
	if s.DataOffset != nil {
		words = append(words, utoa(*s.DataOffset))
	}
	if s.Journal != "" {
		words = append(words, s.Journal)
	}
	return strings.Join(words, " ")
}

func parseRaidStatus(s *scan) (Status, error) {
	st := RaidStatus{Level: s.word("type"), Disks: int(s.u32("devices")), Health: s.word("health")}
	if s.err == nil && len(st.Health) != st.Disks {
		return nil, s.fail("health", st.Health)
	}
	st.Progress, st.Total = s.pair("progress")
	st.Action = s.oneOf("action", "idle", "frozen", "reshape", "resync", "check", "repair", "recover", "undef")
	st.Mismatches = s.u64("mismatches")
	if len(s.words) > 0 {
		n := s.u64("data offset")
		st.DataOffset = &n
	}
	if len(s.words) > 0 {
		st.Journal = s.oneOf("journal", "A", "a", "D", "-")
	}
	return st, nil
}
