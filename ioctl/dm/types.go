package dm

import (
	"fmt"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm"
)

// Limits of the interface, in bytes (dm-ioctl.h DM_NAME_LEN, DM_UUID_LEN and
// DM_MAX_TYPE_NAME, each without the terminating 0).
const (
	MaxName = 127 // a device's name
	MaxUUID = 128 // a device's UUID
	MaxType = 15  // a target type's name
)

// Number is a block device's number.
type Number struct {
	Major uint32 // 12 bits
	Minor uint32 // 20 bits
}

// String returns "major:minor".
func (n Number) String() string { return fmt.Sprintf("%d:%d", n.Major, n.Minor) }

// Dev returns the number in the form that the interface uses (huge_encode_dev
// in include/linux/kdev_t.h).
func (n Number) Dev() uint64 {
	return uint64(n.Minor&0xff) | uint64(n.Major&0xfff)<<8 | uint64(n.Minor&0xfff00)<<12
}

func numberOf(dev uint64) Number {
	return Number{Major: uint32(dev>>8) & 0xfff, Minor: uint32(dev)&0xff | uint32(dev>>12)&0xfff00}
}

// Device says which device a command is about: by name, by UUID, or by number.
// The zero value names none and is refused.
type Device struct {
	name, uuid string
	num        Number
}

// ByName names a device by its name in the kernel: at most [MaxName] bytes.
func ByName(name string) Device { return Device{name: name} }

// ByUUID names a device by its UUID, which is any text: at most [MaxUUID] bytes.
func ByUUID(uuid string) Device { return Device{uuid: uuid} }

// ByNumber names a device by its number.
func ByNumber(major, minor uint32) Device { return Device{num: Number{major, minor}} }

// String returns the name, "uuid "+UUID, or "major:minor".
func (d Device) String() string {
	switch {
	case d.uuid != "":
		return "uuid " + d.uuid
	case d.name != "":
		return d.name
	}
	return d.num.String()
}

func (d Device) check() error {
	switch {
	case d == Device{}:
		return fmt.Errorf("no device given: %w", ErrInvalid)
	case d.uuid != "":
		return checkText("UUID", d.uuid, MaxUUID)
	}
	return checkText("name", d.name, MaxName)
}

// checkText refuses text that would reach the kernel truncated.
func checkText(what, s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%s %q has %d bytes, the kernel takes at most %d: %w", what, s, len(s), most, ErrInvalid)
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		return fmt.Errorf("%s %q has a zero byte at %d: %w", what, s, i, ErrInvalid)
	}
	return nil
}

// Info is what the kernel reports about a device with nearly every reply
// (dm-ioctl.c __dev_status).
type Info struct {
	Name        string // as the kernel has it
	UUID        string // empty if it has none
	Number      Number
	OpenCount   int32  // how many times it is open, mounts and stacked devices included
	EventNr     uint32 // events so far; for Remove, Rename and Resume the cookie that was passed
	TargetCount uint32 // targets of the live table, or of the inactive one if asked for
	Flags       Flags
}

// Suspended reports whether I/O to the device waits.
func (i Info) Suspended() bool { return i.Flags&FlagSuspend != 0 }

// ReadOnly reports whether the device is read-only.
func (i Info) ReadOnly() bool { return i.Flags&FlagReadOnly != 0 }

// LiveTable reports whether a table is live.
func (i Info) LiveTable() bool { return i.Flags&FlagActivePresent != 0 }

// InactiveTable reports whether a table waits in the inactive slot.
func (i Info) InactiveTable() bool { return i.Flags&FlagInactivePresent != 0 }

// DeferredRemove reports whether the device is removed with its last close.
func (i Info) DeferredRemove() bool { return i.Flags&FlagDeferredRemove != 0 }

// InternalSuspend reports whether the kernel itself suspended the device, as a
// snapshot-merge does to its origin.
func (i Info) InternalSuspend() bool { return i.Flags&FlagInternalSuspend != 0 }

// UeventGenerated reports whether the command sent a uevent. If it did not,
// nobody will complete the cookie.
func (i Info) UeventGenerated() bool { return i.Flags&FlagUeventGenerated != 0 }

// Target is a line of a table as text; package engine/dm builds it from typed
// arguments and parses it again. In a status its Params are the target's state.
type Target = table.Line

// Entry is a device in a list.
type Entry struct {
	Name    string
	Number  Number
	EventNr uint32 // events so far; 0 before Linux 4.13
	UUID    string // empty if it has none or HasUUID is false
	HasUUID bool   // the kernel's lists say whether there is a UUID (Linux 5.13 and later, if asked)
}

// TargetVersion is a target type that the kernel knows.
type TargetVersion struct {
	Name    string
	Version [3]uint32 // major, minor, patch level
}

// String returns the name, a blank, and the version as "v1.4.0".
func (v TargetVersion) String() string {
	return fmt.Sprintf("%s v%d.%d.%d", v.Name, v.Version[0], v.Version[1], v.Version[2])
}

// Version is the version of the interface, such as 4.47.0.
type Version struct {
	Major, Minor, Patch uint32
}

// String returns the version as "4.47.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Geometry is the cylinders, heads and sectors that a device reports (struct
// hd_geometry).
type Geometry struct {
	Cylinders uint16
	Heads     uint8
	Sectors   uint8
	Start     uint64 // first sector of the device on its disk, in units of 512 bytes
}
