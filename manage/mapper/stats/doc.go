// Package stats manages the statistics of live mapped devices: it makes, reads and
// removes regions and groups by sending the messages of engine/dm/stats, and maps files
// to regions. It prints nothing.
//
// A [Handle] is for one device. It remembers the device's regions as last listed, and
// updates them after each change, so that several changes need no listing in between.
package stats
