package mapper

import (
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// Major returns the major number of mapped devices, 0 if there is none.
func Major(fs sysfs.FS) uint32 {
	text, err := sysfs.ReadProc(fs.Proc("devices"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 2 && f[1] == "device-mapper" {
			n, _ := strconv.ParseUint(f[0], 10, 32)
			return uint32(n)
		}
	}
	return 0
}

// KernelName returns the kernel's name of a device, in which "!" stands for a slash.
func KernelName(fs sysfs.FS, n dm.Number) (string, bool) {
	d, err := block.OpenNum(fs, block.Num{Major: n.Major, Minor: n.Minor})
	if err != nil {
		return "", false
	}
	return strings.ReplaceAll(d.Name(), "/", "!"), true
}

// DeviceName returns the name of a mapped device, and the kernel's name of other
// devices.
func DeviceName(fs sysfs.FS, n dm.Number) (string, bool) {
	d, err := block.OpenNum(fs, block.Num{Major: n.Major, Minor: n.Minor})
	if err != nil {
		return "", false
	}
	if name, err := d.MapperName(); err == nil {
		return name, true
	}
	return KernelName(fs, n)
}
