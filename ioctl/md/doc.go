// Package md binds the ioctl(2) interface of the Linux md driver: every request
// of include/uapi/linux/raid/md_u.h as a method of [Device], its structures as
// Go types, and its refusals as [*Error], which says what the errno means for
// that request.
//
// The interface dates from the time of metadata 0.90. Newer settings, as sizes
// above 32 bits of KiB, metadata kept outside the kernel, or the state of one
// member in full, are reached through package sysfs/md.
//
// Setting up an array always goes the same way: [Device.SetArrayInfo], then
// [Device.AddNewDisk] for each member, then [Device.RunArray].
package md
