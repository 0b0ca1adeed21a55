package md

import "unsafe"

// md_u.h numbers its requests from the major number of md, which is 9.
const ioctlType = 9

// request is one ioctl of md_u.h.
type request struct {
	nr   uintptr // number within the type
	dir  uintptr // dirNone, dirRead or dirWrite, as userspace sees it
	size uintptr // bytes of the argument
	name string  // the kernel's name
}

func (r request) code() uintptr {
	return r.dir<<dirShift | r.size<<16 | ioctlType<<8 | r.nr
}

// The requests of md_u.h, in its order.
var (
	reqRaidVersion   = request{0x10, dirRead, unsafe.Sizeof(Version{}), "RAID_VERSION"}
	reqGetArrayInfo  = request{0x11, dirRead, unsafe.Sizeof(ArrayInfo{}), "GET_ARRAY_INFO"}
	reqGetDiskInfo   = request{0x12, dirRead, unsafe.Sizeof(DiskInfo{}), "GET_DISK_INFO"}
	reqRaidAutorun   = request{0x14, dirNone, 0, "RAID_AUTORUN"}
	reqGetBitmapFile = request{0x15, dirRead, unsafe.Sizeof(BitmapFile{}), "GET_BITMAP_FILE"}

	reqClearArray       = request{0x20, dirNone, 0, "CLEAR_ARRAY"}
	reqAddNewDisk       = request{0x21, dirWrite, unsafe.Sizeof(DiskInfo{}), "ADD_NEW_DISK"}
	reqHotRemoveDisk    = request{0x22, dirNone, 0, "HOT_REMOVE_DISK"}
	reqSetArrayInfo     = request{0x23, dirWrite, unsafe.Sizeof(ArrayInfo{}), "SET_ARRAY_INFO"}
	reqSetDiskInfo      = request{0x24, dirNone, 0, "SET_DISK_INFO"}
	reqWriteRaidInfo    = request{0x25, dirNone, 0, "WRITE_RAID_INFO"}
	reqUnprotectArray   = request{0x26, dirNone, 0, "UNPROTECT_ARRAY"}
	reqProtectArray     = request{0x27, dirNone, 0, "PROTECT_ARRAY"}
	reqHotAddDisk       = request{0x28, dirNone, 0, "HOT_ADD_DISK"}
	reqSetDiskFaulty    = request{0x29, dirNone, 0, "SET_DISK_FAULTY"}
	reqHotGenerateError = request{0x2a, dirNone, 0, "HOT_GENERATE_ERROR"}
	reqSetBitmapFile    = request{0x2b, dirWrite, 4, "SET_BITMAP_FILE"}

	reqRunArray          = request{0x30, dirWrite, unsafe.Sizeof(Param{}), "RUN_ARRAY"}
	reqStopArray         = request{0x32, dirNone, 0, "STOP_ARRAY"}
	reqStopArrayRO       = request{0x33, dirNone, 0, "STOP_ARRAY_RO"}
	reqRestartArrayRW    = request{0x34, dirNone, 0, "RESTART_ARRAY_RW"}
	reqClusteredDiskNack = request{0x35, dirNone, 0, "CLUSTERED_DISK_NACK"}
)
