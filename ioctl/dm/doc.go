// Package dm binds the ioctl(2) interface of the Linux device mapper
// (include/uapi/linux/dm-ioctl.h, drivers/md/dm-ioctl.c): every command as a
// method of [Control], every flag as an option, and every refusal as [*Error],
// which says what the errno means for that command and matches one of the
// classes under errors.Is.
//
// A device comes to life in three steps: [Control.Create] gives it a name and a
// number, [Control.Load] puts a table in its inactive slot, [Control.Resume]
// makes that table the live one. Changing a table is Load and Resume again.
// [Control.Remove] ends it.
//
// Names and UUIDs are here as the kernel has them. The mangling that
// libdevmapper wraps around them, the nodes in /dev/mapper, the waiting for
// udev, and the kernel's own words on a refused table belong to package
// manage/mapper.
//
// # Replies of unknown length
//
// Queries are asked again with a larger buffer until the reply fits. A message
// is not: by the time the kernel says that its reply did not fit, the target
// has acted on it. [Control.Message] therefore makes room first, asks again
// only if the message is known to change nothing or the caller says so, and
// otherwise fails with [ErrReplyLost], once.
//
// # Events
//
// DM_DEV_WAIT blocks a thread until one device has an event and cannot be
// called off. [Control.Wait] and [Poller] use DM_DEV_ARM_POLL instead: they end
// with their context, and one Poller watches every device.
//
// # Tests without a kernel
//
// A Control speaks through a [Transport]. [Record] notes what goes through one,
// and a [Script] plays such notes back. [Kernel] opens the one to record.
package dm
