package main

import (
	"github.com/mdkit/mdkit/internal/cli/blkdeactivate"
	"github.com/mdkit/mdkit/internal/cli/dlmtool"
	"github.com/mdkit/mdkit/internal/cli/dmsetup"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/mdadm"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// faces returns the tools that mdkit stands in for.
func faces() []ui.Face {
	return []ui.Face{
		{Name: "mdadm", Usage: "manage md arrays, as mdadm(8) does", Main: mdadm.Main},
		{Name: "dmsetup", Usage: "manage device-mapper devices, as dmsetup(8) does", Main: dmsetup.Main, Complete: dmsetup.Complete},
		{Name: "dmstats", Usage: "keep statistics of device-mapper devices, as dmstats(8) does", Main: dmsetup.Main, Complete: dmsetup.CompleteStats},
		{Name: "dmfilemapd", Usage: "follow a file that dmstats has mapped, as dmfilemapd(8) does", Main: dmstats.Filemapd},
		{Name: "blkdeactivate", Usage: "take down stacks of block devices, as blkdeactivate(8) does", Main: blkdeactivate.Main},
		{Name: "dlm_tool", Usage: "look at and change lockspaces of a cluster, as dlm_tool(8) does", Main: dlmtool.Main},
		{Name: "devmap_name", Usage: "name a device-mapper device by its number", Main: dmsetup.Main},
	}
}
