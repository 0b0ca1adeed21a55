//go:build !linux

package main

import "github.com/mdkit/mdkit/internal/cli/ui"

// faces returns the tools that mdkit stands in for on Linux. They are about
// devices that only the Linux kernel has, so that here they only say so; the verbs
// read the same arrays from images.
func faces() []ui.Face {
	return []ui.Face{
		ui.NeedsLinux("mdadm"),
		ui.NeedsLinux("dmsetup"),
		ui.NeedsLinux("dmstats"),
		ui.NeedsLinux("dmfilemapd"),
		ui.NeedsLinux("blkdeactivate"),
		ui.NeedsLinux("dlm_tool"),
		ui.NeedsLinux("devmap_name"),
	}
}
