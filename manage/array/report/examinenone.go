package report

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// WhyNoSuper returns, for each of the wanted versions, an error that says why d has no
// superblock of that version (load_super0, load_super1); it returns none for a version
// that d has. If the device is too small or cannot be read, it stops, and only then is
// readable false.
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
