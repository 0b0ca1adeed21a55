package array

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/sysfs"
)

// expand turns a word that stands for several devices into those devices. It
// reports false for names of single devices.
func (m *manager) expand(dv Subdev) (more []Subdev, word bool, err error) {
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
func (m *manager) faulty(dv Subdev) ([]Subdev, error) {
	verb := VerbRemove
	switch dv.Verb {
	case VerbRemove:
	case VerbReAdd:
		verb = verbReAddFaulty
	default:
		m.Report.say(Always, "%s only meaningful with -r or --re-add, not -%c", dv.Name, dv.Verb)
		return nil, errDeclined
	}
	return m.each(verb, func(d *mdctl.DiskInfo) bool { return d.State&mdctl.DiskFaulty != 0 }), nil
}

// detached lists the members whose devices are gone.
func (m *manager) detached(dv Subdev) ([]Subdev, error) {
	if dv.Verb != VerbRemove && dv.Verb != VerbFail {
		m.Report.say(Always, "%s only meaningful with -r of -f, not -%c", dv.Name, dv.Verb)
		return nil, errDeclined
	}
	return m.each(dv.Verb, func(d *mdctl.DiskInfo) bool {
		if dv.Verb == VerbFail && d.State&mdctl.DiskFaulty != 0 {
			return false
		}
		f, err := openDevice(devNumber(d), block.ForReading)
		if err == nil {
			f.Close()
		}
		return errors.Is(err, unix.ENXIO)
	}), nil
}

// mirrorSet lists the members of one set of a raid10 that has as many sets as
// copies. The set as a whole must be dispensable.
func (m *manager) mirrorSet(dv Subdev) ([]Subdev, error) {
	copies, ok := m.live.mirrorSets()
	set := int(dv.Name[len("set-")] - 'A')
	switch {
	case dv.Verb != VerbRemove && dv.Verb != VerbFail:
		m.Report.say(Always, "'%s' only meaningful with -r or -f", dv.Name)
		return nil, errDeclined
	case m.live.Info.Level != 10:
		m.Report.say(Always, "'%s' only meaningful with RAID10 arrays", dv.Name)
		return nil, errDeclined
	case !ok || dv.Name[len("set-")] < 'A' || set >= copies:
		m.Report.say(Always, "'%s' not meaningful with this array", dv.Name)
		return nil, errDeclined
	}
	in := func(d *mdctl.DiskInfo) bool { return int(d.RaidDisk)%copies == set }
	nobody := func(*mdctl.DiskInfo) bool { return false }
	if dv.Verb == VerbFail && !m.Force && m.live.survives(nobody) && !m.live.survives(in) {
		m.Report.say(Always, "set device faulty failed for %s:  %s", dv.Name, errnoText(ErrLastMember))
		m.Report.extra(Always, "%s cannot go on without it; --force fails it all the same", m.Array)
		return nil, &Said{ErrLastMember}
	}
	return m.each(dv.Verb, in), nil
}

// each lists members by device number, in the order of their numbers.
func (m *manager) each(verb Verb, want func(*mdctl.DiskInfo) bool) []Subdev {
	var list []Subdev
	for i := range m.live.Disks {
		if d := &m.live.Disks[i]; want(d) {
			list = append(list, Subdev{Name: devNumber(d), Verb: verb})
		}
	}
	return list
}

// missing lists every device of the system, each of which may have been a
// member.
func (m *manager) missing(dv Subdev) ([]Subdev, error) {
	if dv.Verb != VerbReAdd {
		m.Report.say(Always, "'missing' only meaningful with --re-add")
		return nil, errDeclined
	}
	paths := allDevices(sysfs.Host)
	if len(paths) == 0 {
		m.Report.say(Always, "no devices to scan for missing members.")
	}
	list := make([]Subdev, len(paths))
	for i, p := range paths {
		list[i] = Subdev{Name: p, Verb: verbReAddMissing}
	}
	return list, nil
}

// allDevices gives the nodes of all devices in /proc/partitions, the last one
// first, as mdadm has them (config.c, load_partitions).
func allDevices(fs sysfs.FS) []string {
	f, err := os.Open(fs.Proc("partitions"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var paths []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) != 4 {
			continue
		}
		major, err1 := strconv.ParseUint(w[0], 10, 32)
		minor, err2 := strconv.ParseUint(w[1], 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		paths = append(paths, devicePath(uint32(major), uint32(minor), w[3]))
	}
	slices.Reverse(paths)
	return paths
}

// devicePath gives the node of a device: the one the kernel names, if it is
// there and is that device, else the number, which openDevice understands.
func devicePath(major, minor uint32, kernelName string) string {
	path := "/dev/" + strings.ReplaceAll(kernelName, "!", "/")
	if a, b, err := statDevice(path); err == nil && a == major && b == minor {
		return path
	}
	return strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
}
