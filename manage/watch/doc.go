// Package watch follows md arrays and tells what happens to them: members that
// fail, rebuilds that begin, come along and end, arrays that come and go. It
// finds the events that mdadm(8) --monitor finds, by the same rules
// (mdadm 4.2, Monitor.c check_array and add_new_arrays), but wakes as soon as
// the kernel announces a change, also of the progress of a rebuild.
//
// A [Watcher] yields [Event]s; [Mailer], [Program] and [Syslog] pass them on.
// It also moves spares between arrays of one domain, when asked to share them.
package watch
