// Package md binds the ioctl(2) interface of the Linux md driver: every request
// of include/uapi/linux/raid/md_u.h as a method of [Device], its structures as
// Go types, and its refusals as [*Error], which says what the errno means for
// that request.
//
// The interface dates from the time of metadata 0.90. Newer settings, such as
// sizes that do not fit 32 bits of KiB, metadata kept outside the kernel, or
// the full state of one member, are reached through package sysfs/md.
//
// An array is always set up in the same way: [Device.SetArrayInfo], then
// [Device.AddNewDisk] for each member, then [Device.RunArray].
package md
