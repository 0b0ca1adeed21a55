package md

var (
	attrLevel             = rw("level", parseLevel)
	attrNewLevel          = rw("new_level", parseInt)
	attrLayout            = rw("layout", parseTransition)
	attrRaidDisks         = rw("raid_disks", parseTransition)
	attrUUID              = ro("uuid", parseUUID)
	attrChunkSize         = rw("chunk_size", parseTransition)
	attrComponentSize     = rw("component_size", parseUint)
	attrArraySize         = rw("array_size", word("default"))
	attrMetadata          = rw("metadata_version", parseMetadata)
	attrResyncStart       = rw("resync_start", word("none"))
	attrState             = rw("array_state", parseWord(states))
	attrSafeModeDelay     = rw("safe_mode_delay", parseSeconds)
	attrReshapePosition   = rw("reshape_position", word("none"))
	attrReshapeDirection  = rw("reshape_direction", parseWord(directions))
	attrMaxReadErrors     = rw("max_read_errors", parseUint)
	attrConsistencyPolicy = rw("consistency_policy", parseWord(policies))
	attrFailLastDev       = rw("fail_last_dev", parseBool)
	attrSerializePolicy   = rw("serialize_policy", word("n/a"))
	attrLogicalBlockSize  = rw("logical_block_size", parseUint)
	attrBitmapType        = rw("bitmap_type", parseChoice)
	attrNewDev            = wo("new_dev")

	attrSyncAction        = rw("sync_action", parseWord(syncActions))
	attrLastSyncAction    = ro("last_sync_action", parseLastSync)
	attrMismatchCount     = ro("mismatch_cnt", parseUint)
	attrSyncSpeedMin      = rw("sync_speed_min", parseLimit)
	attrSyncSpeedMax      = rw("sync_speed_max", parseLimit)
	attrSyncIODepth       = rw("sync_io_depth", parseLimit)
	attrSyncSpeed         = ro("sync_speed", word("none"))
	attrSyncForceParallel = rw("sync_force_parallel", parseBool)
	attrSyncCompleted     = ro("sync_completed", parseProgress)
	attrSyncMin           = rw("sync_min", parseUint)
	attrSyncMax           = rw("sync_max", word("max"))
	attrSuspendLo         = rw("suspend_lo", parseUint)
	attrSuspendHi         = rw("suspend_hi", parseUint)
	attrBitmapSetBits     = wo("bitmap_set_bits")
	attrDegraded          = ro("degraded", parseInt)

	attrStripeCacheSize   = rw("stripe_cache_size", parseUint)
	attrStripeCacheActive = ro("stripe_cache_active", parseUint)
	attrPrereadBypass     = rw("preread_bypass_threshold", parseUint)
	attrGroupThreadCount  = rw("group_thread_cnt", parseUint)
	attrSkipCopy          = rw("skip_copy", parseBool)
	attrRMWLevel          = rw("rmw_level", parseUint)
	attrStripeSize        = rw("stripe_size", parseUint)
	attrJournalMode       = rw("journal_mode", parseChoice)
	attrPPLWriteHint      = rw("ppl_write_hint", parseUint)

	attrBitmapLocation       = rw("bitmap/location", parseBitmapPlace)
	attrBitmapSpace          = rw("bitmap/space", parseUint)
	attrBitmapTimeBase       = rw("bitmap/time_base", parseSeconds)
	attrBitmapBacklog        = rw("bitmap/backlog", parseUint)
	attrBitmapChunkSize      = rw("bitmap/chunksize", parseUint)
	attrBitmapMetadata       = rw("bitmap/metadata", parseWord(bitmapMetadata))
	attrBitmapCanClear       = rw("bitmap/can_clear", parseTrueFalse)
	attrBitmapMaxBacklogUsed = rw("bitmap/max_backlog_used", parseUint)

	attrLLBits          = ro("llbitmap/bits", parseLockless)
	attrLLMetadata      = ro("llbitmap/metadata", parseLockless)
	attrLLDaemonSleep   = rw("llbitmap/daemon_sleep", parseUint)
	attrLLBarrierIdle   = rw("llbitmap/barrier_idle", parseUint)
	attrLLProactiveSync = wo("llbitmap/proactive_sync")
)

// arrayAttrs lists the attributes of an array, in the kernel's order.
var arrayAttrs = []describer{
	attrLevel, attrNewLevel, attrBitmapType, attrLayout, attrRaidDisks, attrUUID, attrChunkSize,
	attrComponentSize, attrResyncStart, attrMetadata, attrNewDev, attrSafeModeDelay, attrState,
	attrReshapePosition, attrReshapeDirection, attrArraySize, attrMaxReadErrors,
	attrConsistencyPolicy, attrFailLastDev, attrSerializePolicy, attrLogicalBlockSize,

	attrSyncAction, attrLastSyncAction, attrMismatchCount, attrSyncSpeedMin, attrSyncSpeedMax,
	attrSyncIODepth, attrSyncSpeed, attrSyncForceParallel, attrSyncCompleted, attrSyncMin, attrSyncMax,
	attrSuspendLo, attrSuspendHi, attrBitmapSetBits, attrDegraded,

	attrStripeCacheSize, attrStripeCacheActive, attrPrereadBypass, attrGroupThreadCount, attrSkipCopy,
	attrRMWLevel, attrStripeSize, attrJournalMode, attrPPLWriteHint,

	attrBitmapLocation, attrBitmapSpace, attrBitmapTimeBase, attrBitmapBacklog, attrBitmapChunkSize,
	attrBitmapMetadata, attrBitmapCanClear, attrBitmapMaxBacklogUsed,

	attrLLBits, attrLLMetadata, attrLLDaemonSleep, attrLLBarrierIdle, attrLLProactiveSync,
}

func word(w string) func(string) (Number, error) {
	return func(s string) (Number, error) { return parseNumber(s, w) }
}

func parseTrueFalse(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wanted("true or false")
}
