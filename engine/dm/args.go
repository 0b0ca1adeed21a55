package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

// Args are the typed arguments of one target.
type Args interface {
	// Type is the target type, such as "linear".
	Type() string
	// Params is the argument text, as current kernels print it for `dmsetup
	// table` where they print what they were given.
	Params() string
	// Devices are the devices the target uses, in the order of its arguments.
	Devices() []Ref
}

// target is one entry of the table of grammars.
type target struct {
	name     string
	features feature
	parse    func(c *ctr) (Args, error)
	status   func(s *scan) (Status, error)
	// mask has hide work on the keys among the words, in place; nil where there are none
	mask func(words []string, hide func(string) string)
}

// feature is a set of dm_target.features that constrain tables
// (include/linux/device-mapper.h).
type feature uint8

const (
	singleton      feature = 1 << iota // DM_TARGET_SINGLETON
	alwaysWritable                     // DM_TARGET_ALWAYS_WRITEABLE
	immutable                          // DM_TARGET_IMMUTABLE
)

// findTarget returns the grammar of a target type.
func findTarget(name string) (target, bool) {
	for _, t := range targets() {
		if t.name == name {
			return t, true
		}
	}
	return target{}, false
}

// targets lists the grammars.
func targets() []target {
	return []target{
		{name: "linear", parse: parseLinear, status: noStatus},
		{name: "striped", parse: parseStriped, status: parseStripedStatus},
		{name: "zero", parse: parseZero, status: noStatus},
		{name: "error", parse: parseErrorTarget, status: noStatus},
		{name: "delay", parse: parseDelay, status: parseDelayStatus},
		{name: "flakey", parse: parseFlakey, status: noStatus},
		{name: "snapshot", parse: parseSnapshot, status: parseSnapshotStatus},
		{name: "snapshot-merge", parse: parseSnapshot, status: parseSnapshotStatus},
		{name: "snapshot-origin", parse: parseSnapshotOrigin, status: noStatus},
		{name: "mirror", parse: parseMirror, status: parseMirrorStatus},
		{name: "crypt", parse: parseCrypt, status: noStatus, mask: maskCrypt},
		{name: "raid", parse: parseRaid, status: parseRaidStatus},
		{name: "multipath", features: singleton | immutable, parse: parseMultipath, status: parseMultipathStatus},
		{name: "cache", parse: parseCache, status: parseCacheStatus},
		{name: "clone", parse: parseClone, status: parseCloneStatus},
		{name: "verity", features: singleton | immutable, parse: parseVerity, status: parseVerityStatus},
		{name: "integrity", features: singleton, parse: parseIntegrity, status: parseIntegrityStatus, mask: maskIntegrity},
		{name: "writecache", parse: parseWritecache, status: parseWritecacheStatus},
		{name: "vdo", features: singleton, parse: parseVDO, status: parseVDOStatus},
		{name: "pcache", features: singleton, parse: parsePcache, status: parsePcacheStatus},
		{name: "inlinecrypt", parse: parseInlinecrypt, status: noStatus, mask: maskCrypt},
		{name: "thin-pool", features: singleton | alwaysWritable | immutable, parse: parseThinPool, status: parseThinPoolStatus},
		{name: "thin", parse: parseThin, status: parseThinStatus},
		{name: "era", parse: parseEra, status: parseEraStatus},
		{name: "switch", parse: parseSwitch, status: noStatus},
		{name: "log-writes", parse: parseLogWrites, status: parseLogWritesStatus},
		{name: "zoned", features: singleton, parse: parseZoned, status: parseZonedStatus},
		{name: "unstriped", parse: parseUnstriped, status: noStatus},
		{name: "dust", parse: parseDust, status: parseDustStatus},
		{name: "ebs", parse: parseEBS, status: noStatus},
	}
}

// Types lists the target types that have a grammar, in no particular order.
func Types() []string {
	var names []string
	for _, t := range targets() {
		names = append(names, t.name)
	}
	return names
}

// ParseArgs reads the arguments of a target of the given type. It does not
// judge what depends on the length of the line (see Check), nor whether the
// devices exist. The error is an *Error with the kernel's own reason, or
// matches ErrUnknownTarget.
func ParseArgs(typ, params string) (Args, error) {
	t, ok := findTarget(typ)
	if !ok {
		return nil, &Error{Op: "parse", Target: typ, Reason: "unknown target type", Err: ErrUnknownTarget}
	}
	return t.parse(&ctr{op: "parse", target: typ, raw: params, args: lex.Fields(params)})
}

// ctr is what a target's constructor sees. Each parse function judges in the
// order of the kernel's constructor, so its first reason is the kernel's first.
type ctr struct {
	op       string
	target   string
	raw      string   // the arguments as given
	args     []string // those not taken yet
	start    uint64   // first sector of the line
	length   uint64   // sectors of the line; 0 where the line is not known
	world    World    // nil where only the text is judged
	readOnly bool     // the table is loaded read-only
	notes    []Note   // what could not be judged
}

// fail refuses the line with the kernel's reason.
func (c *ctr) fail(field, reason string) error {
	return &Error{Op: c.op, Target: c.target, Field: field, Reason: reason, Err: ErrInvalid}
}

// because is fail for a kernel reason that hides another one, which the kernel
// writes only to its log or nowhere.
func (c *ctr) because(field, reason, why string) error {
	return &Error{Op: c.op, Target: c.target, Field: field, Reason: reason, Err: &detailError{why}}
}

// detailError is of class ErrInvalid and adds detail.
type detailError struct{ why string }

func (e *detailError) Error() string { return e.why }
func (e *detailError) Unwrap() error { return ErrInvalid }

// next takes the next argument; the empty string means there is none.
func (c *ctr) next() string {
	if len(c.args) == 0 {
		return ""
	}
	s := c.args[0]
	c.args = c.args[1:]
	return s
}

// arg takes a number as dm_read_arg does.
func (c *ctr) arg(field string, lo, hi uint32, reason string) (uint32, error) {
	n, ok := lex.ScanU32(c.next())
	if !ok || n < lo || n > hi {
		return 0, c.fail(field, reason)
	}
	return n, nil
}

// group takes a count of arguments that follow, as dm_read_arg_group does.
func (c *ctr) group(field string, lo, hi uint32, reason string) (int, error) {
	n, err := c.arg(field, lo, hi, reason)
	if err == nil && uint64(len(c.args)) < uint64(n) {
		err = c.fail(field, reason)
	}
	return int(n), err
}

// device looks a device up. Without a world every device exists.
func (c *ctr) device(field, ref, reason string) (DeviceInfo, error) {
	if c.world == nil {
		return DeviceInfo{}, nil
	}
	info, err := c.world.Device(ref)
	if err != nil {
		return info, &Error{Op: c.op, Target: c.target, Field: field, Reason: reason, Err: &deviceError{ref, err}}
	}
	return info, nil
}

// since reports whether the kernel's target has this version or a later one;
// without a world, or with one that does not know the target, the newest
// version is assumed.
func (c *ctr) since(major, minor, patch uint32) bool {
	if c.world == nil {
		return true
	}
	v, has := c.world.Target(c.target)
	if has != Has {
		return true
	}
	switch {
	case v[0] != major:
		return v[0] > major
	case v[1] != minor:
		return v[1] > minor
	}
	return v[2] >= patch
}

// deviceError is a failed lookup: of class ErrDevice, with the world's reason.
type deviceError struct {
	ref string
	err error
}

func (e *deviceError) Error() string   { return e.ref + ": " + e.err.Error() }
func (e *deviceError) Unwrap() []error { return []error{ErrDevice, e.err} }
