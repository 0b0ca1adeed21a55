package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Cache keeps the hot blocks of a slow device on a fast one
// (dm-cache-target.c).
type Cache struct {
	Metadata          string // "major:minor" or a path
	Cache             string // the fast device
	Origin            string // the slow one
	Block             uint32 // sectors: a multiple of 64, at most 2097152
	Mode              string // "writeback", "writethrough", "passthrough"; empty is writeback
	Metadata2         bool   // the second metadata format (4.12)
	NoDiscardPassdown bool   // discards do not reach the origin (5.1)
	Policy            string // "smq", "cleaner", "mq" or "default"
	PolicyArgs        []KeyValue
	spelling          spelling
}

// KeyValue is a setting and its value.
type KeyValue struct {
	Key, Value string
}

// Type is "cache".
func (Cache) Type() string { return "cache" }

// Params is `<metadata dev> <cache dev> <origin dev> <block> <#features>
// <features>... <policy> <#args> {<key> <value>}...`. Kernels print everything
// from the block size on as it was given.
func (a Cache) Params() string { return a.spelling.of(a.text()) }

func (a Cache) text() string {
	var f []string
	if a.Metadata2 {
		f = append(f, "metadata2")
	}
	if a.Mode != "" {
		f = append(f, a.Mode)
	}
	if a.NoDiscardPassdown {
		f = append(f, "no_discard_passdown")
	}
	words := append([]string{a.Metadata, a.Cache, a.Origin, utoa(a.Block), utoa(uint64(len(f)))}, f...)
	words = append(words, a.Policy, utoa(uint64(2*len(a.PolicyArgs))))
	for _, kv := range a.PolicyArgs {
		words = append(words, kv.Key, kv.Value)
	}
	return join(words...)
}

// Devices are metadata, cache and origin.
func (a Cache) Devices() []Ref { return []Ref{Ref(a.Metadata), Ref(a.Cache), Ref(a.Origin)} }

func (a Cache) areas(length uint64) []area { return []area{{a.Origin, 0, length}} }

// Limits of DATA_DEV_BLOCK_SIZE, in sectors.
const (
	cacheMinBlock = 64
	cacheMaxBlock = 2097152
)

func parseCache(c *ctr) (Args, error) {
	given := join(lex.Fields(c.raw)...)
	var a Cache
	size, err := a.parseDevices(c)
	if err != nil {
		return nil, err
	}
	if len(c.args) == 0 {
		return nil, c.fail("block", "Insufficient args")
	}
	n, ok := lex.Kstrtou(c.next(), 64)
	if !ok || n < cacheMinBlock || n > cacheMaxBlock || n%cacheMinBlock != 0 {
		return nil, c.fail("block", "Invalid data block size")
	}
	if a.Block = uint32(n); c.world != nil && n > size {
		return nil, c.fail("block", "Data block size is larger than the cache device")
	}
	if err := a.parseFeatures(c); err != nil {
		return nil, err
	}
	if err := a.parsePolicy(c); err != nil {
		return nil, err
	}
	a.spelling = spelling{a.text(), given}
	return a, nil
}

// parseDevices returns the size of the cache device in sectors.
func (a *Cache) parseDevices(c *ctr) (uint64, error) {
	var size uint64
	for i, d := range []struct {
		name         *string
		field, wrong string
	}{
		{&a.Metadata, "metadata", "Error opening metadata device"},
		{&a.Cache, "cache", "Error opening cache device"},
		{&a.Origin, "origin", "Error opening origin device"},
	} {
		if len(c.args) == 0 {
			return 0, c.fail(d.field, "Insufficient args")
		}
		*d.name = c.next()
		info, err := c.device(d.field, *d.name, d.wrong)
		if err != nil {
			return 0, err
		}
		switch {
		case i == 1:
			size = info.Size
		case i == 2 && c.world != nil && c.length > info.Size && !c.since(2, 4, 0):
			return 0, c.fail("origin", "Device size larger than cached device")
		}
	}
	return size, nil
}

func (a *Cache) parseFeatures(c *ctr) error {
	n, err := c.group("features", 0, 3, "Invalid number of cache feature arguments")
	if err != nil {
		return err
	}
	modes := 0
	for range n {
		switch word := strings.ToLower(c.next()); word {
		case "writeback", "writethrough", "passthrough":
			a.Mode = word
			modes++
		case "metadata2":
			a.Metadata2 = true
		case "no_discard_passdown":
			a.NoDiscardPassdown = true
		default:
			return c.fail("features", "Unrecognised cache feature requested")
		}
	}
	if modes > 1 {
		return c.fail("features", "Duplicate cache io_mode features requested")
	}
	return nil
}

