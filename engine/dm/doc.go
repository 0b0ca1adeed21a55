// Package dm is the grammar of device-mapper: the tables that dmsetup loads and
// the lines a kernel prints about them, as typed values.
//
// A [Line] is one line of text. [ParseArgs] turns it into typed arguments, one
// struct per target ([Linear], [Striped], [Crypt], ...), and their Params
// method prints the line again exactly as current kernels print it for `dmsetup
// table`. [ParseStatus] and the String method of its result do the same for
// `dmsetup status`. Where the kernels between 4.11 and 7.2 differ in the order
// of words, both orders are understood.
//
// [Check] judges a whole table before any kernel sees it, in the kernel's order
// and with the kernel's own reasons, which a kernel writes to its log and
// nowhere else.
//
// Nothing here opens a device or makes a system call: what a check must know
// about devices and kernels it gets from a [World].
package dm
