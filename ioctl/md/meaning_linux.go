package md

import (
	"syscall"

	"golang.org/x/sys/unix"
)

type opErrno struct {
	op string // "" for every request
	no syscall.Errno
}

// meanings says why drivers/md returns an errno to a request: md_ioctl and what
// it calls (md_add_new_disk, md_import_device, bind_rdev_to_array,
// md_set_array_info, update_array_info, md_run, do_md_stop, md_set_readonly,
// restart_array, hot_remove_disk, set_disk_faulty, set_bitmap_file), and the
// run functions of the personalities.
var meanings = map[opErrno]string{
	{"", unix.EACCES}:  "needs root (CAP_SYS_ADMIN)",
	{"", unix.EPERM}:   "not permitted",
	{"", unix.EINTR}:   "interrupted while waiting for the array's lock",
	{"", unix.ENOTTY}:  "this kernel or this device does not know the request",
	{"", unix.ENODEV}:  "no array is set up on this device",
	{"", unix.EROFS}:   "the array is read-only; make it writable first",
	{"", unix.EBUSY}:   "the array is in use",
	{"", unix.EINVAL}:  "the kernel does not accept that; its log may say more",
	{"", unix.ENOMEM}:  "the kernel is out of memory",
	{"", unix.ENOTBLK}: "not a block device",
	{"", unix.EFAULT}:  "the kernel could not reach the argument",

	{"open", unix.ENOENT}:    "no such device node",
	{"open", unix.ENXIO}:     "no array has this number and none may be made by opening it",
	{"open", unix.ENODEV}:    "no array has this number, or it is being taken down",
	{"open", unix.EBUSY}:     "somebody else holds it",
	{"open", unix.EACCES}:    "permission denied",
	{"open", unix.EPERM}:     "device nodes may not be made or opened here",
	{"open", unix.EROFS}:     "the device is read-only",
	{"open", unix.EISDIR}:    "a folder, not a block device",
	{"open", unix.EINTR}:     "interrupted",
	{"open", unix.ENOMEDIUM}: "the array has stopped",

	{"RAID_VERSION", unix.ENOTTY}: "not an md device",
	{"RAID_VERSION", unix.EINVAL}: "not an md device",

	{"GET_ARRAY_INFO", unix.ENOTTY}: "not an md device",

	{"GET_DISK_INFO", unix.ENOTTY}: "not an md device",

	{"SET_ARRAY_INFO", unix.ENOTTY}: "not an md device",
	{"SET_ARRAY_INFO", unix.EBUSY}:  "the array is set up already, or resync, recovery or reshape is under way",
	{"SET_ARRAY_INFO", unix.EINVAL}: "metadata version not known to the kernel, or a change this running array cannot make (one thing at a time)",
	{"SET_ARRAY_INFO", unix.EEXIST}: "the array has a bitmap already",
	{"SET_ARRAY_INFO", unix.ENOENT}: "the array has no bitmap to remove",
	{"SET_ARRAY_INFO", unix.EPERM}:  "another node of the cluster uses the bitmap",
	{"SET_ARRAY_INFO", unix.ENOSPC}: "a member is too small for the new size, or the metadata has no room",

	{"ADD_NEW_DISK", unix.ENOTTY}:    "not an md device",
	{"ADD_NEW_DISK", unix.EEXIST}:    "the device is a member already, or is still being released",
	{"ADD_NEW_DISK", unix.EBUSY}:     "something holds the device, this array or another or a mount; or its number is taken, the array is full, or a journal does not fit here",
	{"ADD_NEW_DISK", unix.EINVAL}:    "no valid metadata of this array on the device, or it cannot go back to that slot, or this level takes no more devices",
	{"ADD_NEW_DISK", unix.ENOSPC}:    "the device is smaller than the array uses of each member",
	{"ADD_NEW_DISK", unix.EROFS}:     "the device or the array is read-only",
	{"ADD_NEW_DISK", unix.ENXIO}:     "no such device, or its integrity profile differs from the array's",
	{"ADD_NEW_DISK", unix.ENODEV}:    "no such device",
	{"ADD_NEW_DISK", unix.EACCES}:    "the device is read-only, or root (CAP_SYS_ADMIN) is needed",
	{"ADD_NEW_DISK", unix.EIO}:       "metadata could not be read from the device",
	{"ADD_NEW_DISK", unix.EOVERFLOW}: "no such device number: majors have 12 bits, minors 20",
	{"ADD_NEW_DISK", unix.ENOENT}:    "no other node of the cluster answered for the device",

	{"HOT_ADD_DISK", unix.ENODEV}:    "the array does not run",
	{"HOT_ADD_DISK", unix.EINVAL}:    "only for metadata 0.90 and levels that take spares, on a device that is free",
	{"HOT_ADD_DISK", unix.EEXIST}:    "the device is a member already, or is still being released",
	{"HOT_ADD_DISK", unix.ENOSPC}:    "the device is smaller than the array uses of each member",
	{"HOT_ADD_DISK", unix.EROFS}:     "the device or the array is read-only",
	{"HOT_ADD_DISK", unix.EBUSY}:     "the array is full",
	{"HOT_REMOVE_DISK", unix.EBUSY}:  "the member is active; declare it faulty first",
	{"HOT_REMOVE_DISK", unix.ENXIO}:  "the device is not a member",
	{"HOT_REMOVE_DISK", unix.ENODEV}: "the array does not run",
	{"SET_DISK_FAULTY", unix.EBUSY}:  "the array cannot go on without the member, and is broken now",
	{"SET_DISK_FAULTY", unix.ENODEV}: "the device is not a member, or the array does not run",

	{"SET_BITMAP_FILE", unix.EEXIST}: "the array has a bitmap already",
	{"SET_BITMAP_FILE", unix.ENOENT}: "the array has no bitmap to remove",
	{"SET_BITMAP_FILE", unix.EBADF}:  "not a regular file open for writing",
	{"SET_BITMAP_FILE", unix.EBUSY}:  "the file is open for writing elsewhere, the level has no bitmap, or resync or recovery is under way",
	{"SET_BITMAP_FILE", unix.EINVAL}: "no valid bitmap in the file, or this kernel is built without bitmap files",

	{"RUN_ARRAY", unix.ENOTTY}:     "not an md device",
	{"RUN_ARRAY", unix.EINVAL}:     "no members, a level the kernel has no module for, or members that do not make an array; the kernel log says which",
	{"RUN_ARRAY", unix.EBUSY}:      "the array runs already, or has not finished stopping",
	{"RUN_ARRAY", unix.EIO}:        "too few working members, or dirty and degraded; the kernel log says which",
	{"RUN_ARRAY", unix.ENODEV}:     "no array is set up on this device",
	{"RUN_ARRAY", unix.ENOENT}:     "the cluster is not there (md-cluster module, DLM or cluster name)",
	{"RUN_ARRAY", errNotSupp}:      "raid0 of unequal members has two possible layouts: set the layout, or raid0.default_layout to 1 or 2",
	{"RUN_ARRAY", unix.EOPNOTSUPP}: "raid0 of unequal members has two possible layouts: set the layout, or raid0.default_layout to 1 or 2",

	{"STOP_ARRAY", unix.ENOTTY}:       "not an md device",
	{"STOP_ARRAY", unix.EBUSY}:        "still in use: mounted, held by another device, or open in a process",
	{"STOP_ARRAY_RO", unix.EBUSY}:     "still in use: mounted, held by another device, or open in a process",
	{"STOP_ARRAY_RO", unix.ENXIO}:     "the array is read-only already",
	{"STOP_ARRAY_RO", unix.EINVAL}:    "the array does not run",
	{"RESTART_ARRAY_RW", unix.EBUSY}:  "the array is writable already",
	{"RESTART_ARRAY_RW", unix.EINVAL}: "the array does not run, or its journal is missing",
	{"RESTART_ARRAY_RW", unix.ENXIO}:  "the array has no members",
	{"RESTART_ARRAY_RW", unix.EROFS}:  "a member is read-only",

	{"CLUSTERED_DISK_NACK", unix.EINVAL}: "the array is not clustered",
}
