package dlm

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The generic netlink family (include/uapi/linux/dlm_netlink.h).
const (
	familyName     = "DLM"
	commandHello   = 1 // to the kernel: warnings go to the sender from now on
	commandWarning = 2 // DLM_CMD_TIMEOUT: a lock has waited too long
	attributeLock  = 1 // DLM_TYPE_LOCK, a struct dlm_lock_data
	lockDataVer    = 1
	lockDataSize   = 120 // bytes, with 64-bit longs
	genlHeader     = 4   // bytes of struct genlmsghdr
	attrHeader     = 4   // bytes of struct nlattr
)

// Warning is a lock that has waited longer than the cluster's [TimeWarning].
type Warning struct {
	SpaceID  uint32 // the lockspace's [Lockspace.ID]
	Node     int    // where the lock's other half is, 0: nowhere else
	Thread   int    // who asked for it
	ID       uint32
	RemoteID uint32
	XID      uint64
	Queue    Queue
	Held     Mode
	Wanted   Mode
	Resource string
}

// ParseWarning reads a message of the family, from its generic netlink header on.
// ours is false for other commands.
func ParseWarning(b []byte) (w Warning, ours bool, err error) {
	if len(b) < genlHeader {
		return Warning{}, false, fmt.Errorf("%w: message of %d bytes of the family DLM", ErrMalformed, len(b))
	}
	if b[0] != commandWarning {
		return Warning{}, false, nil
	}
	data, err := attribute(b[genlHeader:], attributeLock)
	if err != nil {
		return Warning{}, true, err
	}
	w, err = parseLockData(data)
	return w, true, err
}

// attribute finds an attribute and returns its value. They stand one behind the other,
// each aligned to four bytes.
func attribute(b []byte, want uint16) ([]byte, error) {
	for len(b) >= attrHeader {
		size := int(binary.NativeEndian.Uint16(b))
		kind := binary.NativeEndian.Uint16(b[2:])
		if size < attrHeader || size > len(b) {
			return nil, fmt.Errorf("%w: attribute %d has %d of %d bytes", ErrMalformed, kind, size, len(b))
		}
		if kind == want {
			return b[attrHeader:size], nil
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil, fmt.Errorf("%w: a warning without a lock", ErrMalformed)
}

// parseLockData reads struct dlm_lock_data.
func parseLockData(b []byte) (Warning, error) {
	if len(b) < lockDataSize {
		return Warning{}, fmt.Errorf("%w: lock of %d bytes, not %d", ErrMalformed, len(b), lockDataSize)
	}
	u32 := func(off int) uint32 { return binary.NativeEndian.Uint32(b[off:]) }
	if v := binary.NativeEndian.Uint16(b); v != lockDataVer {
		return Warning{}, fmt.Errorf("%w: lock data of version %d, this is %d", ErrVersion, v, lockDataVer)
	}
	w := Warning{
		SpaceID: u32(4), Node: int(int32(u32(8))), Thread: int(int32(u32(12))), ID: u32(16), RemoteID: u32(20),
		XID: binary.NativeEndian.Uint64(b[24:]), Queue: Queue(b[32]), Held: Mode(b[33]), Wanted: Mode(b[34]),
	}
	size := u32(48)
	if size > MaxName {
		return w, fmt.Errorf("%w: resource name of %d bytes", ErrMalformed, size)
	}
	w.Resource = string(bytes.Clone(b[52 : 52+size]))
	return w, nil
}
