package watch

import (
	"errors"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// reading is everything that one look at an array finds.
type reading struct {
	State
	level      int // the kernel's number; levelUnknown if there is none
	utime      uint32
	percent    int
	missing    int // slots without a member in sync
	mismatches uint64
	metadata   string
	disks      []disk
}

// levelUnknown is a level without a number, such as that of a container.
const levelUnknown = 1 << 16

// errInactive marks an array that does not run.
var errInactive = errors.New("the array is not active")

// maxNumbers bounds the kernel's numbers of members (mdadm.h, MAX_DISKS).
const maxNumbers = 4096

// read takes a reading of an array that mdstat lists.
func (w *Watcher) read(dev *mdctl.Device, k *known, stat *sysmd.MdstatArray) (*reading, error) {
	a, err := sysmd.Open(w.fs, k.kernel)
	if err != nil {
		return nil, err
	}
	w.wait.progress(a)
	if stat.Level != "" {
		switch s, err := a.State(); {
		case err != nil:
			return nil, err
		case s == sysmd.Clear || s == sysmd.Inactive:
			return nil, errInactive
		}
	}
	info, err := dev.ArrayInfo()
	if err != nil {
		return nil, err
	}
	r := &reading{utime: info.UTime, level: levelUnknown, percent: percentOf(stat.Sync), metadata: policyName(stat.Metadata)}
	r.Level, r.Slots, r.missing = string(stat.Level), stat.Slots, stat.Missing()
	if stat.Sync != nil {
		r.Action, r.Percent = stat.Sync.Action, max(0, r.percent)
	}
	if err := r.count(a); err != nil {
		return nil, err
	}
	if r.mismatches, err = a.MismatchCount(); err != nil {
		r.mismatches = 0 // levels without redundancy have no count
	}
	r.disks = numbers(dev, int(info.NrDisks))
	return r, nil
}

// percentOf puts what mdstat says about an action into one number.
func percentOf(s *sysmd.MdstatSync) int {
	switch {
	case s == nil:
		return idle
	case s.Delayed:
		return delayed
	case s.Pending:
		return pending
	case s.Remote:
		return remote
	}
	return s.PerMille / 10
}

// policyName is the word for a metadata format in policies (super0.c and
// super1.c, name).
func policyName(m sysmd.Metadata) string {
	switch {
	case m.Kind != sysmd.MetadataNative:
		return ""
	case m.Major == 0:
		return "0.90"
	}
	return "1.x"
}

// count counts members by their flags (sysfs.c, sysfs_read).
func (r *reading) count(a *sysmd.Array) error {
	level, err := a.Level()
	if err != nil {
		return err
	}
	if l, err := md.ParseLevel(string(level)); err == nil {
		r.level = int(l)
	}
	slots, err := a.RaidDisks()
	if err != nil {
		return err
	}
	r.RaidDisks = int(slots.Now)
	members, err := a.Members()
	if err != nil {
		return err
	}
	for _, m := range members {
		s, err := m.State()
		if err != nil {
			continue // it is being removed
		}
		switch {
		case s.Has(sysmd.MemberFaulty):
			continue
		case s.Has(sysmd.MemberInSync):
			r.Active++
		default:
			r.Spare++
		}
		r.Working++
	}
	if r.RaidDisks > 0 {
		r.Failed = r.RaidDisks - r.Active - r.Spare
	}
	return nil
}

// numbers asks the driver for each of its members.
func numbers(dev *mdctl.Device, count int) []disk {
	var disks []disk
	for n := 0; n < maxNumbers && count > 0; n++ {
		d := none
		info, err := dev.DiskInfo(n)
		if err == nil && (info.Major != 0 || info.Minor != 0) {
			d = disk{state: info.State, num: sysblock.Num{Major: uint32(info.Major), Minor: uint32(info.Minor)}}
			count--
		}
		disks = append(disks, d)
	}
	return disks
}
