// Package md knows the metadata that the kernel's md driver and mdadm keep on the
// members of an array: superblocks 0.90 and 1.x, the write-intent bitmap, the bad
// block log, the partial parity log and the RAID5 journal. It parses, writes
// and checks them, reads members from any block.Device, and says which of
// them would be assembled and why.
//
// The driver itself is in package array, in the folder below.
//
// Places and sizes are in 512-byte sectors unless a name or comment says
// bytes, because that is how the formats count. Parsers are pure functions of
// bytes; their input bounds what they allocate.
//
// Facts come from include/uapi/linux/raid/md_p.h, drivers/md/md.c,
// md-bitmap.h, raid5-ppl.c and raid5-cache.c of Linux, and from the behaviour
// of mdadm 4.2; comments name the symbol.
package md
