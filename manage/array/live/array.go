// Package live is an array that runs, as the kernel shows it: its members and their
// states, and what can be asked of it: to stop, to start, to check itself.
package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// maxDisks bounds the search for members by number (mdadm.h, MAX_DISKS).
const maxDisks = 4096

// Array is a running array as the kernel describes it, at one moment.
type Array struct {
	Path  string       // as the user named it
	Name  string       // the kernel's, "md0"
	FS    sysfs.FS     // where its attributes are
	Sysfs *sysmd.Array // its attributes

	Info      mdctl.ArrayInfo
	Size      uint64 // sectors used of each member
	HasFormat bool   // the superblock format is one of ours
	Version   md.Version
	Disks     []mdctl.DiskInfo

	foreseen foreseen
}

// Read takes the description of the array behind an open md device.
func Read(dev *mdctl.Device, path string, fs sysfs.FS) (*Array, error) {
	name, err := kernelName(dev)
	if err != nil {
		return nil, err
	}
	l := &Array{Path: path, Name: name, FS: fs}
	if l.Sysfs, err = sysmd.Open(fs, name); err != nil {
		return nil, &Error{Why: note.Of("live.no-sysfs", path), Err: err}
	}
	if l.Info, err = dev.ArrayInfo(); err != nil {
		return nil, &Error{Why: note.Of("live.cannot-get-array-info", path), Err: err}
	}
	l.Size = uint64(max(l.Info.Size, 0)) * 2
	if kib, err := l.Sysfs.ComponentSize(); err == nil && kib > 0 {
		l.Size = kib * 2 // not cut to 32 bits
	}
	if err := l.readFormat(); err != nil {
		return nil, err
	}
	l.Disks, err = ReadDisks(dev, int(l.Info.NrDisks))
	return l, err
}

// Error is a failure to learn about an array, in mdadm's words.
type Error struct {
	Why note.Sentence
	Err error
}

func (e *Error) Error() string { return string(e.Why.ID) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// readFormat finds out who keeps the metadata, and in which version.
func (l *Array) readFormat() error {
	m, err := l.Sysfs.Metadata()
	if err != nil {
		m = sysmd.Metadata{Kind: sysmd.MetadataNative, Major: int(l.Info.MajorVersion), Minor: int(l.Info.MinorVersion)}
	}
	text := m.String()
	switch {
	case m.Kind == sysmd.MetadataExternal:
		return &Error{
			Why: note.Of("live.unsupported-array", -1, -2),
			Err: fmt.Errorf("metadata %s is kept outside of the kernel", m.External),
		}
	case m.Kind == sysmd.MetadataNone:
		return nil
	case m.Major == 0: // 0.90, and 0.91 while it reshapes
		text = md.V090.String()
	}
	if l.Version, err = md.ParseVersion(text); err != nil {
		return &Error{
			Why: note.Of("live.unsupported-array", l.Info.MajorVersion, l.Info.MinorVersion),
			Err: err,
		}
	}
	l.HasFormat = true
	return nil
}

// ReadDisks asks for every member, by number.
func ReadDisks(dev *mdctl.Device, n int) ([]mdctl.DiskInfo, error) {
	var disks []mdctl.DiskInfo
	for number := 0; number < maxDisks && len(disks) < n; number++ {
		d, err := dev.DiskInfo(number)
		if err != nil {
			return nil, err
		}
		if d.Major != 0 || d.Minor != 0 {
			disks = append(disks, d)
		}
	}
	return disks, nil
}

// kernelName gives the name of an open md device in /sys/block.
func kernelName(dev *mdctl.Device) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(dev.File().Fd()), &st); err != nil {
		return "", &Error{Why: note.Of("live.no-sysfs", dev.Name()), Err: err}
	}
	name, err := KernelNameOf(unix.Major(st.Rdev), unix.Minor(st.Rdev))
	if err != nil {
		return "", &Error{Why: note.Of("live.no-sysfs", dev.Name()), Err: err}
	}
	return name, nil
}

