package report

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// WhyNoSuper says, in mdadm's words and one line for each of the wanted
// versions, why d carries no superblock of them (load_super0, load_super1);
// none for a version it does carry. It stops at a device that is too small, or
// cannot be read: only then is readable false.
func WhyNoSuper(d block.Device, want ...md.Version) (lines []string, readable bool) {
	for _, v := range want {
		_, err := md.LoadSuper(d, v)
		if err == nil {
			continue
		}
		lines = append(lines, err.Text)
		if !err.Foreign {
			return lines, false
		}
	}
	return lines, true
}
