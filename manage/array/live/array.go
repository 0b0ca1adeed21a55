// Package live describes a running array as the kernel shows it: its members and their
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

// Array is a running array as the kernel described it at one moment.
type Array struct {
	Path  string       // as the user named it
	Name  string       // the kernel's name, such as md0
	FS    sysfs.FS     // where sysfs and /proc are found
	Sysfs *sysmd.Array // its attributes

	Info      mdctl.ArrayInfo
	Size      uint64 // sectors used on each member
	HasFormat bool   // the superblock has a format that mdkit knows
	Version   md.Version
	Disks     []mdctl.DiskInfo

	foreseen foreseen
}

// Read reads the description of the array behind an open md device.
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
		l.Size = kib * 2 // in Info it is cut to 32 bits
	}
	if err := l.readFormat(); err != nil {
		return nil, err
	}
	l.Disks, err = ReadDisks(dev, int(l.Info.NrDisks))
	return l, err
}

// Error is a failure to find out about an array; Why says it to people.
type Error struct {
	Why note.Sentence
	Err error
}

func (e *Error) Error() string { return string(e.Why.ID) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// readFormat finds out who manages the metadata, and its version.
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
	case m.Major == 0: // 0.90, or 0.91 during a reshape
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

// ReadDisks asks the kernel for every member, by number.
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

// kernelName returns the name that an open md device has in /sys/block.
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

// KernelNameOf returns the last part of the link for a device number.
func KernelNameOf(major, minor uint32) (string, error) {
	link, err := os.Readlink(sysfs.Host.Sys("dev", "block", fmt.Sprintf("%d:%d", major, minor)))
	return filepath.Base(link), err
}

// Disk returns the member with that device number.
func (l *Array) Disk(major, minor uint32) (*mdctl.DiskInfo, bool) {
	for i := range l.Disks {
		d := &l.Disks[i]
		if uint32(d.Major) == major && uint32(d.Minor) == minor {
			return d, true
		}
	}
	return nil, false
}

// inSync returns, for each slot, whether a working member fills it, not counting those
// for which leave is true.
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

// Survives reports whether the array could run without the members for which leave is
// true.
func (l *Array) Survives(leave func(*mdctl.DiskInfo) bool) bool {
	return md.Enough(md.Level(l.Info.Level), int(l.Info.RaidDisks), l.Info.Layout, true, l.inSync(leave))
}

// LastOf reports whether the array would fail along with the member with this device
// number. It goes by the device, whatever name was given.
func (l *Array) LastOf(major, minor uint32) bool {
	if md.Level(l.Info.Level) == md.LevelFaulty {
		return false // then no member fails
	}
	nobody := func(*mdctl.DiskInfo) bool { return false }
	this := func(d *mdctl.DiskInfo) bool { return uint32(d.Major) == major && uint32(d.Minor) == minor }
	return l.Survives(nobody) && !l.Survives(this)
}

// FreeNumber returns the number for a new member: the first free one after the slots.
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

// MirrorSets returns how many copies a raid10 has, and whether they form mirror sets as
// mdadm names them.
func (l *Array) MirrorSets() (copies int, ok bool) {
	layout := md.ParseRAID10Layout(l.Info.Layout)
	copies = layout.Copies()
	ok = md.Level(l.Info.Level) == md.LevelRAID10 && copies > 0 && copies <= 26 && int(l.Info.RaidDisks)%copies == 0
	return copies, ok
}

// DevNumber returns a member's device number as mdadm writes it if it knows no name for
// it.
func DevNumber(d *mdctl.DiskInfo) string {
	return strconv.Itoa(int(d.Major)) + ":" + strconv.Itoa(int(d.Minor))
}

// FreeSlot returns a slot without a member.
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

// errNoMembers marks an array for which sysfs shows no members.
var errNoMembers = errors.New("the array has no members")

// Taken reports whether a member has that number.
func (l *Array) Taken(number int) bool {
	for i := range l.Disks {
		if int(l.Disks[i].Number) == number {
			return true
		}
	}
	return false
}
