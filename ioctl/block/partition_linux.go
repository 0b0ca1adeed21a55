package block

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forgetUpTo is the highest partition number that ForgetPartitions tries.
const forgetUpTo = 16

// ForgetPartitions makes the kernel forget the partitions of a disk, numbers 1
// to 15, and leaves the table on the disk alone (BLKPG with
// BLKPG_DEL_PARTITION). Partitions that are in use stay, and a disk may have
// none: neither is reported. It needs CAP_SYS_ADMIN.
func ForgetPartitions(f *os.File) {
	for number := int32(1); number < forgetUpTo; number++ {
		part := unix.BlkpgPartition{Pno: number}
		arg := unix.BlkpgIoctlArg{
			Op:      unix.BLKPG_DEL_PARTITION,
			Datalen: int32(unsafe.Sizeof(part)),
			Data:    (*byte)(unsafe.Pointer(&part)),
		}
		_ = ioctl(f, "BLKPG", unix.BLKPG, unsafe.Pointer(&arg))
		runtime.KeepAlive(&part)
	}
}
