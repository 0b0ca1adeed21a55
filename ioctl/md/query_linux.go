package md

import (
	"strconv"
	"unsafe"
)

// Version asks for the version of the interface (RAID_VERSION). It fails with
// [ErrNotArray] on a device that is not md.
func (d *Device) Version() (Version, error) {
	var v Version
	err := d.call(reqRaidVersion, unsafe.Pointer(&v), "")
	return v, err
}

// ArrayInfo describes the array (GET_ARRAY_INFO). It fails with [ErrNoArray] if
// none is set up on the device.
func (d *Device) ArrayInfo() (ArrayInfo, error) {
	var info ArrayInfo
	err := d.call(reqGetArrayInfo, unsafe.Pointer(&info), "")
	return info, err
}

// DiskInfo describes the member with the kernel's number n (GET_DISK_INFO). For
// a number that no member has, it returns [DiskRemoved] and no error. It fails
// with [ErrNoArray] if no array is set up.
func (d *Device) DiskInfo(n int) (DiskInfo, error) {
	info := DiskInfo{Number: int32(n)}
	err := d.call(reqGetDiskInfo, unsafe.Pointer(&info), "disk "+strconv.Itoa(n))
	return info, err
}

// BitmapFile returns the path of the file that holds the array's bitmap, or ""
// if there is none (GET_BITMAP_FILE).
func (d *Device) BitmapFile() (string, error) {
	var file BitmapFile
	err := d.call(reqGetBitmapFile, unsafe.Pointer(&file), "")
	return file.String(), err
}
