// Package dm binds the ioctl(2) interface of the Linux device mapper
// (include/uapi/linux/dm-ioctl.h, drivers/md/dm-ioctl.c): every command as a
// method of [Control], every flag as an option, and every refusal as [*Error],
// which says what the errno means for that command and matches one of the
// classes under errors.Is.
//
// A device is set up in three steps: [Control.Create] gives it a name and a
// number, [Control.Load] puts a table in its inactive slot, [Control.Resume]
// makes that table the live one. To change the table, call Load and Resume
// again. [Control.Remove] removes the device.
//
// Names and UUIDs are as the kernel has them here. The name mangling of
// libdevmapper, the nodes in /dev/mapper, waiting for udev, and the kernel's
// own words on a refused table belong to package manage/mapper.
//
// # Replies of unknown length
//
// Queries are repeated with a larger buffer until the reply fits. A message is
// not: by the time the kernel says that its reply did not fit, the target has
// acted on it. [Control.Message] therefore makes room first. It repeats the
// message only if that is known to change nothing or the caller says so, and
// otherwise fails with [ErrReplyLost].
//
// # Events
//
// DM_DEV_WAIT blocks a thread until one device has an event, and cannot be
// cancelled. [Control.Wait] and [Poller] use DM_DEV_ARM_POLL instead: they end
// with their context, and one Poller watches every device.
//
// # Tests without a kernel
//
// A Control uses a [Transport]. [Record] records what goes through one, and a
// [Script] plays such a record back. [Kernel] opens the one to record.
package dm
