package md

import (
	"errors"
	"syscall"

	"github.com/mdkit/mdkit/sysfs"
)

type attrErrno struct {
	attr string // "" for every attribute
	no   syscall.Errno
}

// refusals says why the store function of an attribute returns an errno (in the
// files of drivers/md named in the package comment).
var refusals = map[attrErrno]string{
	{"", syscall.EACCES}: "needs root, or this kernel only shows it",
	{"", syscall.EPERM}:  "needs root",
	{"", syscall.EROFS}:  "the array is read-only",
	{"", syscall.EINTR}:  "interrupted while waiting for the array's lock",
	{"", syscall.ENODEV}: "the array does not run, or is being taken down",
	{"", syscall.EBUSY}:  "the array is in use, or resync, recovery or reshape is under way",
	{"", syscall.EINVAL}: "not a value this array takes",
	{"", syscall.ERANGE}: "the number is too large",

	{"level", syscall.EBUSY}:               "resync, recovery or reshape is under way",
	{"level", syscall.EINVAL}:              "this array cannot become that level; the kernel log says why",
	{"layout", syscall.EBUSY}:              "the level has one layout only, or a reshape is under way",
	{"layout", syscall.EINVAL}:             "the array cannot take that layout",
	{"chunk_size", syscall.EBUSY}:          "the level cannot change its chunk, or a reshape is under way",
	{"chunk_size", syscall.EINVAL}:         "the array cannot take that chunk: a power of two, and its size a multiple",
	{"raid_disks", syscall.EBUSY}:          "resync, recovery or reshape is under way",
	{"raid_disks", syscall.EINVAL}:         "the level cannot change its number of members, or not to that",
	{"component_size", syscall.ENOSPC}:     "a member is too small; before the array runs, the size can only shrink",
	{"component_size", syscall.EBUSY}:      "resync, recovery or reshape is under way",
	{"component_size", syscall.EINVAL}:     "the level has members of any size, or the size does not fit",
	{"array_size", syscall.E2BIG}:          "larger than the members give",
	{"array_size", syscall.EINVAL}:         "not a size in KiB, or the array is clustered",
	{"metadata_version", syscall.EBUSY}:    "the array has members already",
	{"metadata_version", syscall.ENOENT}:   "this kernel does not know that metadata",
	{"resync_start", syscall.EBUSY}:        "the array runs; freeze sync_action first",
	{"reshape_position", syscall.EBUSY}:    "the array runs",
	{"reshape_direction", syscall.EBUSY}:   "the number of members is changing",
	{"reshape_direction", syscall.EINVAL}:  "metadata 0.90 only reshapes forwards",
	{"new_dev", syscall.EINVAL}:            "no valid metadata of this array on the device, or not major:minor",
	{"new_dev", syscall.EBUSY}:             "something else holds the device, or the array is full",
	{"new_dev", syscall.EEXIST}:            "the device is a member already",
	{"new_dev", syscall.ENOSPC}:            "the device is smaller than the array uses of each member",
	{"new_dev", syscall.ENXIO}:             "no such device",
	{"new_dev", syscall.EROFS}:             "the device is read-only",
	{"new_dev", syscall.EOVERFLOW}:         "no such device number",
	{"array_state", syscall.EBUSY}:         "the array is in use: mounted, held by another device, or open in a process; or writes are under way",
	{"array_state", syscall.EINVAL}:        "the array cannot go to that state from where it is; the kernel log may say why",
	{"array_state", syscall.ENXIO}:         "the array is read-only already, or has no members",
	{"array_state", syscall.EIO}:           "too few working members",
	{"sync_action", syscall.EBUSY}:         "another action is under way; write idle first",
	{"sync_action", syscall.EINVAL}:        "the array does not run, or its level does not do that",
	{"sync_min", syscall.EBUSY}:            "an action is under way",
	{"sync_min", syscall.EINVAL}:           "above sync_max",
	{"sync_max", syscall.EBUSY}:            "cannot be lowered while an action is under way",
	{"sync_max", syscall.EINVAL}:           "below sync_min, or not a whole number of chunks",
	{"safe_mode_delay", syscall.EINVAL}:    "not seconds, or the array is clustered",
	{"suspend_lo", syscall.EINVAL}:         "the array does not run, or its level cannot hold back writes",
	{"suspend_hi", syscall.EINVAL}:         "the array does not run",
	{"serialize_policy", syscall.EINVAL}:   "only a running raid1 has it",
	{"consistency_policy", syscall.EBUSY}:  "the level has one policy only, or the journal has to be removed first",
	{"consistency_policy", syscall.EINVAL}: "only a raid5 without journal and bitmap takes ppl",
	{"logical_block_size", syscall.EBUSY}:  "the array runs",
	{"logical_block_size", syscall.EINVAL}: "metadata 0.90 has no place for it, or not a block size",
	{"bitmap_type", syscall.EBUSY}:         "the array has a bitmap",
	{"bitmap_type", syscall.ENOENT}:        "this kernel does not have that kind of bitmap",
	{"bitmap_type", syscall.EINVAL}:        "this kernel does not have that kind of bitmap",

	{"bitmap/location", syscall.EBUSY}:          "the array has a bitmap already, cannot have one, or is resyncing",
	{"bitmap/location", syscall.EINVAL}:         "no bitmap superblock of this array lies there",
	{"bitmap/space", syscall.EFBIG}:             "the bitmap is larger than that",
	{"bitmap/backlog", syscall.EINVAL}:          "no member is write-mostly, or above 16383",
	{"bitmap/chunksize", syscall.EBUSY}:         "the bitmap is in use",
	{"bitmap/chunksize", syscall.EINVAL}:        "not a power of two of at least 512",
	{"bitmap/metadata", syscall.EBUSY}:          "the array has a bitmap",
	{"bitmap/can_clear", syscall.EBUSY}:         "the array is degraded",
	{"bitmap/can_clear", syscall.ENOENT}:        "the array has no bitmap",
	{"llbitmap/proactive_sync", syscall.EINVAL}: "only raid4, raid5 and raid6 do it",

	{"stripe_cache_size", syscall.EINVAL}:        "from 17 to 32768",
	{"preread_bypass_threshold", syscall.EINVAL}: "above stripe_cache_size",
	{"rmw_level", syscall.EINVAL}:                "0, 1 or 2; above 0 only where the processor can take syndromes apart",
	{"group_thread_cnt", syscall.EINVAL}:         "above 8192",
	{"stripe_size", syscall.EINVAL}:              "a power of two from 4096 to the page size",
	{"journal_mode", syscall.ENODEV}:             "the array has no journal",
	{"journal_mode", syscall.EINVAL}:             "write-back needs an array that is not degraded",
	{"ppl_write_hint", syscall.EINVAL}:           "the array has no partial parity log",

	{"state", syscall.EBUSY}:          "the member is in use: without it the array could not go on, or it is not failed yet",
	{"state", syscall.EINVAL}:         "the member cannot take that word as it is now",
	{"slot", syscall.EBUSY}:           "the member is active, has a slot, is a journal, or recovery is under way",
	{"slot", syscall.EEXIST}:          "no free slot there, or the member has none to give up",
	{"slot", syscall.ENOSPC}:          "the array has no such slot",
	{"offset", syscall.EBUSY}:         "the member is active, or its size is set already",
	{"new_offset", syscall.EBUSY}:     "resync, recovery or reshape is under way",
	{"new_offset", syscall.E2BIG}:     "no room on the member",
	{"new_offset", syscall.EINVAL}:    "against the direction of the reshape",
	{"size", syscall.EBUSY}:           "no room on the member, or another array has that part of the device",
	{"size", syscall.EINVAL}:          "smaller than the array uses, or the level has no sizes to change",
	{"recovery_start", syscall.EBUSY}: "the member is active",
	{"bad_blocks", syscall.ENOSPC}:    "the list of bad blocks is full",
	{"ppl_sector", syscall.EBUSY}:     "the log is in use",
	{"ppl_size", syscall.EBUSY}:       "the log is in use",
}

// explain adds to an error of package sysfs what its errno means for the
// attribute.
func explain(attr string, err error) error {
	var e *sysfs.Error
	var no syscall.Errno
	if err == nil || !errors.As(err, &e) || e.Meaning != "" || !errors.As(e.Err, &no) {
		return err
	}
	m, ok := refusals[attrErrno{attr, no}]
	if !ok {
		m = refusals[attrErrno{"", no}]
	}
	e.Meaning = m
	return err
}
