// Package fresh lays out what a new array begins with, and a new member of an
// array that is there: superblocks, bitmap, bad block log, PPL and journal, as
// mdadm places them. It gives bytes and offsets, or writes to an overlay; what is
// read from devices is package md's.
package fresh
