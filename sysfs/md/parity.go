package md

// StripeCacheSize returns how many stripes of one page per member a raid4, 5 or
// 6 keeps in memory (stripe_cache_size; 17 to 32768). Other levels give
// [sysfs.ErrNotSupported], as for all methods of this group.
func (a *Array) StripeCacheSize() (stripes uint64, err error) { return attrStripeCacheSize.get(a.dir) }

// SetStripeCacheSize sets that number.
func (a *Array) SetStripeCacheSize(stripes uint64) error { return a.StripeCacheSizeTo(stripes).Write() }

// StripeCacheActive returns how many of the stripes are in use
// (stripe_cache_active).
func (a *Array) StripeCacheActive() (stripes uint64, err error) {
	return attrStripeCacheActive.get(a.dir)
}

// PrereadBypassThreshold returns how often a stripe that needs reading may be
// overtaken by those that do not (preread_bypass_threshold).
func (a *Array) PrereadBypassThreshold() (uint64, error) { return attrPrereadBypass.get(a.dir) }

// SetPrereadBypassThreshold sets that number, up to StripeCacheSize.
func (a *Array) SetPrereadBypassThreshold(n uint64) error {
	return attrPrereadBypass.set(a.dir, formatUint(n))
}

// GroupThreadCount returns how many threads per NUMA node handle stripes; 0
// means only the array's own thread (group_thread_cnt).
func (a *Array) GroupThreadCount() (uint64, error) { return attrGroupThreadCount.get(a.dir) }

// SetGroupThreadCount sets that number, up to 8192.
func (a *Array) SetGroupThreadCount(n uint64) error {
	return attrGroupThreadCount.set(a.dir, formatUint(n))
}

// SkipCopy reports whether full stripes are written from the caller's pages
// (skip_copy).
func (a *Array) SkipCopy() (bool, error) { return attrSkipCopy.get(a.dir) }

// SetSkipCopy sets whether they are.
func (a *Array) SetSkipCopy(on bool) error { return attrSkipCopy.set(a.dir, formatBool(on)) }

// RMWLevel returns when parity is updated by reading the old data and parity: 0
// never, 1 if that takes fewer reads, 2 also if it takes as many (rmw_level).
func (a *Array) RMWLevel() (uint64, error) { return attrRMWLevel.get(a.dir) }

// SetRMWLevel sets that level.
func (a *Array) SetRMWLevel(n uint64) error { return attrRMWLevel.set(a.dir, formatUint(n)) }

// StripeSize returns the unit in which parity is computed, in bytes
// (stripe_size; Linux 5.10).
func (a *Array) StripeSize() (bytes uint64, err error) { return attrStripeSize.get(a.dir) }

// SetStripeSize sets that unit, on machines whose pages are larger than 4096
// bytes.
func (a *Array) SetStripeSize(bytes uint64) error {
	return attrStripeSize.set(a.dir, formatUint(bytes))
}

// JournalMode returns whether the journal is a write-through or a write-back
// cache (journal_mode). Without a journal the error matches [sysfs.ErrEmpty].
func (a *Array) JournalMode() (Choice, error) { return attrJournalMode.get(a.dir) }

// SetJournalMode sets the mode to "write-through" or "write-back".
func (a *Array) SetJournalMode(mode string) error { return attrJournalMode.set(a.dir, mode) }

// PPLWriteHint returns the write lifetime hint of the partial parity log, which
// Linux 6.1 and later always show as 0 (ppl_write_hint).
func (a *Array) PPLWriteHint() (uint64, error) { return attrPPLWriteHint.get(a.dir) }

// SetPPLWriteHint sets that hint; Linux 6.1 and later check it and do nothing.
func (a *Array) SetPPLWriteHint(n uint16) error {
	return attrPPLWriteHint.set(a.dir, formatUint(uint64(n)))
}
