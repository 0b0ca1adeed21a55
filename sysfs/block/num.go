// Package block reads what the kernel shows about block devices in /sys/block
// and /sys/dev/block: names and numbers, sizes and limits, which devices are
// stacked on which, and what keeps a device busy.
package block

import (
	"fmt"
	"strconv"
	"strings"
)

// Num is a device number, the kernel's dev_t.
type Num struct {
	Major uint32 // driver, up to 4095
	Minor uint32 // device within the driver, up to 1048575
}

// String returns major:minor, as sysfs spells it.
func (n Num) String() string { return fmt.Sprintf("%d:%d", n.Major, n.Minor) }

// ParseNum reads major:minor.
func ParseNum(s string) (Num, error) {
	ma, mi, ok := strings.Cut(s, ":")
	if ok {
		major, err1 := strconv.ParseUint(ma, 10, 12)
		minor, err2 := strconv.ParseUint(mi, 10, 20)
		if err1 == nil && err2 == nil {
			return Num{uint32(major), uint32(minor)}, nil
		}
	}
	return Num{}, fmt.Errorf("%q is not a device number major:minor", s)
}
