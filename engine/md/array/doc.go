// Package array runs arrays: it does in pure Go what the kernel's md driver does.
//
// Open serves an array from the members that md.Assess has found to be in, as a
// block.Device that can be read and written; a degraded array too and, read-only,
// one in the middle of a reshape. Data in a partial parity log or a write journal
// is visible at once, and the first write puts it in place. Writes keep those logs
// and the write-intent bitmap, so that a power failure leaves no write hole. Scrub
// compares all copies and parity, says which member is wrong, and repairs it.
//
// Places and sizes are in bytes unless a name or comment says sectors of 512
// bytes. Facts come from drivers/md/md.c, raid0.c, raid1.c, raid5.c, raid10.c,
// md-linear.c, md-faulty.c, md-multipath.c, raid5-ppl.c and raid5-cache.c of
// Linux; comments name the symbol.
package array
