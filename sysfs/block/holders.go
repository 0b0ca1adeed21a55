package block

import (
	"errors"
	"path"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
)

// HolderKind says in what way a device is held.
type HolderKind string

// Ways to hold a device.
const (
	HeldByDevice HolderKind = "device" // an array or a mapped device stands on it
	HeldByMount  HolderKind = "mount"  // a file system on it is mounted
	HeldBySwap   HolderKind = "swap"   // it is swapped to
)

// Holder is one reason why a device cannot be claimed exclusively.
type Holder struct {
	Kind   HolderKind // in what way
	Device string     // name of the device that is held: the one asked for, a partition of it, or its disk
	By     string     // name of the holding device, mount point, or "swap"
}

// String says it in words, such as "sda1 is mounted on /boot".
func (h Holder) String() string {
	switch h.Kind {
	case HeldByMount:
		return h.Device + " is mounted on " + h.By
	case HeldBySwap:
		return h.Device + " is swapped to"
	}
	return h.Device + " is held by " + h.By
}

// Holders finds out what keeps the device with that number busy: stacked
// devices, mounts and swap, on the device itself, on its partitions, or on the
// disk it is a partition of. It returns nothing if the device is free or is
// held in a way the kernel does not show, such as by a process that has it
// open; see [Openers]. Mounts in other mount namespaces are not seen.
func Holders(fs sysfs.FS, n Num) ([]Holder, error) {
	dev, err := OpenNum(fs, n)
	if err != nil {
		return nil, err
	}
	devs := []*Device{dev}
	if _, part, err := dev.Partition(); err != nil {
		return nil, err
	} else if part {
		disk, err := dev.Disk()
		if err != nil {
			return nil, err
		}
		devs = append(devs, disk)
	} else {
		parts, err := dev.Partitions()
		if err != nil {
			return nil, err
		}
		devs = append(devs, parts...)
	}

	var found []Holder
	for _, d := range devs {
		names, err := d.Holders()
		if err != nil && !errors.Is(err, sysfs.ErrNotSupported) {
			return nil, err
		}
		for _, name := range names {
			found = append(found, Holder{Kind: HeldByDevice, Device: d.Name(), By: name})
		}
	}
	used, err := mountsAndSwaps(fs)
	if err != nil {
		return nil, err
	}
	for _, d := range devs {
		num, err := d.Num()
		if err != nil {
			return nil, err
		}
		for _, u := range used {
			if u.num == num || u.name == d.Name() {
				found = append(found, Holder{Kind: u.kind, Device: d.Name(), By: u.by})
			}
		}
	}
	return found, nil
}

type use struct {
	kind HolderKind
	num  Num    // 0:0 where only the name is known
	name string // the device's name without /dev/
	by   string
}

func mountsAndSwaps(fs sysfs.FS) ([]use, error) {
	mounts, err := sysfs.ReadProc(fs.Proc("self", "mountinfo"))
	if err != nil && !errors.Is(err, sysfs.ErrNotSupported) {
		return nil, err
	}
	swaps, err := sysfs.ReadProc(fs.Proc("swaps"))
	if err != nil && !errors.Is(err, sysfs.ErrNotSupported) {
		return nil, err
	}
	return append(parseMountinfo(mounts), parseSwaps(swaps)...), nil
}

// parseMountinfo reads proc(5) mountinfo: id, parent, major:minor, root, mount
// point, options, any number of tags, "-", type, source, super options.
func parseMountinfo(text string) []use {
	var uses []use
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		u := use{kind: HeldByMount, by: sysfs.Unescape(f[4])}
		if num, err := ParseNum(f[2]); err == nil && num.Major != 0 {
			u.num = num
		}
		// Some file systems, such as btrfs, show a number of their own; then
		// the source names the device.
		for i := 5; i+2 < len(f); i++ {
			if f[i] == "-" {
				u.name = deviceName(f[i+2])
				break
			}
		}
		uses = append(uses, u)
	}
	return uses
}

// parseSwaps reads proc(5) swaps: a heading, then file, type, size, used,
// priority.
func parseSwaps(text string) []use {
	var uses []use
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[1] == "partition" {
			uses = append(uses, use{kind: HeldBySwap, name: deviceName(f[0]), by: "swap"})
		}
	}
	return uses
}

// deviceName turns the path of a node into the kernel's name, and any other
// path into "".
func deviceName(p string) string {
	name, ok := strings.CutPrefix(path.Clean(sysfs.Unescape(p)), "/dev/")
	if !ok {
		return ""
	}
	return name
}
