package md

import "unsafe"

// RunArray starts the array (RUN_ARRAY). If it fails, the kernel's log has the
// reason: a few errnos stand for many reasons.
func (d *Device) RunArray() error {
	var p Param
	return d.call(reqRunArray, unsafe.Pointer(&p), "")
}

// StopArray stops the array and forgets its members (STOP_ARRAY). It fails with
// [ErrBusy] while anything else has the device open: a mount, a device stacked
// on it, a process.
//
// Close the Device afterwards, and open another one for another array: Linux
// 6.12 and 7.2 would let an array be set up again through this one, but would
// then never let it be stopped (md.c MD_CLOSING).
func (d *Device) StopArray() error {
	err := d.callValue(reqStopArray, 0, "")
	if err == nil {
		d.gone.Store(true)
	}
	return err
}

// StopArrayReadOnly makes a running array read-only (STOP_ARRAY_RO). It fails
// with [ErrBusy] while anything else has the device open.
func (d *Device) StopArrayReadOnly() error { return d.callValue(reqStopArrayRO, 0, "") }

// RestartArrayReadWrite makes a read-only array writable (RESTART_ARRAY_RW). It
// fails with [ErrBusy] if it is writable already, and with [ErrReadOnly] if one
// of its members is read-only.
func (d *Device) RestartArrayReadWrite() error { return d.callValue(reqRestartArrayRW, 0, "") }

// RaidAutorun starts the arrays of metadata 0.90 on partitions of type 0xfd
// that were seen since boot (RAID_AUTORUN). Only kernels with md built in know
// it; others refuse with [ErrUnsupported].
func (d *Device) RaidAutorun() error { return d.callValue(reqRaidAutorun, 0, "") }

// ClearArray is CLEAR_ARRAY, which no kernel since 2.4 implements: all refuse
// with [ErrUnsupported].
func (d *Device) ClearArray() error { return d.callValue(reqClearArray, 0, "") }

// SetDiskInfo is SET_DISK_INFO, which no kernel since 2.4 implements: all
// refuse with [ErrUnsupported].
func (d *Device) SetDiskInfo(disk DiskInfo) error {
	return d.call(reqSetDiskInfo, unsafe.Pointer(&disk), devString(uint32(disk.Major), uint32(disk.Minor)))
}

// WriteRaidInfo is WRITE_RAID_INFO, which no kernel since 2.4 implements: all
// refuse with [ErrUnsupported].
func (d *Device) WriteRaidInfo() error { return d.callValue(reqWriteRaidInfo, 0, "") }

// UnprotectArray is UNPROTECT_ARRAY, which no kernel since 2.4 implements: all
// refuse with [ErrUnsupported].
func (d *Device) UnprotectArray() error { return d.callValue(reqUnprotectArray, 0, "") }

// ProtectArray is PROTECT_ARRAY, which no kernel since 2.4 implements: all
// refuse with [ErrUnsupported].
func (d *Device) ProtectArray() error { return d.callValue(reqProtectArray, 0, "") }

// HotGenerateError is HOT_GENERATE_ERROR, which no kernel since 2.4 implements:
// all refuse with [ErrUnsupported].
func (d *Device) HotGenerateError(major, minor uint32) error {
	return d.callDev(reqHotGenerateError, major, minor)
}
