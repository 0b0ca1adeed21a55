package dm

import (
	"math"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// raidType is one entry of raid_types in dm-raid.c.
type raidType struct {
	name    string
	level   int
	parity  int // number of parity devices
	minimal int // minimal number of devices
}

var raidTypes = []raidType{
	{"raid0", 0, 0, 2},
	{"raid1", 1, 0, 2},
	{"raid10", 10, 0, 2},
	{"raid10_near", 10, 0, 2},
	{"raid10_far", 10, 0, 2},
	{"raid10_offset", 10, 0, 2},
	{"raid4", 4, 1, 2},
	{"raid5_n", 5, 1, 2},
	{"raid5_ls", 5, 1, 2},
	{"raid5_rs", 5, 1, 2},
	{"raid5_la", 5, 1, 2},
	{"raid5_ra", 5, 1, 2},
	{"raid6_zr", 6, 2, 4},
	{"raid6_nr", 6, 2, 4},
	{"raid6_nc", 6, 2, 4},
	{"raid6_n_6", 6, 2, 4},
	{"raid6_ls_6", 6, 2, 4},
	{"raid6_rs_6", 6, 2, 4},
	{"raid6_la_6", 6, 2, 4},
	{"raid6_ra_6", 6, 2, 4},
}

func (t raidType) raid456() bool { return t.level >= 4 && t.level <= 6 }

// raidParser holds an array while its arguments are parsed.
type raidParser struct {
	Raid
	c     *ctr
	typ   raidType
	disks int
}

func (p *raidParser) fail(field, reason string) error { return p.c.fail(field, reason) }

// maxRaidDisks is MAX_RAID_DEVICES.
const maxRaidDisks = 253

func parseRaid(c *ctr) (Args, error) {
	p := raidParser{c: c}
	if len(c.args) == 0 {
		return nil, c.fail("", "No arguments")
	}
	name := c.next()
	i := slices.IndexFunc(raidTypes, func(t raidType) bool { return strings.EqualFold(t.name, name) })
	if i < 0 {
		return nil, c.fail("type", "Unrecognised raid_type")
	}
	p.typ = raidTypes[i]
	p.Level = p.typ.name
	argc := uint32(len(c.args) + 1) //nolint:gosec // a table is short
	params, err := c.group("params", 0, argc, "Cannot understand number of raid parameters")
	if err != nil {
		return nil, err
	}
	if err := p.countDisks(params); err != nil {
		return nil, err
	}
	if err := p.params(params); err != nil {
		return nil, err
	}
	if err := p.parseDisks(); err != nil {
		return nil, err
	}
	if err := p.sizes(); err != nil {
		return nil, err
	}
	p.old = p.asOld()
	return p.Raid, nil
}

// asOld reports whether the line fits the old order, and not also today's.
func (p *raidParser) asOld() bool {
	text := join(lex.Fields(p.c.raw)...)
	if p.Params() == text {
		return false
	}
	old := p.Raid
	old.old = true
	return old.Params() == text
}

// countDisks reads the number of devices, which follows the parameters.
func (p *raidParser) countDisks(params int) error {
	const reason = "Cannot understand number of raid devices parameters"
	rest := p.c.args[params:]
	if len(rest) == 0 {
		return p.fail("devices", reason)
	}
	n, ok := lex.ScanU32(rest[0])
	if !ok || n < 1 || uint64(n) > uint64(len(rest)-1)/2 {
		return p.fail("devices", reason)
	}
	switch p.disks = int(n); {
	case p.disks > maxRaidDisks:
		return p.fail("devices", "Invalid number of supplied raid devices")
	case p.disks <= p.typ.parity:
		return p.fail("devices", "Insufficient number of devices")
	}
	return nil
}

// params reads the chunk size and the options: n words, as parse_raid_params
// does.
func (p *raidParser) params(n int) error {
	chunk, ok := lex.Kstrtoi(p.c.next(), 32)
	if !ok {
		return p.fail("chunk", "Bad numerical argument given for chunk_size")
	}
	switch {
	case p.typ.level == 1:
		chunk = 0
	case chunk <= 0 && chunk != math.MinInt32 || !powerOfTwo(uint32(chunk)): //nolint:gosec // as the kernel
		return p.fail("chunk", "Chunk size must be a power of 2")
	case chunk < 8:
		return p.fail("chunk", "Chunk size value is too small")
	}
	p.Chunk = uint32(chunk) //nolint:gosec // not negative
	for i := 1; i < n; i++ {
		if len(p.c.args) == 0 {
			return p.fail("params", "Not enough raid parameters given")
		}
		key := strings.ToLower(p.c.next())
		alone, err := p.takeFlag(key)
		if err != nil {
			return err
		}
		if alone {
			continue
		}
		i++
		if len(p.c.args) == 0 {
			return p.fail("params", "Wrong number of raid parameters given")
		}
		if err := p.pair(key, p.c.next()); err != nil {
			return err
		}
	}
	return p.checkCombination()
}

// takeFlag takes an option that has no value.
func (p *raidParser) takeFlag(key string) (bool, error) {
	for _, o := range []struct {
		name, reason string
		set          *bool
	}{
		{"nosync", "Only one 'nosync' argument allowed", &p.NoSync},
		{"sync", "Only one 'sync' argument allowed", &p.Sync},
		{"raid10_use_near_sets", "Only one 'raid10_use_new_sets' argument allowed", &p.NearSets},
	} {
		if o.name != key {
			continue
		}
		if *o.set {
			return true, p.fail(key, o.reason)
		}
		*o.set = true
		return true, nil
	}
	return false, nil
}

// pair takes an option and its value.
func (p *raidParser) pair(key, value string) error {
	switch key {
	case "raid10_format":
		switch {
		case p.Raid10Format != "":
			return p.fail(key, "Only one 'raid10_format' argument pair allowed")
		case p.typ.level != 10:
			return p.fail(key, "'raid10_format' is an invalid parameter for this RAID type")
		}
		p.Raid10Format = strings.ToLower(value)
		if !slices.Contains([]string{"near", "far", "offset"}, p.Raid10Format) {
			return p.fail(key, "Invalid 'raid10_format' value given")
		}
		return nil
	case "journal_dev":
		return p.journal(value)
	case "journal_mode":
		switch {
		case p.Journal == "":
			return p.fail(key, "raid4/5/6 'journal_mode' is invalid without 'journal_dev'")
		case p.JournalMode != "":
			return p.fail(key, "Only one raid4/5/6 'journal_mode' argument allowed")
		}
		p.JournalMode = strings.ToLower(value)
		if p.JournalMode != "writethrough" && p.JournalMode != "writeback" {
			return p.fail(key, "Invalid 'journal_mode' argument")
		}
		return nil
	}
	n, ok := lex.Kstrtoi(value, 32)
	if !ok {
		return p.fail(key, "Bad numerical argument given in raid params")
	}
	return p.number(key, int(n))
}

// minJournal is MIN_RAID456_JOURNAL_SPACE, in sectors.
const minJournal = 8192

func (p *raidParser) journal(dev string) error {
	const key = "journal_dev"
	switch {
	case p.Journal != "":
		return p.fail(key, "Only one raid4/5/6 set journaling device allowed")
	case !p.typ.raid456():
		return p.fail(key, "'journal_dev' is an invalid parameter for this RAID type")
	}
	info, err := p.c.device(key, dev, "raid4/5/6 journal device lookup failure")
	if err != nil {
		return err
	}
	if p.c.world != nil && info.Size < minJournal {
		return p.fail(key, "No space for raid4/5/6 journal")
	}
	p.Journal = dev
	return nil
}

// raidNumber is an option that takes a number at most once.
type raidNumber struct {
	name  string
	field **int
	twice string           // the reason if it is given twice
	wrong string           // the reason if the level does not have it
	right func() bool      // whether the level has it; nil means all do
	first bool             // the level is checked before the repetition
	bad   string           // the reason if the value is wrong
	good  func(n int) bool // nil means all are
}

func (p *raidParser) numberOptions() []raidNumber {
	notNegative := func(n int) bool { return n >= 0 }
	raid1 := func() bool { return p.typ.level == 1 }
	return []raidNumber{
		{"max_write_behind", &p.MaxWriteBehind, "Only one max_write_behind argument pair allowed", "max_write_behind option is only valid for RAID1", raid1, true, "Max write-behind limit out of range", notNegative},
		{"daemon_sleep", &p.DaemonSleep, "Only one daemon_sleep argument pair allowed", "", nil, false, "daemon sleep period out of range", notNegative},
		{"data_offset", &p.DataOffset, "Only one data_offset argument pair allowed", "", nil, false, "Bogus data_offset value", goodDataOffset},
		{"delta_disks", &p.DeltaDisks, "Only one delta_disks argument pair allowed", "", nil, false, "Too many delta_disk requested", p.goodDelta},
		{"stripe_cache", &p.StripeCache, "Only one stripe_cache argument pair allowed", "Inappropriate argument: stripe_cache", p.typ.raid456, false, "Bogus stripe cache entries value", notNegative},
		{"min_recovery_rate", &p.MinRecoveryRate, "Only one min_recovery_rate argument pair allowed", "", nil, false, "min_recovery_rate out of range", notNegative},
		{"max_recovery_rate", &p.MaxRecoveryRate, "Only one max_recovery_rate argument pair allowed", "", nil, false, "max_recovery_rate out of range", notNegative},
		{"region_size", &p.RegionSize, "Only one region_size argument pair allowed", "", nil, false, "", nil},
		{"raid10_copies", &p.Raid10Copies, "Only one raid10_copies argument pair allowed", "", nil, false, "Bad value for 'raid10_copies'", func(n int) bool { return n >= 2 && n <= p.disks }},
	}
}

// goodDataOffset requires room for a reshape (MIN_FREE_RESHAPE_SPACE), in
// pages.
func goodDataOffset(n int) bool { return n == 0 || n >= 32 && n%pageSectors == 0 }

func (p *raidParser) goodDelta(n int) bool {
	return n != math.MinInt32 && max(n, -n) >= 1 && max(n, -n) <= maxRaidDisks-p.typ.minimal
}

func (p *raidParser) number(key string, n int) error {
	inRange := n >= 0 && n < p.disks
	switch key {
	case "rebuild":
		switch {
		case !inRange:
			return p.fail(key, "Invalid rebuild index given")
		case slices.Contains(p.Rebuild, n):
			return p.fail(key, "rebuild for this index already given")
		}
		p.Rebuild = append(p.Rebuild, n)
		return nil
	case "write_mostly":
		switch {
		case p.typ.level != 1:
			return p.fail(key, "write_mostly option is only valid for RAID1")
		case !inRange:
			return p.fail(key, "Invalid write_mostly index given")
		}
		p.WriteMostly = append(p.WriteMostly, n)
		return nil
	}
	for _, o := range p.numberOptions() {
		if o.name == key {
			return p.once(o, n)
		}
	}
	return p.c.because("params", "Unable to parse RAID parameter", key)
}

func (p *raidParser) once(o raidNumber, n int) error {
	wrong := o.right != nil && !o.right()
	switch {
	case wrong && o.first:
		return p.fail(o.name, o.wrong)
	case *o.field != nil:
		return p.fail(o.name, o.twice)
	case wrong:
		return p.fail(o.name, o.wrong)
	case o.good != nil && !o.good(n):
		return p.fail(o.name, o.bad)
	}
	*o.field = &n
	return nil
}

// checkCombination checks the options against each other.
func (p *raidParser) checkCombination() error {
	switch {
	case p.Sync && p.NoSync:
		return p.fail("sync", "sync and nosync are mutually exclusive")
	case len(p.Rebuild) > 0 && (p.Sync || p.NoSync):
		return p.fail("rebuild", "sync/nosync and rebuild are mutually exclusive")
	case len(p.WriteMostly) >= p.disks:
		return p.fail("write_mostly", "Can't set all raid1 devices to write_mostly")
	case value(p.MaxRecoveryRate) != 0 && value(p.MinRecoveryRate) > value(p.MaxRecoveryRate):
		return p.fail("min_recovery_rate", "Bogus recovery rates")
	}
	if err := p.region(); err != nil {
		return err
	}
	if p.typ.level == 10 {
		switch format := p.format(); {
		case p.copies() > p.disks:
			return p.fail("raid10_copies", "Not enough devices to satisfy specification")
		case format == "near" && p.NearSets:
			return p.fail("raid10_use_near_sets", "RAID10 format 'near' and 'raid10_use_near_sets' are incompatible")
		}
	}
	return p.flags()
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// format judges the raid10 layout; the name of the type is not considered.
func (p *raidParser) format() string {
	if p.Raid10Format == "" {
		return "near"
	}
	return p.Raid10Format
}

func (p *raidParser) copies() int {
	if p.Raid10Copies == nil {
		return 2
	}
	return *p.Raid10Copies
}

// region judges the region size as validate_region_size does.
func (p *raidParser) region() error {
	if p.typ.level == 0 || value(p.RegionSize) == 0 {
		return nil
	}
	n := uint64(*p.RegionSize) //nolint:gosec // a negative one is too large, as in the kernel
	if p.c.length > 0 {
		switch {
		case n > p.c.length:
			return p.fail("region_size", "Supplied region size is too large")
		case n < p.c.length>>21:
			return p.fail("region_size", "Supplied region size is too small")
		}
	}
	switch {
	case !powerOfTwo(n):
		return p.fail("region_size", "Region size is not a power of 2")
	case n < uint64(p.Chunk):
		return p.fail("region_size", "Region size is smaller than the chunk size")
	}
	return nil
}

// raidOptions reports which options a level accepts (RAID*_VALID_FLAGS).
var raidOptions = map[int][]string{
	0:  {"data_offset"},
	1:  {"sync", "nosync", "rebuild", "write_mostly", "daemon_sleep", "min_recovery_rate", "max_recovery_rate", "max_write_behind", "region_size", "delta_disks", "data_offset"},
	10: {"sync", "nosync", "rebuild", "daemon_sleep", "min_recovery_rate", "max_recovery_rate", "region_size", "raid10_copies", "raid10_format", "delta_disks", "data_offset", "raid10_use_near_sets"},
	4:  {"sync", "nosync", "rebuild", "daemon_sleep", "min_recovery_rate", "max_recovery_rate", "stripe_cache", "region_size", "delta_disks", "data_offset", "journal_dev", "journal_mode"},
	5:  {"sync", "nosync", "rebuild", "daemon_sleep", "min_recovery_rate", "max_recovery_rate", "stripe_cache", "region_size", "delta_disks", "data_offset", "journal_dev", "journal_mode"},
	6:  {"sync", "rebuild", "daemon_sleep", "min_recovery_rate", "max_recovery_rate", "stripe_cache", "region_size", "delta_disks", "data_offset", "journal_dev", "journal_mode"},
}

func (p *raidParser) flags() error {
	for _, o := range slices.Concat(p.options()...) {
		if !slices.Contains(raidOptions[p.typ.level], o[0]) {
			return p.fail(o[0], "Invalid flags combination")
		}
	}
	return nil
}

// parseDisks reads the devices as parse_dev_params does.
func (p *raidParser) parseDisks() error {
	p.c.next() // their number
	for i := range p.disks {
		d := RaidDisk{p.c.next(), p.c.next()}
		if d.Data == "" {
			// An option has taken the number of devices for its value.
			return p.c.because("params", "Unknown error", "the number of raid parameters is wrong")
		}
		if d.Metadata != "-" {
			if _, err := p.c.device("metadata", d.Metadata, "RAID metadata device lookup failure"); err != nil {
				return err
			}
		}
		if d.Data == "-" {
			switch {
			case slices.Contains(p.Rebuild, i):
				return p.fail("data", "Drive designated for rebuild not specified")
			case d.Metadata != "-":
				return p.fail("data", "No data device supplied with metadata device")
			}
		} else if _, err := p.c.device("data", d.Data, "RAID device lookup failure"); err != nil {
			return err
		}
		p.Disks = append(p.Disks, d)
	}
	return nil
}

// sizes judges the length as rs_set_dev_and_array_sectors does.
func (p *raidParser) sizes() error {
	const reason = "Target length not divisible by number of data devices"
	if p.c.length == 0 {
		return nil
	}
	dev := p.c.length
	data := uint64(p.disks - p.typ.parity)
	switch p.typ.level {
	case 1:
	case 10:
		if value(p.DeltaDisks) < 0 {
			return p.fail("delta_disks", "Bogus raid10 data copies or delta disks")
		}
		if dev *= uint64(p.copies()); dev%data != 0 {
			return p.fail("", reason)
		}
		dev /= data
	default:
		if dev%data != 0 {
			return p.fail("", reason)
		}
		dev /= data
	}
	if p.c.world == nil {
		return nil
	}
	for _, d := range p.Disks {
		if d.Data == "-" {
			continue
		}
		if info, err := p.c.world.Device(d.Data); err == nil && info.Size < dev {
			return p.fail("data", "Component device(s) too small")
		}
	}
	return nil
}
