package mirrorlog

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Disk is the device of a log.
type Disk interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
	Close() error
	Size() int64    // bytes
	Number() string // "major:minor"
}

// The layout of a log on its device, the same as that of the kernel's own disk log
// (dm-log.c struct log_header_disk, LOG_OFFSET): little endian, offsets in bytes.
const (
	storeMagic   = 0x4d695272 // "MiRr"
	storeVersion = 2
	offRegions   = 8
	offOwner     = 16 // the kernel's own log keeps nothing from here to the bits
	offBoot      = 24
	offBits      = 1024
	storeAlign   = 4096 // reads and writes are multiples of this
)

// Owner identifies the log in the kernel that a log on a device belongs to.
type Owner struct {
	LUID uint64   // the kernel's number for it, never 0
	Boot [16]byte // the kernel's boot_id: another kernel may give the same number
}

// store is the copy of a log on its device.
type store struct {
	disk   Disk
	n      uint64 // regions
	owner  Owner  // zero: none
	buf    []byte // the whole of it
	failed bool   // the last write to the device failed
}

// ErrTooSmall marks a device that has no room for the log.
var ErrTooSmall = errors.New("the log does not fit its device")

func openStore(disk Disk, n uint64, owner Owner) (*store, error) {
	if disk == nil {
		return nil, fmt.Errorf("a log on a device: %w: none given", ErrArgs)
	}
	size := (offBits + (int64(n)+31)/32*4 + storeAlign - 1) &^ (storeAlign - 1)
	if size > disk.Size() {
		return nil, fmt.Errorf("%s: %w: %d bytes wanted, %d there", disk.Number(), ErrTooSmall, size, disk.Size())
	}
	return &store{disk: disk, n: n, owner: owner, buf: make([]byte, size)}, nil
}

// ours reports whether the log, as last read or written, belongs to the owner.
func (s *store) ours() bool {
	return s.owner.LUID != 0 &&
		binary.LittleEndian.Uint64(s.buf[offOwner:]) == s.owner.LUID && [16]byte(s.buf[offBoot:]) == s.owner.Boot
}

// read fills in the bits of the regions that the log on the device has, and returns
// how many it has: 0 if there is no log.
func (s *store) read(clean bitmap) (uint64, error) {
	if _, err := s.disk.ReadAt(s.buf, 0); err != nil {
		return 0, fmt.Errorf("read log of %s: %w", s.disk.Number(), err)
	}
	if binary.LittleEndian.Uint32(s.buf) != storeMagic || binary.LittleEndian.Uint32(s.buf[4:]) != storeVersion {
		return 0, nil
	}
	copy(clean, s.buf[offBits:])
	return min(binary.LittleEndian.Uint64(s.buf[offRegions:]), s.n), nil
}

// write puts the log on the device, durably.
func (s *store) write(clean bitmap) error {
	clear(s.buf)
	binary.LittleEndian.PutUint32(s.buf, storeMagic)
	binary.LittleEndian.PutUint32(s.buf[4:], storeVersion)
	binary.LittleEndian.PutUint64(s.buf[offRegions:], s.n)
	if s.owner.LUID != 0 {
		binary.LittleEndian.PutUint64(s.buf[offOwner:], s.owner.LUID)
		copy(s.buf[offBoot:], s.owner.Boot[:])
	}
	copy(s.buf[offBits:], clean)
	_, err := s.disk.WriteAt(s.buf, 0)
	if err == nil {
		err = s.disk.Sync()
	}
	if s.failed = err != nil; s.failed {
		return fmt.Errorf("write log of %s: %w", s.disk.Number(), err)
	}
	return nil
}
