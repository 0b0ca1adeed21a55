package md

// SyncAction returns the sync action that the array is performing
// (sync_action). Levels without redundancy give [sysfs.ErrNotSupported], as for
// all methods of this group.
func (a *Array) SyncAction() (SyncAction, error) { return attrSyncAction.get(a.dir) }

// SetSyncAction starts or stops an action.
func (a *Array) SetSyncAction(s SyncAction) error { return a.SyncActionTo(s).Write() }

// LastSyncAction returns the previous sync action (last_sync_action).
func (a *Array) LastSyncAction() (SyncAction, error) { return attrLastSyncAction.get(a.dir) }

// MismatchCount returns how much redundancy the last check or repair found to
// be inconsistent, in sectors of 512 bytes, counted in whole requests
// (mismatch_cnt).
func (a *Array) MismatchCount() (sectors uint64, err error) { return attrMismatchCount.get(a.dir) }

// SyncCompleted returns how far the action has progressed (sync_completed).
func (a *Array) SyncCompleted() (Progress, error) { return attrSyncCompleted.get(a.dir) }

// SyncSpeed returns the speed of the action over the last seconds, in KiB/s;
// [None] if nothing is running (sync_speed).
func (a *Array) SyncSpeed() (kib Number, err error) { return attrSyncSpeed.get(a.dir) }

// SyncSpeedMin returns the speed, in KiB/s, that actions keep up even if others
// use the disks (sync_speed_min).
func (a *Array) SyncSpeedMin() (Limit, error) { return attrSyncSpeedMin.get(a.dir) }

// SetSyncSpeedMin sets that speed in KiB/s, or makes it follow [System].
func (a *Array) SetSyncSpeedMin(kib uint64) error {
	return attrSyncSpeedMin.set(a.dir, formatLimit(kib))
}

// SyncSpeedMax returns the speed, in KiB/s, that actions never exceed
// (sync_speed_max).
func (a *Array) SyncSpeedMax() (Limit, error) { return attrSyncSpeedMax.get(a.dir) }

// SetSyncSpeedMax sets that speed in KiB/s, or makes it follow [System].
func (a *Array) SetSyncSpeedMax(kib uint64) error {
	return attrSyncSpeedMax.set(a.dir, formatLimit(kib))
}

// SyncIODepth returns how many requests an action keeps in flight while others
// use the disks (sync_io_depth; after Linux 6.12).
func (a *Array) SyncIODepth() (Limit, error) { return attrSyncIODepth.get(a.dir) }

// SetSyncIODepth sets that number, or makes it follow [System].
func (a *Array) SetSyncIODepth(n uint64) error { return attrSyncIODepth.set(a.dir, formatLimit(n)) }

// SyncForceParallel reports whether arrays that share a disk sync at the same
// time (sync_force_parallel).
func (a *Array) SyncForceParallel() (bool, error) { return attrSyncForceParallel.get(a.dir) }

// SetSyncForceParallel lets them sync at the same time, or makes them wait for
// each other.
func (a *Array) SetSyncForceParallel(on bool) error {
	return attrSyncForceParallel.set(a.dir, formatBool(on))
}

// SyncMin returns where in a member a check or repair begins, in sectors of 512
// bytes (sync_min).
func (a *Array) SyncMin() (sector uint64, err error) { return attrSyncMin.get(a.dir) }

// SetSyncMin sets where it begins; the kernel rounds down to 4 KiB.
func (a *Array) SetSyncMin(sector uint64) error { return a.SyncMinTo(sector).Write() }

// SyncMax returns where in a member an action pauses, in sectors of 512 bytes;
// [None] for the end (sync_max).
func (a *Array) SyncMax() (sector Number, err error) { return attrSyncMax.get(a.dir) }

// SetSyncMax sets where an action pauses: a whole number of chunks, or [None].
func (a *Array) SetSyncMax(sector Number) error { return a.SyncMaxTo(sector).Write() }

// ResyncStart returns from where on the redundancy has to be resynced with the
// data, in sectors of 512 bytes; [None] if it agrees (resync_start).
func (a *Array) ResyncStart() (sector Number, err error) { return attrResyncStart.get(a.dir) }

// SetResyncStart sets that position, on an array that does not run or is
// frozen.
func (a *Array) SetResyncStart(sector Number) error { return a.ResyncStartTo(sector).Write() }

// SuspendLo returns the first sector, of 512 bytes, of the window in which
// writes wait (suspend_lo).
func (a *Array) SuspendLo() (sector uint64, err error) { return attrSuspendLo.get(a.dir) }

// SetSuspendLo moves the start of that window.
func (a *Array) SetSuspendLo(sector uint64) error {
	return attrSuspendLo.set(a.dir, formatUint(sector))
}

// SuspendHi returns the first sector, of 512 bytes, after the window in which
// writes wait (suspend_hi).
func (a *Array) SuspendHi() (sector uint64, err error) { return attrSuspendHi.get(a.dir) }

// SetSuspendHi moves the end of that window.
func (a *Array) SetSuspendHi(sector uint64) error {
	return attrSuspendHi.set(a.dir, formatUint(sector))
}

// Degraded returns how many slots have no working member (degraded).
func (a *Array) Degraded() (int, error) { return attrDegraded.get(a.dir) }
