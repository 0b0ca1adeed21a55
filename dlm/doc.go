// Package dlm drives the distributed lock manager of the Linux kernel (fs/dlm)
// without libdlm: what dlm_controld does to it, what a program that takes locks
// does, and what the kernel tells about both.
//
// # The parts
//
//   - [Config] is the tree in configfs: the cluster's settings, the addresses of
//     its nodes, and the members of each lockspace.
//   - [Lockspace] is a lockspace as the kernel shows it in sysfs: stopped and
//     started there, and told that a join or leave is done.
//   - [Events] hears the kernel ask for those: a process that creates or releases
//     a lockspace sleeps in the kernel until its controller has answered.
//   - [Monitor] is the descriptor that a controller holds open for as long as it
//     lives.
//   - [Control] creates and removes lockspaces, [Open] opens one, and [Space.Lock]
//     takes locks in it.
//   - [Debug] reads the kernel's dumps of locks, resources and waiting requests.
//   - [Warnings] hears the "DLM" generic netlink family, which kernels before 6.3
//     have if they are built with CONFIG_DLM_DEPRECATED_API.
//
// # Waiting
//
// The kernel sleeps where a signal cannot reach it: in a write to a lockspace that
// recovers, in the creation of one that no controller answers for. Everything here
// that can wait takes a context and returns when the context ends, with an
// [*Error] that says what was still waited for; what the kernel does later with an
// abandoned request is undone in the background.
//
// # What it works on
//
// Files are found below an [sysfs.FS]. The lock device has one layout for kernels
// with 64-bit pointers and another for those with 32; only the first is spoken
// here, and [OpenControl] refuses the second by name.
package dlm
