package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Mirror keeps the same data on each of its legs (dm-raid1.c).
type Mirror struct {
	Log          MirrorLog
	Legs         []Span // 2 to 9
	HandleErrors bool   // handle errors instead of ignoring them
	KeepLog      bool   // keep the log when a leg fails; needs HandleErrors
}

// MirrorLog is the dirty region log of a mirror (dm-log.c,
// dm-log-userspace-base.c).
type MirrorLog struct {
	Kind   string // "core", "disk" or "userspace"
	Device string // of a disk log
	Region uint32 // sectors: a power of two, at least 2; not with userspace
	Sync   string // "sync", "nosync", or empty to leave it to the log
	// Userspace is the UUID of a userspace log and the arguments for its
	// daemon.
	Userspace []string
}

// words is the log as tables spell it, without the count of its arguments.
func (l MirrorLog) words() []string {
	switch l.Kind {
	case "userspace":
		return l.Userspace
	case "disk":
		return strings.Fields(join(l.Device, utoa(l.Region), l.Sync))
	}
	return strings.Fields(join(utoa(l.Region), l.Sync))
}

// Type is "mirror".
func (Mirror) Type() string { return "mirror" }

// Params is `<log> <#log args> <log args>... <legs> {<dev> <offset>}...
// [<#features> <features>...]`.
func (a Mirror) Params() string {
	log := a.Log.words()
	words := append([]string{a.Log.Kind, utoa(uint64(len(log)))}, log...)
	words = append(words, utoa(uint64(len(a.Legs))))
	for _, l := range a.Legs {
		words = append(words, l.words()...)
	}
	switch {
	case a.KeepLog:
		words = append(words, "2", "handle_errors", "keep_log")
	case a.HandleErrors:
		words = append(words, "1", "handle_errors")
	}
	return join(words...)
}

// Devices are the log's, if it has one, and each leg's.
func (a Mirror) Devices() []Ref {
	var refs []Ref
	if a.Log.Device != "" {
		refs = append(refs, Ref(a.Log.Device))
	}
	return append(refs, spanRefs(a.Legs)...)
}

func (a Mirror) areas(length uint64) []area {
	var list []area
	for _, l := range a.Legs {
		list = append(list, area{l.Device, l.Offset, length})
	}
	return list
}

// maxLegs is MAX_NR_MIRRORS: DM_KCOPYD_MAX_REGIONS + 1.
const maxLegs = 9

func parseMirror(c *ctr) (Args, error) {
	var a Mirror
	if err := a.parseLog(c); err != nil {
		return nil, err
	}
	legs, ok := lex.ScanU32(c.next())
	if !ok || legs < 2 || legs > maxLegs {
		return nil, c.fail("legs", "Invalid number of mirrors")
	}
	if len(c.args) < int(legs)*2 {
		return nil, c.fail("legs", "Too few mirror arguments")
	}
	for range legs {
		l, err := c.span("Invalid offset", "Device lookup failure")
		if err != nil {
			return nil, err
		}
		a.Legs = append(a.Legs, l)
	}
	if err := a.features(c); err != nil {
		return nil, err
	}
	if len(c.args) > 0 {
		return nil, c.fail("", "Too many mirror arguments")
	}
	return a, nil
}

func (a *Mirror) features(c *ctr) error {
	if len(c.args) == 0 {
		return nil
	}
	n, ok := lex.ScanU32(c.next())
	if !ok {
		return c.fail("features", "Invalid number of features")
	}
	if uint64(n) > uint64(len(c.args)) {
		return c.fail("features", "Not enough arguments to support feature count")
	}
	for range n {
		switch c.next() {
		case "handle_errors":
			a.HandleErrors = true
		case "keep_log":
			a.KeepLog = true
		default:
			return c.fail("features", "Unrecognised feature requested")
		}
	}
	if a.KeepLog && !a.HandleErrors {
		return c.fail("keep_log", "keep_log feature requires the handle_errors feature")
	}
	return nil
}

func (a *Mirror) parseLog(c *ctr) error {
	const few = "Insufficient mirror log arguments"
	if len(c.args) < 2 {
		return c.fail("log", few)
	}
	a.Log.Kind = c.next()
	n, ok := lex.ScanU32(c.next())
	if !ok {
		return c.fail("log", "Invalid mirror log argument count")
	}
	if uint64(n) > uint64(len(c.args)) {
		return c.fail("log", few)
	}
	args := c.args[:n]
	c.args = c.args[n:]
	if why := a.Log.parse(c, args); why != "" {
		return c.because("log", "Error creating mirror dirty log", why)
	}
	return nil
}

