// Package powercut finds out what a power cut would have left behind.
//
// An operation runs once in a lab machine, on disks that are slices of one
// dm-log-writes device, so that the log holds the writes to all of them in one
// order, together with marks for what the operation had been promised. From the
// log, the states are rebuilt in which the disks could have been found after a
// power cut at some moment, and each is given to a judge.
//
// # What was run
//
// These operations were run with MDKIT_SOAK=1 on Linux 6.1. By the engine's
// judgement, no state lost what had been acknowledged:
//
//	operation        log entries  states  in a reshape  without the new shape
//	raid1 to raid5           182    1956             0                      0
//	chunk                  19115    1995          1864                      3
//
// The three are of the class that docs/differences-from-mdadm.md names, all at
// one event count; the test fails if there are more than two of those. The
// kernel judged three states of raid1 to raid5. Reshapes with a backup file are
// not among the operations: the file would have to be on a logged disk, too.
package powercut
