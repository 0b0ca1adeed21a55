// Package userlog talks to the kernel about mirror logs that are kept in
// userspace: the requests that `mirror userspace ...` sends to its daemon
// (include/uapi/linux/dm-log-userspace.h, drivers/md/dm-log-userspace-*.c).
//
// The kernel sends a [Request] over the netlink connector, and waits for its
// [Reply]. Without an answer it asks again after 15 seconds, with another
// sequence number; while nobody listens the mirror waits. [Conn] is the socket.
// What to answer is not decided here: package manage/mirrorlog keeps logs.
package userlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Type is what a request asks (dm-log-userspace.h DM_ULOG_*).
type Type uint32

// Types, in the kernel's order. Regions are numbers from 0; numbers are 64 bits
// wide, in the machine's byte order.
const (
	Construct          Type = 1  // arguments as text; the answer names the log's device, or is empty
	Destroy            Type = 2  // the log is no longer needed
	PreSuspend         Type = 3  // no new regions are going to be recovered
	PostSuspend        Type = 4  // no more requests until Resume
	Resume             Type = 5  // the log is to be used from now on
	GetRegionSize      Type = 6  // the answer is a number of sectors
	IsClean            Type = 7  // a region; 1 if no write to it is under way
	InSync             Type = 8  // a region; 1 if all legs hold the same data there
	Flush              Type = 9  // make marks durable; with integrated_flush also regions to be marked
	MarkRegion         Type = 10 // regions that are written to
	ClearRegion        Type = 11 // regions that are no longer written to
	GetResyncWork      Type = 12 // the answer is 1 and a region to recover, or 0
	SetRegionSync      Type = 13 // a region, and whether it is in sync now
	GetSyncCount       Type = 14 // the answer is the number of regions in sync
	StatusInfo         Type = 15 // the answer is text for `dmsetup status`
	StatusTable        Type = 16 // the answer is text for `dmsetup table`; current kernels do not ask
	IsRemoteRecovering Type = 17 // a region; whether another machine recovers it, and the first region out of sync
)

var typeNames = []string{
	"", "CTR", "DTR", "PRESUSPEND", "POSTSUSPEND", "RESUME", "GET_REGION_SIZE", "IS_CLEAN", "IN_SYNC", "FLUSH",
	"MARK_REGION", "CLEAR_REGION", "GET_RESYNC_WORK", "SET_REGION_SYNC", "GET_SYNC_COUNT", "STATUS_INFO", "STATUS_TABLE",
	"IS_REMOTE_RECOVERING",
}

// String returns the kernel's name without DM_ULOG_.
func (t Type) String() string {
	if t > 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Version is the version of the protocol: DM_ULOG_REQUEST_VERSION.
const Version = 3

// Request is struct dm_ulog_request with the payload that follows it.
type Request struct {
	LUID    uint64 // the kernel's number of the log
	UUID    string // the name of the log, as the table has it
	Version uint32
	Seq     uint32 // an answer has the same
	Type    Type
	Data    []byte
}

// Regions reads the payload as numbers.
func (r *Request) Regions() []uint64 {
	list := make([]uint64, len(r.Data)/8)
	for i := range list {
		list[i] = binary.NativeEndian.Uint64(r.Data[8*i:])
	}
	return list
}

// Text reads the payload as text.
func (r *Request) Text() string {
	s, _, _ := bytes.Cut(r.Data, []byte{0})
	return string(s)
}

// Layout of struct dm_ulog_request and of what precedes it on the wire: struct
// nlmsghdr and struct cn_msg (include/uapi/linux/connector.h). Offsets and
// sizes are in bytes.
const (
	netlinkSize = 16
	connSize    = 20
	front       = netlinkSize + connSize

	offUUID    = 8
	offVersion = 140
	offError   = 144
	offSeq     = 148
	offType    = 152
	offSize    = 156
	headSize   = 160

	// The connector's identifiers of these logs: CN_IDX_DM,
	// CN_VAL_DM_USERSPACE_LOG.
	connIndex = 7
	connValue = 1

	netlinkDone = 3
	typeMask    = 0xff
)

// ErrFormat marks a message that is not a request.
var ErrFormat = errors.New("not a request of a mirror log")

// ParseRequest reads a message as it comes from the socket.
func ParseRequest(b []byte) (*Request, error) {
	fail := func(off int, format string, args ...any) error {
		return fmt.Errorf("%w: byte %d: %s", ErrFormat, off, fmt.Sprintf(format, args...))
	}
	u32 := func(off int) uint32 { return binary.NativeEndian.Uint32(b[off:]) }
	if len(b) < front+headSize {
		return nil, fail(len(b), "cut off, want at least %d bytes", front+headSize)
	}
	if u32(netlinkSize) != connIndex || u32(netlinkSize+4) != connValue {
		return nil, fail(netlinkSize, "for %d.%d of the connector", u32(netlinkSize), u32(netlinkSize+4))
	}
	size := u32(front + offSize)
	if uint64(size) > uint64(len(b)-front-headSize) {
		return nil, fail(front+offSize, "%d bytes of payload, %d there", size, len(b)-front-headSize)
	}
	uuid, _, _ := bytes.Cut(b[front+offUUID:front+offVersion-3], []byte{0})
	return &Request{
		LUID: binary.NativeEndian.Uint64(b[front:]), UUID: string(uuid), Version: u32(front + offVersion),
		Seq: u32(front + offSeq), Type: Type(u32(front+offType) & typeMask),
		Data: bytes.Clone(b[front+headSize : front+headSize+int(size)]),
	}, nil
}

// Reply is an answer.
type Reply struct {
	Errno int // the errno as a positive number; 0 for success
	Data  []byte
}

// Numbers is an answer that consists of one or more numbers.
func Numbers(list ...uint64) Reply {
	var r Reply
	for _, n := range list {
		r.Data = binary.NativeEndian.AppendUint64(r.Data, n)
	}
	return r
}

// Text is an answer that consists of text.
func Text(s string) Reply { return Reply{Data: append([]byte(s), 0)} }

// Encode returns the answer to req as it is sent on the socket.
func (r Reply) Encode(req *Request) []byte {
	b := make([]byte, front+headSize, front+headSize+len(r.Data))
	put := func(off int, v uint32) { binary.NativeEndian.PutUint32(b[off:], v) }
	put(0, uint32(front+headSize+len(r.Data)))
	binary.NativeEndian.PutUint16(b[4:], netlinkDone)
	put(netlinkSize, connIndex)
	put(netlinkSize+4, connValue)
	put(netlinkSize+8, req.Seq)
	binary.NativeEndian.PutUint16(b[netlinkSize+16:], uint16(headSize+len(r.Data)))
	binary.NativeEndian.PutUint64(b[front:], req.LUID)
	copy(b[front+offUUID:front+offVersion-4], req.UUID)
	put(front+offVersion, Version)
	put(front+offError, uint32(int32(-r.Errno)))
	put(front+offSeq, req.Seq)
	put(front+offType, uint32(req.Type))
	put(front+offSize, uint32(len(r.Data)))
	return append(b, r.Data...)
}
