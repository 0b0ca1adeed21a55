// Package md gives types to everything the Linux md driver shows as text: the
// attributes of an array (/sys/block/mdX/md), of its members
// (/sys/block/mdX/md/dev-XXX), of the module (/sys/module/md_mod/parameters),
// and /proc/mdstat.
//
//	a, err := md.Open(sysfs.Host, "md0")
//	state, err := a.State()          // array_state
//	err = a.SetSyncAction(md.Check)  // sync_action
//
// A program that shows what it is going to write, for a dry run, takes the
// [Setting] first:
//
//	s := a.SyncActionTo(md.Check)
//	fmt.Println(s.Path(), s.Value())
//	err = s.Write()
//
// Numbers keep the kernel's units, and each method names them: KiB for sizes,
// sectors of 512 bytes for positions, bytes for chunks.
//
// An attribute that the running kernel does not show gives an error that
// matches [sysfs.ErrNotSupported]. One that exists but is empty, because the
// array does not run, matches [sysfs.ErrEmpty]. Text in an unknown form is a
// [*sysfs.ParseError], which keeps path and text. A refused write is a
// [*sysfs.Error] with path, value, errno and what it means for that attribute.
//
// The facts are those of drivers/md/md.c, md-bitmap.c, md-llbitmap.c, raid5.c,
// raid5-cache.c and raid5-ppl.c, and are tested against Linux 6.1, 6.12 and 7.2
// (none of these kernels has a lockless bitmap). The attribute super that
// Documentation/admin-guide/md.rst describes for members was never implemented.
package md
