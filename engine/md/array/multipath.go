package array

import (
	"github.com/mdkit/mdkit/engine/md"
)

// multipath serves several paths to the same device. Like the kernel, it uses the
// first that works; a path that fails is out from then on, but the last one stays
// (drivers/md/md-multipath.c, multipath_map and multipath_error). It writes no
// superblock: all paths lead to the same one.
type multipath struct{ slots []slot }

func (a *Array) newMultipath(f *md.Member) (personality, int64, error) {
	used, err := a.usedBytes(f)
	return &multipath{a.slots}, used, err
}

// any calls do with one path after the other until one succeeds.
func (m *multipath) any(do func(l *leg) error) error {
	var failures []error
	var failed []*leg
	for _, s := range m.slots {
		for _, l := range s {
			if l.failed.Load() {
				continue
			}
			err := do(l)
			if err == nil {
				for _, bad := range failed {
					bad.failed.Store(true)
				}
				return nil
			}
			failures, failed = append(failures, err), append(failed, l)
		}
	}
	return lost(failures)
}

func (m *multipath) read(p []byte, off int64) error {
	return m.any(func(l *leg) error { return l.read(p, off) })
}

func (m *multipath) write(p []byte, off int64) error {
	return m.any(func(l *leg) error {
		_, err := l.dev.WriteAt(p, l.start+off)
		return err
	})
}

// sync syncs through one path, because all lead to the same device.
func (m *multipath) sync() error {
	return m.any(func(l *leg) error { return l.dev.Sync() })
}
