// Package dmstats is the face for dmstats 1.02.185, which is also dmsetup's command
// stats: its subcommands, the columns that it adds to dmsetup's report, and dmfilemapd.
// Package dmsetup runs the command line.
package dmstats
