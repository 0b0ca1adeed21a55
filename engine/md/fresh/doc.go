// Package fresh lays out the metadata of a new array, and of a new member of an
// existing one: superblocks, bitmap, bad block log, PPL and journal, where mdadm
// places them. It returns bytes and offsets, or writes to an overlay; reading
// metadata from devices is up to package md.
package fresh
