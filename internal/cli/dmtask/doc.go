// Package dmtask sends the requests of dmsetup and dmstats to the device mapper, and
// reports the results in the words of libdevmapper, which calls such a request a task.
// It looks up the devices that command lines name, mangles and unmangles names, and
// words the errors of refused tasks.
package dmtask
