package dm

import (
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Writecache keeps writes on a fast device for a while (dm-writecache.c).
type Writecache struct {
	Persistent       bool // the cache is persistent memory: p, otherwise s
	Origin           string
	Cache            string
	Block            uint32  // bytes: a power of two from 512 to a page
	StartSector      *uint64 // sectors at the start of Cache to leave out
	HighWatermark    *uint32 // percent of blocks used; the default is 50
	LowWatermark     *uint32 // percent; the default is 45
	WritebackJobs    *uint32
	AutocommitBlocks *uint32
	AutocommitTime   *uint32 // milliseconds, at most an hour
	MaxAge           *uint32 // milliseconds, at most a day (5.7)
	Cleaner          bool    // (5.6)
	FUA              *bool   // with persistent memory: fua or nofua
	MetadataOnly     bool    // (5.14)
	PauseWriteback   *uint32 // milliseconds, at most a minute; not with persistent memory (5.14)
}

// Type is "writecache".
func (Writecache) Type() string { return "writecache" }

// Params is `p|s <origin dev> <cache dev> <block> <#options> <options>...`.
func (a Writecache) Params() string {
	mode := "s"
	if a.Persistent {
		mode = "p"
	}
	return join(append([]string{mode, a.Origin, a.Cache, utoa(a.Block)}, counted(a.options())...)...)
}

func optional[T uint32 | uint64](name string, n *T) []string {
	if n == nil {
		return nil
	}
	return []string{name, utoa(*n)}
}

func (a Writecache) options() []string {
	o := optional("start_sector", a.StartSector)
	for _, n := range a.numbers()[:6] {
		o = append(o, optional(n.name, *n.field)...)
	}
	if a.Cleaner {
		o = append(o, "cleaner")
	}
	if a.FUA != nil {
		word := "nofua"
		if *a.FUA {
			word = "fua"
		}
		o = append(o, word)
	}
	if a.MetadataOnly {
		o = append(o, "metadata_only")
	}
	return append(o, optional("pause_writeback", a.PauseWriteback)...)
}

// limitedNumber is an option that takes a number.
type limitedNumber struct {
	name  string
	field **uint32
	limit uint32
}

func (a *Writecache) numbers() []limitedNumber {
	const none = 1<<32 - 1
	return []limitedNumber{
		{"high_watermark", &a.HighWatermark, 100},
		{"low_watermark", &a.LowWatermark, 100},
		{"writeback_jobs", &a.WritebackJobs, none},
		{"autocommit_blocks", &a.AutocommitBlocks, none},
		{"autocommit_time", &a.AutocommitTime, 3600000},
		{"max_age", &a.MaxAge, 86400000},
		{"pause_writeback", &a.PauseWriteback, 60000},
	}
}

// Devices are the origin and the cache.
func (a Writecache) Devices() []Ref { return []Ref{Ref(a.Origin), Ref(a.Cache)} }

func (a Writecache) areas(length uint64) []area { return []area{{a.Origin, 0, length}} }

func parseWritecache(c *ctr) (Args, error) {
	const bad = "Bad arguments"
	var a Writecache
	switch strings.ToLower(c.next()) {
	case "s":
	case "p":
		a.Persistent = true
	default:
		return nil, c.fail("mode", bad)
	}
	if a.Origin = c.next(); a.Origin == "" {
		return nil, c.fail("origin", bad)
	}
	origin, err := c.device("origin", a.Origin, "Origin data device lookup failed")
	if err != nil {
		return nil, err
	}
	if a.Cache = c.next(); a.Cache == "" {
		return nil, c.fail("cache", bad)
	}
	cache, err := c.device("cache", a.Cache, "Cache data device lookup failed")
	if err != nil {
		return nil, err
	}
	if len(c.args) == 0 {
		return nil, c.fail("block", bad)
	}
	var ok bool
	if a.Block, ok = lex.ScanU32(c.next()); !ok || a.Block < 512 || a.Block > pageSectors<<9 || !powerOfTwo(a.Block) {
		return nil, c.fail("block", "Invalid block size")
	}
	if uint64(a.Block>>9) < max(origin.blockSectors(), cache.blockSectors()) {
		return nil, c.fail("block", "Block size is smaller than device logical block size")
	}
	if err := a.parseOptions(c, cache); err != nil {
		return nil, err
	}
	if c.world != nil && !a.Persistent && !a.fits(cache.Size<<9) {
		return nil, c.fail("cache", "Invalid device size")
	}
	return a, nil
}

// fits reports whether a cache of that many bytes has room for one block, its
// entry of 16 bytes, and the superblock of 64 (calculate_memory_size).
func (a *Writecache) fits(size uint64) bool {
	if a.StartSector != nil {
		size -= *a.StartSector << 9
	}
	block := uint64(a.Block)
	for n := size / (block + 16); n > 0; n-- {
		if head := (64 + 16*n + block - 1) / block * block; head+n*block <= size {
			return true
		}
	}
	return false
}

func (a *Writecache) parseOptions(c *ctr, cache DeviceInfo) error {
	n, err := c.group("options", 0, 18, "Invalid number of feature args")
	if err != nil {
		return err
	}
	for n > 0 {
		before := len(c.args)
		if err := a.option(c, strings.ToLower(c.next()), n-1, cache); err != nil {
			return err
		}
		n -= before - len(c.args)
	}
	high, low := uint32(50), uint32(45)
	if a.HighWatermark != nil {
		high = *a.HighWatermark
	}
	if a.LowWatermark != nil {
		low = *a.LowWatermark
	}
	if high < low {
		return c.fail("high_watermark", "High watermark must be greater than or equal to low watermark")
	}
	return nil
}

// option takes one option; left is how many words may belong to it.
func (a *Writecache) option(c *ctr, name string, left int, cache DeviceInfo) error {
	const bad = "Invalid optional argument"
	switch name {
	case "cleaner":
		a.Cleaner = true
		return nil
	case "metadata_only":
		a.MetadataOnly = true
		return nil
	case "fua", "nofua":
		if !a.Persistent {
			return c.fail(name, bad)
		}
		fua := name == "fua"
		a.FUA = &fua
		return nil
	}
	if left < 1 {
		return c.fail("options", bad)
	}
	if name == "start_sector" {
		n, ok := lex.ScanU64(c.next())
		if !ok || c.world != nil && n >= cache.Size {
			return c.fail(name, bad)
		}
		a.StartSector = &n
		return nil
	}
	for _, o := range a.numbers() {
		if o.name != name {
			continue
		}
		n, ok := lex.ScanU32(c.next())
		if !ok || n > o.limit || name == "pause_writeback" && a.Persistent {
			return c.fail(name, bad)
		}
		*o.field = &n
		return nil
	}
	return c.fail("options", bad)
}

// WritecacheStatus is the state of a writecache. All fields except Error count
// blocks or requests.
type WritecacheStatus struct {
	Error                                            int64 // 0, or the error that has stopped the device
	Blocks, Free, Writeback                          uint64
	Reads, ReadHits                                  uint64
	Writes, WriteHitsUncommitted, WriteHitsCommitted uint64
	WritesAround, WritesAllocated, WritesBlocked     uint64
	Flushes, Discards                                uint64
	short                                            bool // from old kernels: no more than the first four numbers
}

// Type is "writecache".
func (WritecacheStatus) Type() string { return "writecache" }

func (s *WritecacheStatus) counters() []*uint64 {
	return []*uint64{
		&s.Blocks, &s.Free, &s.Writeback, &s.Reads, &s.ReadHits, &s.Writes, &s.WriteHitsUncommitted,
		&s.WriteHitsCommitted, &s.WritesAround, &s.WritesAllocated, &s.WritesBlocked, &s.Flushes, &s.Discards,
	}
}

// writecacheOld is how many counters old kernels print.
const writecacheOld = 3

// String is the error and the counters.
func (s WritecacheStatus) String() string {
	words := []string{itoa(s.Error)}
	counters := s.counters()
	if s.short {
		counters = counters[:writecacheOld]
	}
	for _, n := range counters {
		words = append(words, utoa(*n))
	}
	return join(words...)
}

func parseWritecacheStatus(s *scan) (Status, error) {
	var st WritecacheStatus
	w := s.word("error")
	var ok bool
	if st.Error, ok = lex.Kstrtoi(w, 64); !ok {
		return nil, s.fail("error", w)
	}
	counters := st.counters()
	if st.short = len(s.words) == writecacheOld; st.short {
		counters = counters[:writecacheOld]
	}
	for _, n := range counters {
		*n = s.u64("counter")
	}
	return st, nil
}
