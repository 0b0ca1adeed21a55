package md

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetArrayInfo prepares or changes an array (SET_ARRAY_INFO).
//
// On a device without an array it is the first step of setting one up. With
// RaidDisks 0 the members bring metadata of the given version; a nil info asks
// for version 0.90 or, if package sysfs/md was used, for what was set there.
// With RaidDisks above 0 the array is as described and has metadata 0.90 or,
// with NotPersistent, none.
//
// On a running array it changes one thing: Size (KiB; 0 for the largest that
// fits), RaidDisks, Layout, or [ArrayBitmapPresent] in State. All other fields
// must be as [Device.ArrayInfo] returned them.
//
// It fails with [ErrBusy] if the array is already set up or is resyncing, or
// with [ErrInvalid], [ErrNoSpace] or [ErrReadOnly]. After [Device.StopArray] it
// fails with [ErrNoArray], without asking the kernel.
func (d *Device) SetArrayInfo(info *ArrayInfo) error {
	if d.gone.Load() {
		return &Error{Op: reqSetArrayInfo.name, Device: d.name, Errno: unix.ENODEV}
	}
	return d.call(reqSetArrayInfo, unsafe.Pointer(info), "")
}

// AddNewDisk binds a member (ADD_NEW_DISK). Before the array runs, the member
// takes the slot its metadata names or, in an array without metadata or of
// version 0.90 that is being created, RaidDisk. On a running array it becomes a
// spare, or goes back to its old slot when [DiskSync] is set and its metadata
// allows that.
//
// It fails with [ErrBusy] if something holds the device, this array or another,
// with [ErrExist] while the array is still releasing it, with [ErrInvalid] if
// it has no fitting metadata, with [ErrNoSpace] if it is too small, with
// [ErrNotExist] if there is no such device, or with [ErrReadOnly].
func (d *Device) AddNewDisk(disk DiskInfo) error {
	return d.call(reqAddNewDisk, unsafe.Pointer(&disk), devString(uint32(disk.Major), uint32(disk.Minor)))
}

// HotAddDisk binds a spare to a running array of metadata version 0.90
// (HOT_ADD_DISK). [Device.AddNewDisk] does that for every version.
func (d *Device) HotAddDisk(major, minor uint32) error {
	return d.callDev(reqHotAddDisk, major, minor)
}

// HotRemoveDisk releases a failed or spare member of a running array
// (HOT_REMOVE_DISK). It fails with [ErrBusy] while the member is active, and
// with [ErrNotExist] if it is not a member. The kernel waits up to five seconds
// for recovery to let go of it.
func (d *Device) HotRemoveDisk(major, minor uint32) error {
	return d.callDev(reqHotRemoveDisk, major, minor)
}

// SetDiskFaulty declares a member failed (SET_DISK_FAULTY). It fails with
// [ErrBusy] if the array would not survive that, and with [ErrNoArray] if the
// array does not run or the device is not a member.
func (d *Device) SetDiskFaulty(major, minor uint32) error {
	return d.callDev(reqSetDiskFaulty, major, minor)
}

// SetBitmapFile keeps the array's bitmap in f, a regular file that is open for
// writing, is not open for writing elsewhere, and holds a bitmap superblock
// (SET_BITMAP_FILE). It fails with [ErrExist] if the array has a bitmap.
// Kernels built without CONFIG_MD_BITMAP_FILE refuse with [ErrInvalid].
func (d *Device) SetBitmapFile(f *os.File) error {
	defer runtime.KeepAlive(f)
	return d.callValue(reqSetBitmapFile, f.Fd(), f.Name())
}

// RemoveBitmapFile stops using a bitmap file (SET_BITMAP_FILE with -1). It
// fails with [ErrNotExist] if the array has no bitmap, and with [ErrInvalid] on
// kernels built without CONFIG_MD_BITMAP_FILE.
func (d *Device) RemoveBitmapFile() error {
	return d.callValue(reqSetBitmapFile, ^uintptr(0), "")
}

// ClusteredDiskNack tells the cluster that this node does not see the device to
// be added (CLUSTERED_DISK_NACK). It fails with [ErrInvalid] if the array is
// not clustered.
func (d *Device) ClusteredDiskNack() error {
	return d.callValue(reqClusteredDiskNack, 0, "")
}

func (d *Device) callDev(r request, major, minor uint32) error {
	return d.callValue(r, uintptr(encodeDev(major, minor)), devString(major, minor))
}

func devString(major, minor uint32) string { return fmt.Sprintf("%d:%d", major, minor) }
