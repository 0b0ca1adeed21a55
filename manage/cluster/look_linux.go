package cluster

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Look returns how the cluster stands: what its controller says, and what this node's
// kernel shows of locks and of arrays that the cluster shares.
func Look(root sysfs.FS, dir string) (*Status, error) {
	st, err := Find(root, dir).Status()
	if err != nil {
		return nil, err
	}
	v, err := see(root, st)
	if err != nil {
		return nil, err
	}
	v.addTo(st)
	return st, nil
}

// see gathers what the kernel shows. Locks and messages that it does not show are
// missing, as is what goes away meanwhile.
func see(root sysfs.FS, st *Status) (*sight, error) {
	v := &sight{locks: map[string][]dlm.LockInfo{}}
	for _, s := range st.Spaces {
		locks, err := dlm.NewDebug(root).Locks(s.Name)
		switch {
		case err == nil:
			v.locks[s.Name] = locks
		case !errors.Is(err, dlm.ErrNotVisible) && !errors.Is(err, dlm.ErrPermission) && !errors.Is(err, dlm.ErrNoLockspace):
			return nil, err
		}
	}
	if err := v.seeArrays(root); err != nil {
		return nil, err
	}
	if len(v.arrays) > 0 {
		log := note.RereadKernel()
		defer log.Close()
		v.log = log.Heard(func(string) bool { return true })
	}
	return v, nil
}

// seeArrays looks for arrays that a cluster shares.
func (v *sight) seeArrays(root sysfs.FS) error {
	names, err := sysmd.Names(root)
	if err != nil || len(names) == 0 {
		return err
	}
	stat, err := sysmd.ReadMdstat(root)
	if err != nil {
		return err
	}
	for _, name := range names {
		a := sysmd.At(root, name)
		if kind, err := a.BitmapMetadata(); err != nil || kind != sysmd.BitmapClustered {
			continue // also one that has just been stopped
		}
		s := arraySight{name: name}
		s.degraded, _ = a.Degraded()
		if shown := stat.Array(name); shown != nil {
			s.sync = shown.Sync
		}
		s.readMember(a)
		v.arrays = append(v.arrays, s)
	}
	return nil
}

// readMember reads the uuid and the copies of the bitmap from the first member that can
// be read.
func (s *arraySight) readMember(a *sysmd.Array) {
	members, err := a.Members()
	if err != nil {
		return
	}
	for _, m := range members {
		if state, err := m.State(); err == nil && state.Has(sysmd.MemberInSync) && s.readFrom(m) == nil {
			return
		}
	}
}

func (s *arraySight) readFrom(sm *sysmd.Member) error {
	number, err := sm.Number()
	if err != nil {
		return err
	}
	name, err := sm.Block()
	if err != nil {
		return err
	}
	// The kernel writes bitmaps past the cache of the device.
	d, err := block.OpenFile(device.DevicePath(number.Major, number.Minor, name), block.Direct)
	if err != nil {
		return err
	}
	defer d.Close()
	m, err := md.ReadMember(d)
	if err != nil {
		return err
	}
	u := m.NativeUUID()
	s.space = fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	s.dirty = nil
	first, err := m.ReadBitmap(d)
	if first == nil || err != nil {
		return err
	}
	for i := range first.Copies() {
		dirty, err := dirtyIn(d, m, first, i)
		if err != nil {
			return err
		}
		s.dirty = append(s.dirty, dirty)
	}
	return nil
}

func dirtyIn(d block.Device, m *md.Member, first *md.Bitmap, copy int) (uint64, error) {
	b, err := m.ReadBitmapNode(d, first, copy)
	if err != nil {
		return 0, err
	}
	count, err := b.Count(d)
	return count.Dirty, err
}