// KernelNameOf gives the last part of the link for a device number.
func KernelNameOf(major, minor uint32) (string, error) {
	link, err := os.Readlink(sysfs.Host.Sys("dev", "block", fmt.Sprintf("%d:%d", major, minor)))
	return filepath.Base(link), err
}

// Disk finds the member with a device number.
func (l *Array) Disk(major, minor uint32) (*mdctl.DiskInfo, bool) {
	for i := range l.Disks {
		d := &l.Disks[i]
		if uint32(d.Major) == major && uint32(d.Minor) == minor {
			return d, true
		}
	}
	return nil, false
}

// InSync gives, for each slot, whether a working member fills it; except those
// that leave.
func (l *Array) inSync(leave func(*mdctl.DiskInfo) bool) []bool {
	avail := make([]bool, max(l.Info.RaidDisks, 0))
	for i := range l.Disks {
		d := &l.Disks[i]
		if d.State&mdctl.DiskSync == 0 || d.State&mdctl.DiskFaulty != 0 || leave(d) {
			continue
		}
		if d.RaidDisk >= 0 && int(d.RaidDisk) < len(avail) {
			avail[d.RaidDisk] = true
		}
	}
	return avail
}

// Survives reports whether the array could go on without the members that
// leave.
func (l *Array) Survives(leave func(*mdctl.DiskInfo) bool) bool {
	return md.Enough(md.Level(l.Info.Level), int(l.Info.RaidDisks), l.Info.Layout, true, l.inSync(leave))
}

// LastOf reports whether failing the member with this device number would take
// the array down with it. It is asked for the device, whatever name it was
// given by.
func (l *Array) LastOf(major, minor uint32) bool {
	if md.Level(l.Info.Level) == md.LevelFaulty {
		return false // fails no member
	}
	nobody := func(*mdctl.DiskInfo) bool { return false }
	this := func(d *mdctl.DiskInfo) bool { return uint32(d.Major) == major && uint32(d.Minor) == minor }
	return l.Survives(nobody) && !l.Survives(this)
}

// FreeNumber gives the number a new member gets: the first free one behind the
// slots.
func (l *Array) FreeNumber(maxDevs int) int {
	used := make(map[int32]bool)
	for i := range l.Disks {
		if l.Disks[i].State&mdctl.DiskRemoved == 0 {
			used[l.Disks[i].Number] = true
		}
	}
	n := int(l.Info.RaidDisks)
	for n < maxDevs && used[int32(n)] {
		n++
	}
	return n
}

// setName gives the letters of a raid10 mirror set as mdadm counts them, and
// whether the array has such sets.
func (l *Array) MirrorSets() (copies int, ok bool) {
	layout := md.ParseRAID10Layout(l.Info.Layout)
	copies = layout.Copies()
	ok = md.Level(l.Info.Level) == md.LevelRAID10 && copies > 0 && copies <= 26 && int(l.Info.RaidDisks)%copies == 0
	return copies, ok
}

// DevNumber writes a member as mdadm does where it has no name for it.
func DevNumber(d *mdctl.DiskInfo) string {
	return strconv.Itoa(int(d.Major)) + ":" + strconv.Itoa(int(d.Minor))
}

// FreeSlot gives a slot that nobody has.
func (l *Array) FreeSlot() (int, bool) {
	used := make(map[int32]bool)
	for i := range l.Disks {
		used[l.Disks[i].RaidDisk] = true
	}
	for slot := range max(l.Info.RaidDisks, 0) {
		if !used[slot] {
			return int(slot), true
		}
	}
	return md.SlotNone, false
}

// HasBitmap reports whether the array has an internal bitmap.
func (l *Array) HasBitmap() bool { return l.Info.State&mdctl.ArrayBitmapPresent != 0 }

// errNoMembers is an array that shows none.
var errNoMembers = errors.New("the array has no members")

// Taken reports whether a member has the number.
func (l *Array) Taken(number int) bool {
	for i := range l.Disks {
		if int(l.Disks[i].Number) == number {
			return true
		}
	}
	return false
}