// parse judges the log's own arguments. The reason is in the words that the
// kernel writes to its log; the table's reason says only that the log cannot be
// created.
func (l *MirrorLog) parse(c *ctr, args []string) string {
	switch l.Kind {
	case "core":
		return l.parseCore(c, args)
	case "disk":
		if len(args) < 2 || len(args) > 3 {
			return "wrong number of arguments to disk dirty region log"
		}
		l.Device = args[0]
		info, err := c.device("log", l.Device, "")
		if err != nil {
			return err.Error()
		}
		if why := l.parseCore(c, args[1:]); why != "" {
			return why
		}
		return l.tooSmall(c, info)
	case "userspace":
		if len(args) < 3 {
			return "Too few arguments to userspace dirty log"
		}
		if len(args[0]) > maxUUID {
			return "UUID argument too long."
		}
		l.Userspace = args
		return ""
	}
	return "unknown log type " + l.Kind
}

// maxUUID is DM_UUID_LEN less the NUL.
const maxUUID = 128

func (l *MirrorLog) parseCore(c *ctr, args []string) string {
	if len(args) < 1 || len(args) > 2 {
		return "wrong number of arguments to dirty region log"
	}
	if len(args) == 2 {
		if l.Sync = args[1]; l.Sync != "sync" && l.Sync != "nosync" {
			return "unrecognised sync argument to dirty region log: " + l.Sync
		}
	}
	var ok bool
	l.Region, ok = lex.ScanU32(args[0])
	if !ok || l.Region < 2 || !powerOfTwo(l.Region) || c.length > 0 && uint64(l.Region) > c.length {
		return "invalid region size " + args[0]
	}
	return ""
}

// tooSmall judges the size of a disk log: two sectors of header, then a bit per
// region, in longs.
func (l *MirrorLog) tooSmall(c *ctr, info DeviceInfo) string {
	if c.world == nil || c.length == 0 {
		return ""
	}
	regions := (c.length + uint64(l.Region) - 1) / uint64(l.Region)
	block := info.blockSectors() << 9
	need := 1024 + (regions+63)/64*8
	need = (need + block - 1) / block * block
	if need > info.Size<<9 {
		return "log device " + l.Device + " too small: need " + utoa(need) + " bytes"
	}
	return ""
}

// MirrorStatus is the state of a mirror.
type MirrorStatus struct {
	Devices         []string // "major:minor" of each leg
	InSync, Regions uint64
	Health          string   // a letter per leg: A alive, F flush failed, D write, S sync, R read error, U unknown
	Log             []string // the log's type and, for a disk log, its device and A, F or D
	Silent          string   // the type of a userspace log whose daemon does not answer; else empty
}

// Type is "mirror".
func (MirrorStatus) Type() string { return "mirror" }

// String is `<legs> <dev>... <in sync>/<regions> 1 <health> <#log> <log>...`.
func (s MirrorStatus) String() string {
	words := append([]string{utoa(uint64(len(s.Devices)))}, s.Devices...)
	words = append(words, ratio(s.InSync, s.Regions), "1", s.Health)
	if s.Silent != "" {
		return strings.Join(append(words, s.Silent, "1", "COM_FAILURE"), " ")
	}
	words = append(words, utoa(uint64(len(s.Log))))
	return strings.Join(append(words, s.Log...), " ")
}

func parseMirrorStatus(s *scan) (Status, error) {
	var st MirrorStatus
	for range s.count("legs", 1) {
		st.Devices = append(st.Devices, s.word("device"))
	}
	st.InSync, st.Regions = s.pair("regions")
	s.expect("1")
	st.Health = s.word("health")
	if len(st.Health) != len(st.Devices) {
		return nil, s.fail("health", st.Health)
	}
	// A userspace log without its daemon reports that in place of the count.
	if len(s.words) == 3 && s.words[2] == "COM_FAILURE" {
		st.Silent, s.words = s.words[0], nil
		return st, nil
	}
	for range s.count("log", 1) {
		st.Log = append(st.Log, s.word("log"))
	}
	return st, nil
}
