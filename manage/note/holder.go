package note

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
)

// Holders adds what holds the device called name, if err says that it is busy.
func (r Reporter) Holders(l Loudness, name string, err error) {
	if !errors.Is(err, unix.EBUSY) {
		return
	}
	if who := heldBy(name); who != "" {
		r.Extra(l, Reason, who)
	}
}

// heldBy says in one line what keeps the device called name busy, or "" if the kernel
// does not show it.
func heldBy(name string) string {
	major, minor, ok := device.ParseDevNumber(name)
	if !ok {
		var err error
		if major, minor, err = device.StatDevice(name); err != nil {
			return ""
		}
	}
	return HeldBy(sysfs.Host, sysblock.Num{Major: major, Minor: minor}, name)
}