func (a *Cache) parsePolicy(c *ctr) error {
	if len(c.args) == 0 {
		return c.fail("policy", "Insufficient args")
	}
	a.Policy = c.next()
	n, err := c.group("policy args", 0, 1024, "Invalid number of policy arguments")
	if err != nil {
		return err
	}
	switch a.Policy {
	case "smq", "cleaner", "mq", "default":
	default:
		return c.fail("policy", "Error creating cache's policy")
	}
	const reason = "Error setting cache policy's config values"
	if n%2 != 0 {
		return c.because("policy args", reason, "Odd number of policy arguments given but they should be <key> <value> pairs.")
	}
	for range n / 2 {
		kv := KeyValue{c.next(), c.next()}
		if !a.goodSetting(kv) {
			return c.because("policy args", reason, "bad config value for "+kv.Key+": "+kv.Value)
		}
		a.PolicyArgs = append(a.PolicyArgs, kv)
	}
	return nil
}

// goodSetting reports whether the policy accepts the setting: what was tunable
// in mq is still accepted under its alias, without effect.
func (a *Cache) goodSetting(kv KeyValue) bool {
	if _, ok := lex.Kstrtou(kv.Value, 64); !ok {
		return false
	}
	switch strings.ToLower(kv.Key) {
	case "migration_threshold":
		return true
	case "random_threshold", "sequential_threshold", "discard_promote_adjustment",
		"read_promote_adjustment", "write_promote_adjustment":
		return a.Policy == "mq"
	}
	return false
}

// CacheStatus is the state of a cache.
type CacheStatus struct {
	Word                        string // "Fail" or "Error" in place of everything else
	MetadataBlock               uint32 // sectors of a metadata block: 8
	UsedMetadata, TotalMetadata uint64 // metadata blocks
	Block                       uint64 // sectors of a cache block
	Used, Total                 uint64 // cache blocks
	ReadHits, ReadMisses        uint32
	WriteHits, WriteMisses      uint32
	Demotions, Promotions       uint32
	Dirty                       uint64 // cache blocks
	Features                    []string
	CoreArgs                    []string // keys and values: "migration_threshold", sectors
	Policy                      string
	PolicyArgs                  []string // keys and values
	ReadOnly                    bool     // of the metadata
	NeedsCheck                  bool
}

// Type is "cache".
func (CacheStatus) Type() string { return "cache" }

// String is the kernel's line, with a trailing blank.
func (s CacheStatus) String() string {
	if s.Word != "" {
		return s.Word
	}
	words := []string{
		utoa(s.MetadataBlock), ratio(s.UsedMetadata, s.TotalMetadata), utoa(s.Block), ratio(s.Used, s.Total),
		utoa(s.ReadHits), utoa(s.ReadMisses), utoa(s.WriteHits), utoa(s.WriteMisses),
		utoa(s.Demotions), utoa(s.Promotions), utoa(s.Dirty),
	}
	words = append(words, counted(s.Features)...)
	words = append(words, counted(s.CoreArgs)...)
	words = append(append(words, s.Policy), counted(s.PolicyArgs)...)
	mode, check := "rw", "-"
	if s.ReadOnly {
		mode = "ro"
	}
	if s.NeedsCheck {
		check = "needs_check"
	}
	return strings.Join(append(words, mode, check), " ") + " "
}

// counted puts the number of words in front of them.
func counted(words []string) []string {
	return append([]string{utoa(uint64(len(words)))}, words...)
}

// list takes a number and that many words.
func (s *scan) list(field string) []string {
	var words []string
	for range s.count(field, 1) {
		words = append(words, s.word(field))
	}
	return words
}

func parseCacheStatus(s *scan) (Status, error) {
	var st CacheStatus
	if st.Word = s.state("Fail", "Error"); st.Word != "" {
		return st, nil
	}
	st.MetadataBlock = s.u32("metadata block")
	st.UsedMetadata, st.TotalMetadata = s.pair("metadata")
	st.Block = s.u64("block")
	st.Used, st.Total = s.pair("cache blocks")
	for _, n := range []*uint32{
		&st.ReadHits, &st.ReadMisses, &st.WriteHits, &st.WriteMisses, &st.Demotions, &st.Promotions,
	} {
		*n = s.u32("counter")
	}
	st.Dirty = s.u64("dirty")
	st.Features = s.list("features")
	st.CoreArgs = s.list("core args")
	st.Policy = s.word("policy")
	st.PolicyArgs = s.list("policy args")
	st.ReadOnly = s.either("mode", "ro", "rw")
	st.NeedsCheck = s.either("needs check", "needs_check", "-")
	return st, nil
}
