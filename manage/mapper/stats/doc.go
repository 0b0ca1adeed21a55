// Package stats keeps the statistics of live mapped devices: it makes, reads
// and removes regions and groups by sending the messages of engine/dm/stats,
// and maps files to regions. It prints nothing.
//
// A [Handle] is one device. It remembers the device's regions as they were when
// they were last listed; what changes them updates that memory, so that several
// changes need no listing in between.
package stats
