package member

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/sysfs"
)

// expand replaces a word that stands for several devices with those devices. word is
// false for the name of a single device.
func (m *Manager) expand(dv Subdev) (more []Subdev, word bool, err error) {
	switch {
	case dv.Name == "failed" || dv.Name == "faulty":
		more, err = m.faulty(dv)
	case dv.Name == "detached":
		more, err = m.detached(dv)
	case dv.Name == "missing":
		more, err = m.missing(dv)
	case len(dv.Name) == len("set-A") && strings.HasPrefix(dv.Name, "set-"):
		more, err = m.mirrorSet(dv)
	default:
		return nil, false, nil
	}
	return more, true, err
}

// faulty lists the failed members.
func (m *Manager) faulty(dv Subdev) ([]Subdev, error) {
	verb := VerbRemove
	switch dv.Verb {
	case VerbRemove:
	case VerbReAdd:
		verb = verbReAddFaulty
	default:
		m.Report.Say(note.Always, "member.only-meaningful-with-r-or-re-add", dv.Name, dv.Verb)
		return nil, errDeclined
	}
	return m.each(verb, func(d *mdctl.DiskInfo) bool { return d.State&mdctl.DiskFaulty != 0 }), nil
}

// detached lists the members whose devices are gone.
func (m *Manager) detached(dv Subdev) ([]Subdev, error) {
	if dv.Verb != VerbRemove && dv.Verb != VerbFail {
		m.Report.Say(note.Always, "member.only-meaningful-with-r-f", dv.Name, dv.Verb)
		return nil, errDeclined
	}
	return m.each(dv.Verb, func(d *mdctl.DiskInfo) bool {
		if dv.Verb == VerbFail && d.State&mdctl.DiskFaulty != 0 {
			return false
		}
		f, err := device.Open(live.DevNumber(d), block.ForReading)
		if err == nil {
			f.Close()
		}
		return errors.Is(err, unix.ENXIO)
	}), nil
}

// mirrorSet lists the members of one mirror set of a raid10. The array must be able to
// go on without the whole set.
func (m *Manager) mirrorSet(dv Subdev) ([]Subdev, error) {
	copies, ok := m.Live.MirrorSets()
	set := int(dv.Name[len("set-")] - 'A')
	switch {
	case dv.Verb != VerbRemove && dv.Verb != VerbFail:
		m.Report.Say(note.Always, "member.only-meaningful-with-r-or-f-2", dv.Name)
		return nil, errDeclined
	case m.Live.Info.Level != 10:
		m.Report.Say(note.Always, "member.only-meaningful-with-raid10-arrays", dv.Name)
		return nil, errDeclined
	case !ok || dv.Name[len("set-")] < 'A' || set >= copies:
		m.Report.Say(note.Always, "member.not-meaningful-with-this-array", dv.Name)
		return nil, errDeclined
	}
	in := func(d *mdctl.DiskInfo) bool { return int(d.RaidDisk)%copies == set }
	nobody := func(*mdctl.DiskInfo) bool { return false }
	if dv.Verb == VerbFail && !m.Force && m.Live.Survives(nobody) && !m.Live.Survives(in) {
		m.Report.Say(note.Always, "member.set-device-faulty-failed", dv.Name, note.Errno{Err: ErrLastMember})
		m.Report.Extra(note.Always, "member.cannot-go-on-without-it-force-fails", m.Array)
		return nil, &note.Reported{Err: ErrLastMember}
	}
	return m.each(dv.Verb, in), nil
}

// each lists members by device number, in the order of their numbers.
func (m *Manager) each(verb Verb, want func(*mdctl.DiskInfo) bool) []Subdev {
	var list []Subdev
	for i := range m.Live.Disks {
		if d := &m.Live.Disks[i]; want(d) {
			list = append(list, Subdev{Name: live.DevNumber(d), Verb: verb})
		}
	}
	return list
}

// missing lists every device of the system, as each may be a former member.
func (m *Manager) missing(dv Subdev) ([]Subdev, error) {
	if dv.Verb != VerbReAdd {
		m.Report.Say(note.Always, "member.missing-only-meaningful-with-re-add")
		return nil, errDeclined
	}
	paths := device.AllDevices(sysfs.Host)
	if len(paths) == 0 {
		m.Report.Say(note.Always, "member.no-devices-scan-for-missing-members")
	}
	list := make([]Subdev, len(paths))
	for i, p := range paths {
		list[i] = Subdev{Name: p, Verb: verbReAddMissing}
	}
	return list, nil
}
