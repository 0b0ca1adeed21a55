// Package powercut finds out what a power cut would have left behind.
//
// An operation runs once in a lab machine, on disks that are slices of one
// dm-log-writes device, so that the log holds every write to any of them in
// one order, together with marks for what the operation had been promised. From
// the log every state is rebuilt in which the disks could have been found after
// the power failed at some moment, and given to a judge.
package powercut
