// Package recover finds out how an array was put together when its metadata
// cannot be trusted or is gone: level, layout, chunk size, the order of its
// members and where their data begins.
//
// The evidence is what the array holds. An ext4 filesystem records for many of
// its blocks where in the array they belong, and has checksums for them: backup
// superblocks, group descriptors, allocation bitmaps, inodes in use, directory
// blocks. For every possible geometry each of these places is looked up on
// every member; only the true geometry finds them all where they should be,
// which also tells which member is in which slot. Parity and copies are the
// second witness. So the cost of the search is the number of geometries times
// the number of members, not the number of orders they could be in.
//
// Nothing is written. A candidate is tried out on overlays: its superblocks are
// written there, and the engine opens and reads the array like any other.
package recover
