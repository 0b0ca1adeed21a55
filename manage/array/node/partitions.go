package node

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/partition"
)

// Partitioned reads the partition table on d. It fails if there is none.
func Partitioned(d block.Device) (*partition.MBR, error) {
	sector := make([]byte, partition.MBRSize)
	if err := block.ReadFull(d, sector, 0); err != nil {
		return nil, err
	}
	return partition.ParseMBR(sector)
}

// Partitions lists every disk and partition that the kernel knows (/proc/partitions),
// last first as mdadm lists them, by its name in /dev, or as "major:minor" if it has
// none.
func Partitions(nodes *Nodes) ([]string, error) {
	b, err := os.ReadFile("/proc/partitions")
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	var names []string
	for _, dev := range parsePartitions(string(b)) {
		name := nodes.Name(dev[0], dev[1], "")
		if name == "" {
			name = fmt.Sprintf("%d:%d", dev[0], dev[1])
		}
		names = append(names, name)
	}
	return names, nil
}

// parsePartitions returns the device numbers in the lines of /proc/partitions
// (block/genhd.c, show_partition), last line first. Header lines do not begin with a
// blank.
func parsePartitions(text string) [][2]uint32 {
	var devs [][2]uint32
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if line[0] != ' ' || len(w) < 2 {
			continue
		}
		major, err1 := strconv.ParseUint(w[0], 10, 32)
		minor, err2 := strconv.ParseUint(w[1], 10, 32)
		if err1 == nil && err2 == nil {
			devs = append(devs, [2]uint32{uint32(major), uint32(minor)})
		}
	}
	slices.Reverse(devs)
	return devs
}
