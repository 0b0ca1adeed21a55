package array

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/manage/live"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
)

// holders adds who holds the device called name, if err says that it is busy.
func (r Reporter) holders(l Loudness, name string, err error) {
	if !errors.Is(err, unix.EBUSY) {
		return
	}
	if who := heldBy(name); who != "" {
		r.extra(l, "%s", who)
	}
}

// heldBy says in one line what keeps the device called name busy, or "" if
// the kernel does not show it.
func heldBy(name string) string {
	major, minor, ok := parseDevNumber(name)
	if !ok {
		var err error
		if major, minor, err = statDevice(name); err != nil {
			return ""
		}
	}
	return live.HeldBy(sysfs.Host, sysblock.Num{Major: major, Minor: minor}, name)
}
