// Package recover finds out how an array was put together when its metadata
// cannot be trusted or is gone: level, layout, chunk, the order of its members
// and where their data begins.
//
// The evidence is what the array holds. An ext4 filesystem says of many of its
// blocks where in the array they belong, and has checksums of them: backup
// superblocks, group descriptors, allocation bitmaps, inodes in use, blocks of
// directories. For every geometry that is possible each such place is looked
// up on every member; only the true one has them all where they should be, and
// at once tells which member is in which slot. Parity and copies are the
// second witness. So the search costs the number of geometries times the
// number of members, not the orders in which they could stand.
//
// Nothing is written. A candidate that has been found is tried on overlays: the
// superblocks that it stands for are written there, and the array is opened
// and read by the engine as any other.
package recover
