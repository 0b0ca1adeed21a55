package md

import (
	"strconv"
	"time"
)

// Level returns the array's personality (level). For an array that does not run
// it is the one that was set; if none was, the error matches [sysfs.ErrEmpty].
func (a *Array) Level() (Level, error) { return attrLevel.get(a.dir) }

// SetLevel sets the level of an array that does not run, or changes that of a
// running one if the new personality can take the array over.
func (a *Array) SetLevel(l Level) error { return a.LevelTo(l).Write() }

// NewLevel returns the number of the level the array is being reshaped to or,
// without a reshape, has (new_level; after Linux 6.1).
func (a *Array) NewLevel() (int, error) { return attrNewLevel.get(a.dir) }

// SetNewLevel sets the number of the level to reshape to (new_level).
func (a *Array) SetNewLevel(n int) error { return attrNewLevel.set(a.dir, strconv.Itoa(n)) }

// Layout returns the number of the layout (layout).
func (a *Array) Layout() (Transition, error) { return attrLayout.get(a.dir) }

// SetLayout sets the layout or, on a running array, the one to reshape to.
func (a *Array) SetLayout(n uint32) error { return a.LayoutTo(n).Write() }

// RaidDisks returns the number of slots (raid_disks).
func (a *Array) RaidDisks() (Transition, error) { return attrRaidDisks.get(a.dir) }

// SetRaidDisks sets the number of slots or, on a running array, the number to
// reshape to.
func (a *Array) SetRaidDisks(n int) error { return a.RaidDisksTo(n).Write() }

// UUID returns the array's identity (uuid). The kernel makes one up for an
// array without metadata.
func (a *Array) UUID() (UUID, error) { return attrUUID.get(a.dir) }

// ChunkSize returns the chunk size in bytes (chunk_size); 0 for levels without
// chunks.
func (a *Array) ChunkSize() (Transition, error) { return attrChunkSize.get(a.dir) }

// SetChunkSize sets the chunk size in bytes or, on a running array, the one to
// reshape to.
func (a *Array) SetChunkSize(bytes uint64) error { return a.ChunkSizeTo(bytes).Write() }

// ComponentSize returns how much of each member is used, in KiB
// (component_size); 0 for levels whose members may have any size.
func (a *Array) ComponentSize() (kib uint64, err error) { return attrComponentSize.get(a.dir) }

// SetComponentSize sets how much of each member is used, in KiB. On a running
// array this resizes the array; 0 then takes the largest size that fits.
func (a *Array) SetComponentSize(kib uint64) error { return a.ComponentSizeTo(kib).Write() }

// ArraySize returns the size set for the array in KiB, or [None] if it follows
// from its members (array_size).
func (a *Array) ArraySize() (kib Number, err error) { return attrArraySize.get(a.dir) }

// SetArraySize makes the array appear smaller than its members allow, in KiB;
// [None] undoes that.
func (a *Array) SetArraySize(kib Number) error { return a.ArraySizeTo(kib).Write() }

// Metadata returns the format of the array's metadata (metadata_version).
func (a *Array) Metadata() (Metadata, error) { return attrMetadata.get(a.dir) }

// SetMetadata sets the format before there are members. External metadata may
// change its text at any time.
func (a *Array) SetMetadata(m Metadata) error { return attrMetadata.set(a.dir, m.String()) }

// ReshapePosition returns how far a reshape has progressed in the array, in
// sectors of 512 bytes; [None] if none is running (reshape_position).
func (a *Array) ReshapePosition() (sector Number, err error) { return attrReshapePosition.get(a.dir) }

// SetReshapePosition prepares an array that does not run for resuming a
// reshape. Level, layout, chunk size and number of members set before this call
// are the old ones, those set after it are the new ones.
func (a *Array) SetReshapePosition(sector uint64) error {
	return attrReshapePosition.set(a.dir, formatUint(sector))
}

// ReshapeDirection returns the direction of a reshape (reshape_direction).
func (a *Array) ReshapeDirection() (Direction, error) { return attrReshapeDirection.get(a.dir) }

// SetReshapeDirection sets the direction of a reshape.
func (a *Array) SetReshapeDirection(d Direction) error { return a.ReshapeDirectionTo(d).Write() }

// LogicalBlockSize returns the array's logical block size in bytes
// (logical_block_size; Linux 6.19). 0 means that the members decide.
func (a *Array) LogicalBlockSize() (bytes uint64, err error) { return attrLogicalBlockSize.get(a.dir) }

// SetLogicalBlockSize sets the logical block size, in bytes, of an array with
// metadata 1.x that does not run.
func (a *Array) SetLogicalBlockSize(bytes uint64) error {
	return attrLogicalBlockSize.set(a.dir, formatUint(bytes))
}

// State returns the array's state (array_state). Use [Array.WaitState] to wait
// for changes.
func (a *Array) State() (State, error) { return attrState.get(a.dir) }

// SetState starts, stops or switches the array. Clear stops it and forgets its
// members, Inactive stops it and keeps them; ReadOnly, ReadAuto and Active
// start it, or switch it if it is running; Clean marks a running array clean.
func (a *Array) SetState(s State) error { return a.StateTo(s).Write() }

// SafeModeDelay returns how long after the last write the array is marked clean
// (safe_mode_delay); 0 means never.
func (a *Array) SafeModeDelay() (time.Duration, error) { return attrSafeModeDelay.get(a.dir) }

// SetSafeModeDelay sets how long after the last write the array is marked
// clean, to the millisecond. The kernel rounds to its clock tick.
func (a *Array) SetSafeModeDelay(d time.Duration) error {
	return attrSafeModeDelay.set(a.dir, formatSeconds(d, 3))
}

// MaxReadErrors returns how many read errors per hour a member of raid1 or
// raid10 may have corrected before it is failed (max_read_errors; 20 by
// default).
func (a *Array) MaxReadErrors() (uint64, error) { return attrMaxReadErrors.get(a.dir) }

// SetMaxReadErrors sets that number, up to 2147483647.
func (a *Array) SetMaxReadErrors(n uint32) error {
	return attrMaxReadErrors.set(a.dir, formatUint(uint64(n)))
}

// ConsistencyPolicy returns how the array becomes consistent after an unclean
// stop (consistency_policy).
func (a *Array) ConsistencyPolicy() (ConsistencyPolicy, error) {
	return attrConsistencyPolicy.get(a.dir)
}

// SetConsistencyPolicy switches a raid5 between [PolicyPPL] and [PolicyResync].
func (a *Array) SetConsistencyPolicy(p ConsistencyPolicy) error {
	return a.ConsistencyPolicyTo(p).Write()
}

// FailLastDev reports whether the last member of a raid1 or raid10 can be
// failed (fail_last_dev).
func (a *Array) FailLastDev() (bool, error) { return attrFailLastDev.get(a.dir) }

// SetFailLastDev allows or forbids failing the last member.
func (a *Array) SetFailLastDev(allow bool) error {
	return attrFailLastDev.set(a.dir, formatBool(allow))
}

// SerializePolicy reports whether a raid1 keeps overlapping writes in order (1)
// or not (0) (serialize_policy); [None] for other levels.
func (a *Array) SerializePolicy() (Number, error) { return attrSerializePolicy.get(a.dir) }

// SetSerializePolicy sets whether a running raid1 keeps overlapping writes in
// order.
func (a *Array) SetSerializePolicy(on bool) error {
	return attrSerializePolicy.set(a.dir, formatBool(on))
}
