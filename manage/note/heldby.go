package note

import (
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// HeldBy says in one line what keeps the device with that number busy, or "" if the
// kernel does not show it: devices built on it, mounts and swap, or else the processes
// that have it open. name is what to call the device.
func HeldBy(fs sysfs.FS, num block.Num, name string) string {
	var reasons []string
	if held, err := block.Holders(fs, num); err == nil {
		for _, h := range held {
			reasons = append(reasons, h.String())
		}
	}
	if len(reasons) == 0 {
		if procs, err := block.Openers(fs, num); err == nil {
			for _, p := range procs {
				reasons = append(reasons, fmt.Sprintf("%s is open in %v", name, p))
			}
		}
	}
	return strings.Join(reasons, "; ")
}
