// Package dmtask asks the device mapper what dmsetup and dmstats want to know,
// and says what comes of it in the words of libdevmapper, in which a question or
// a command to the driver is a task: devices as a command line names them, names
// with and without mangling, and tasks that the kernel refused.
package dmtask
