// Package dm is the grammar of device-mapper: the tables that dmsetup loads and
// the lines a kernel prints for them, as typed values.
//
// A [Line] is one line of text. [ParseArgs] makes typed arguments of it, one
// struct per target ([Linear], [Striped], [Crypt], ...), and their Params method
// prints the line again exactly as a kernel of today prints it for `dmsetup
// table`. [ParseStatus] and the String method of its result do the same for
// `dmsetup status`. Both orders are understood where the kernels between 4.11
// and 7.2 differ.
//
// [Check] judges a whole table before any kernel sees it, in the order in which
// the kernel judges it and with the kernel's own words, which a kernel otherwise
// writes to its log and nowhere else.
//
// Nothing here opens a device or makes a system call: what a check must know
// about devices and kernels it asks of a [World].
package dm
