// Package watch follows md arrays and reports what happens to them: members that
// fail, rebuilds that begin, progress and end, arrays that appear and disappear. It
// finds the events that mdadm(8) --monitor finds, by the same rules (mdadm 4.2,
// Monitor.c check_array and add_new_arrays), but wakes as soon as the kernel
// announces a change, including the progress of a rebuild.
//
// A [Watcher] yields [Event]s; [Mailer], [Program] and [Syslog] pass them on.
// If asked to share spares, it also moves them between arrays of one domain.
package watch
