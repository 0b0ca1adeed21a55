// Package array runs arrays: it is to the members what the kernel's md driver
// is, in pure Go.
//
// Open serves an array from the members that md.Assess has found to be in,
// degraded or in the middle of a reshape, as a block.Device that can be read
// and written. What a partial parity log or a write journal holds is seen at
// once, and put in place by the first write. Writes keep those logs and the
// write-intent bitmap, so that a power cut leaves no write hole. Scrub compares
// all copies and parity, says which member is wrong, and repairs it.
//
// Places and sizes are in bytes unless a name or comment says sectors of 512
// bytes. Facts come from drivers/md/md.c, raid0.c, raid1.c, raid5.c, raid10.c,
// md-linear.c, md-faulty.c, md-multipath.c, raid5-ppl.c and raid5-cache.c of
// Linux; comments name the symbol.
package array
