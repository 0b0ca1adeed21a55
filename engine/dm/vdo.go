package dm

import (
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// VDO compresses and deduplicates (dm-vdo, Linux 6.9). A kernel prints exactly
// the words it was given. This is version 4 of its tables; the kernel also
// accepts the older ones, whose words are in Old.
type VDO struct {
	Device       string // "major:minor" or a path
	Blocks       uint64 // physical size in blocks of 4 KiB
	LogicalBlock uint32 // bytes: 512 or 4096
	CacheBlocks  uint32 // pages of the block map cache
	EraLength    uint32 // 1 to 16380
	Options      []KeyValue
	// Old are the words of a table of version 0 to 3, which the kernel
	// translates; then everything else except Device is empty.
	Old []string
}

// Type is "vdo".
func (VDO) Type() string { return "vdo" }

// Params is `V4 <dev> <blocks> 512|4096 <cache> <era> {<key> <value>}...`.
func (a VDO) Params() string {
	if a.Old != nil {
		return strings.Join(a.Old, " ")
	}
	words := []string{"V4", a.Device, utoa(a.Blocks), utoa(a.LogicalBlock), utoa(a.CacheBlocks), utoa(a.EraLength)}
	for _, kv := range a.Options {
		words = append(words, kv.Key, kv.Value)
	}
	return join(words...)
}

// Devices is the one device.
func (a VDO) Devices() []Ref { return []Ref{Ref(a.Device)} }

// Limits of dm-vdo.
const (
	vdoMaxLogical = 1 << 40 // blocks (MAXIMUM_VDO_LOGICAL_BLOCKS): 4 PiB
	vdoVIOs       = 2048    // MAXIMUM_VDO_USER_VIOS
	vdoMaxThreads = 100     // MAXIMUM_VDO_THREADS
)

func parseVDO(c *ctr) (Args, error) {
	switch {
	case c.length > vdoMaxLogical*pageSectors:
		return nil, c.fail("", "Logical size exceeds the maximum")
	case c.length%pageSectors != 0:
		return nil, c.fail("", "Logical size must be a multiple of 4096")
	case len(c.args) == 0:
		return nil, c.fail("", "Incorrect number of arguments")
	}
	version, err := vdoVersion(c)
	if err != nil {
		return nil, err
	}
	if version < 4 {
		return parseOldVDO(c, version)
	}
	c.next()
	a := VDO{Device: c.next()}
	var ok bool
	if a.Blocks, ok = lex.Kstrtou(c.next(), 64); !ok {
		return nil, c.fail("blocks", "Invalid physical block count")
	}
	switch c.next() {
	case "512":
		a.LogicalBlock = 512
	case "4096":
		a.LogicalBlock = 4096
	default:
		return nil, c.fail("logical block", "Invalid logical block size")
	}
	n, ok := lex.Kstrtou(c.next(), 32)
	if !ok {
		return nil, c.fail("cache", "Invalid block map page cache size")
	}
	a.CacheBlocks = uint32(n)
	if n, ok = lex.Kstrtou(c.next(), 32); !ok {
		return nil, c.fail("era", "Invalid block map maximum age")
	}
	a.EraLength = uint32(n)
	if err := a.parseOptions(c); err != nil {
		return nil, err
	}
	_, err = c.device("device", a.Device, "Unable to open storage device")
	return a, err
}

// vdoVersion reads the version of the table from a first word of V1 to V4;
// without one it is 0.
func vdoVersion(c *ctr) (uint32, error) {
	var version uint32
	if digits, ok := strings.CutPrefix(c.args[0], "V"); ok {
		end := 0
		for end < len(digits) && lex.IsDigit(digits[end]) {
			end++
		}
		if n, ok := lex.ScanU32(digits[:end]); ok {
			if version = n; n < 1 || n > 4 {
				return 0, c.fail("version", "Unknown version number detected")
			}
		}
	}
	need := []int{10, 12, 9, 7, 6}[version]
	if len(c.args) < need || version <= 1 && len(c.args) != need {
		return 0, c.fail("", "Incorrect number of arguments for version")
	}
	return version, nil
}

// parseOldVDO keeps an old table as it is; the kernel translates it.
func parseOldVDO(c *ctr, version uint32) (Args, error) {
	a := VDO{Old: slices.Clone(c.args)}
	if version > 0 {
		c.next()
	}
	a.Device = c.next()
	_, err := c.device("device", a.Device, "Unable to open storage device")
	return a, err
}

func (a *VDO) parseOptions(c *ctr) error {
	if len(c.args)%2 != 0 {
		return c.fail("options", "Odd number of optional arguments given but they should be <key> <value> pairs")
	}
	threads := map[string]uint64{}
	for len(c.args) > 0 {
		kv := KeyValue{c.next(), c.next()}
		n, ok := goodVDOOption(kv)
		if !ok {
			return c.because(kv.Key, "Invalid optional argument configuration", kv.Key+" cannot be "+kv.Value)
		}
		threads[kv.Key] = n
		a.Options = append(a.Options, kv)
	}
	zones := 0
	for _, name := range []string{"logical", "physical", "hash"} {
		if threads[name] > 0 {
			zones++
		}
	}
	switch {
	case zones != 0 && zones != 3:
		return c.fail("options", "Logical, physical, and hash zones counts must all be zero or all non-zero")
	case uint64(a.CacheBlocks) < 2*vdoVIOs*threads["logical"]:
		return c.fail("cache", "Insufficient block map cache for logical zones")
	}
	return nil
}

// goodVDOOption judges one option. The kernel ignores a key that it does not
// know, provided that the value is a number.
func goodVDOOption(kv KeyValue) (uint64, bool) {
	switch kv.Key {
	case "deduplication", "compression", "indexSparse":
		return 0, kv.Value == "on" || kv.Value == "off"
	case "indexMemory", "slabSize":
		return 0, kv.Value != ""
	}
	n, ok := lex.Kstrtou(kv.Value, 32)
	lo, hi := uint64(0), uint64(1<<32-1)
	switch kv.Key {
	case "maxDiscard":
		lo, hi = 1, (1<<32-1)/4096
	case "bioRotationInterval":
		lo, hi = 1, 1024
	case "logical":
		hi = 60
	case "physical":
		hi = 16
	case "cpu", "bio":
		lo, hi = 1, vdoMaxThreads
	case "ack", "hash":
		hi = vdoMaxThreads
	}
	return n, ok && n >= lo && n <= hi
}

// VDOStatus is the state of a VDO device.
type VDOStatus struct {
	Device      string // path of the storage device, "/dev/..."
	Mode        string // "normal", "read-only", "recovering", ...
	Recovering  bool
	Index       string // state of the deduplication index: "online", "offline", "opening", ...
	Compressing bool
	Used, Total uint64 // physical blocks of 4 KiB
}

// Type is "vdo".
func (VDOStatus) Type() string { return "vdo" }

// String is `<dev> <mode> recovering|- <index> online|offline <used> <total>`.
func (s VDOStatus) String() string {
	recovering, compressing := "-", "offline"
	if s.Recovering {
		recovering = "recovering"
	}
	if s.Compressing {
		compressing = "online"
	}
	return strings.Join([]string{s.Device, s.Mode, recovering, s.Index, compressing, utoa(s.Used), utoa(s.Total)}, " ")
}

func parseVDOStatus(s *scan) (Status, error) {
	return VDOStatus{
		Device: s.word("device"), Mode: s.word("mode"), Recovering: s.either("recovering", "recovering", "-"),
		Index: s.word("index"), Compressing: s.either("compression", "online", "offline"),
		Used: s.u64("used"), Total: s.u64("total"),
	}, nil
}
