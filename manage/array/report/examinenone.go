package report

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// WhyNoSuper says, one error for each of the wanted versions, why d carries no
// superblock of them (load_super0, load_super1); none for a version it does
// carry. It stops at a device that is too small, or cannot be read: only then
// is readable false.
func WhyNoSuper(d block.Device, want ...md.Version) (why []*md.LoadError, readable bool) {
	for _, v := range want {
		_, err := md.LoadSuper(d, v)
		if err == nil {
			continue
		}
		why = append(why, err)
		if !err.Foreign() {
			return why, false
		}
	}
	return why, true
}
