package watch

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Values of known.percent that are not percentages (mdadm.h, RESYNC_*).
const (
	idle    = -1
	delayed = -2
	pending = -3
	remote  = -4
	unknown = -5 // not looked yet
)

// known is what is known about one array from the last look at it.
type known struct {
	path       string
	kernel     string
	container  bool // a container of external metadata: arrays are made in it
	configured bool
	scanned    bool
	spareGroup string
	wantSpares int
	metadata   string // in the words of policies: "0.90" or "1.x"; "" for others

	utime   uint32 // of the last look that saw a change; 0 before the first
	errs    int    // number of looks in a row that did not find it
	percent int
	disks   []disk // by the kernel's number
	seen    State
}

// disk is one number of an array.
type disk struct {
	state mdctl.DiskState
	num   sysblock.Num
}

// none stands for a number that no member has.
var none = disk{state: mdctl.DiskRemoved}

func (d disk) empty() bool { return d.num == sysblock.Num{} }

// needy reports whether the array could use a spare.
func (k *known) needy() bool { return k.seen.Active < k.seen.RaidDisks && k.seen.Spare == 0 }

// check looks at one array and reports what has changed (Monitor.c,
// check_array). It says whether the array lacks members and has no spare.
func (w *Watcher) check(p *pass, k *known) bool {
	if p.test {
		w.tell(TestMessage, k, "", "")
	}
	dev, err := mdctl.Open(k.path, os.O_RDONLY)
	if err != nil {
		return w.gone(k)
	}
	defer dev.Close()
	if k.kernel == "" {
		k.kernel = kernelName(w, dev)
	}
	stat := p.stat.Array(k.kernel)
	switch {
	case stat == nil && k.utime != 0 && w.cleared(k.kernel):
		return w.gone(k) // its device exists for a moment longer; mdadm does not notice that it has gone
	case stat == nil || p.used[k.kernel]:
		k.errs++ // a second name for the same array, or it has just appeared
		return false
	}
	p.used[k.kernel] = true
	k.container = stat.Level == "" && stat.Metadata.Kind == sysmd.MetadataExternal
	now, err := w.read(dev, k, stat)
	if err != nil {
		if stat.Level == "" {
			k.errs++ // a container, or an array that does not run
			return false
		}
		return w.gone(k)
	}
	if now.level == int(md.LevelRAID0) || now.level == int(md.LevelLinear) {
		if k.errs == 0 && !k.configured {
			w.tell(DeviceDisappeared, k, "", WrongLevel)
		}
		k.errs++
		return false
	}
	w.compare(k, now, stat.Level == "")
	return k.needy()
}

// cleared reports whether the device of that kernel name no longer has an array.
func (w *Watcher) cleared(kernel string) bool {
	a, err := sysmd.Open(w.fs, kernel)
	if err != nil {
		return true
	}
	s, err := a.State()
	return err != nil || s == sysmd.Clear
}

// gone reports that an array has disappeared.
func (w *Watcher) gone(k *known) bool {
	if k.errs == 0 && !k.container {
		w.tell(DeviceDisappeared, k, "", "")
	}
	k.errs++
	return false
}

// compare reports what differs from the last look.
func (w *Watcher) compare(k *known, now *reading, inactive bool) {
	fresh := k.errs > 0
	before := k.seen
	if fresh {
		k.errs, k.percent = 0, idle
		if !inactive {
			k.seen = now.State
			w.tell(NewArray, k, "", "")
		}
	}
	utime := now.utime
	if utime == 0 {
		utime = k.utime + 1 // arrays without metadata that the kernel keeps have none
	}
	if k.utime == utime && before.Failed == now.Failed && before.Working == now.Working &&
		before.Spare == now.Spare && k.percent == now.percent {
		return
	}
	k.seen = now.State
	if k.utime == 0 {
		w.firstLook(k, now)
	}
	w.rebuild(k, now)
	k.percent = now.percent
	w.members(k, now, fresh)
	k.utime, k.metadata = utime, now.metadata
}

// firstLook reports what is already wrong with an array.
func (w *Watcher) firstLook(k *known, now *reading) {
	if now.missing > 0 {
		w.tell(DegradedArray, k, "", "")
	}
	if k.wantSpares > 0 && now.Spare < k.wantSpares {
		w.tell(SparesMissing, k, "", "")
	}
}

// rebuild reports the progress of whatever the array is doing.
func (w *Watcher) rebuild(k *known, now *reading) {
	switch old, percent, step := k.percent, now.percent, w.Increment; {
	case old < 0 && old != unknown && percent >= 0:
		w.tell(RebuildStarted, k, "", "")
	case old >= 0 && percent >= 0 && percent/step > old/step:
		w.tell(fmt.Sprintf("Rebuild%02d", percent), k, "", "")
	case old >= 0 && percent == idle:
		extra := ""
		if now.mismatches > 0 {
			extra = fmt.Sprintf("mismatches found: %d (on raid level %d)", now.mismatches, now.level)
		}
		w.tell(RebuildFinished, k, "", extra)
	}
}

// members reports what has become of each member.
func (w *Watcher) members(k *known, now *reading, fresh bool) {
	for i := range max(len(k.disks), len(now.disks)) {
		was, is := at(k.disks, i), at(now.disks, i)
		change := was.state ^ is.state
		if change == 0 || k.utime == 0 || fresh {
			continue
		}
		name := w.nodeName(is)
		if name == "" {
			name = w.nodeName(was)
		}
		switch {
		case was.state&change&mdctl.DiskSync != 0:
			w.tell(Fail, k, name, "")
		case is.state&mdctl.DiskFaulty != 0 && !is.empty() && was.num == is.num:
			w.tell(FailSpare, k, name, "")
		case is.state&change&mdctl.DiskSync != 0:
			w.tell(SpareActive, k, name, "")
		}
	}
	k.disks = now.disks
}

func at(disks []disk, i int) disk {
	if i < len(disks) {
		return disks[i]
	}
	return none
}

// nodeName names a member, by its number where it has no name.
func (w *Watcher) nodeName(d disk) string {
	if d.empty() {
		return ""
	}
	if name := w.nodes.Name(d.num.Major, d.num.Minor, w.Prefer); name != "" {
		return name
	}
	return d.num.String()
}

// kernelName finds the kernel's name for an open array.
func kernelName(w *Watcher, dev *mdctl.Device) string {
	major, minor, err := blockctl.Number(dev.File())
	if err != nil {
		return ""
	}
	b, err := sysblock.OpenNum(w.fs, sysblock.Num{Major: major, Minor: minor})
	if err != nil {
		return ""
	}
	return b.Name()
}

// isNode reports whether path is a node for the block device.
func isNode(path string, num sysblock.Num) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK &&
		st.Rdev == unix.Mkdev(num.Major, num.Minor)
}

// setUp reports whether there is an array behind the device.
func setUp(path string) bool {
	dev, err := mdctl.Open(path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer dev.Close()
	_, err = dev.ArrayInfo()
	return err == nil
}
