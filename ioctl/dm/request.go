package dm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	table "github.com/mdkit/mdkit/engine/dm"
)

// Layout of struct dm_ioctl (dm-ioctl.h): offsets and sizes in bytes. It is
// the same on every architecture, in the byte order of the machine.
const (
	offVersion  = 0
	offDataSize = 12
	offDataFrom = 16
	offTargets  = 20
	offOpen     = 24
	offFlags    = 28
	offEventNr  = 32
	offDev      = 40
	offName     = 48
	offUUID     = 176
	offData     = 305 // what is copied for commands without payload
	headerSize  = 312
)

// Layout of the records that follow it, offsets and sizes in bytes.
const (
	specSize    = 40 // struct dm_target_spec
	specTypeOff = 24
	specTypeLen = 16
	depsHeader  = 8  // struct dm_target_deps
	listName    = 12 // struct dm_name_list
	versName    = 16 // struct dm_target_versions
	msgHeader   = 8  // struct dm_target_msg
)

var native = binary.NativeEndian

// request is one command to be sent: the header's fields and the payload.
type request struct {
	cmd     Command
	minor   uint32 // interface version 4.minor that it needs
	dev     Device
	newName string // Create's name; List's prefix
	newUUID string // Create's UUID; List's prefix
	flags   Flags
	targets uint32
	eventNr uint32
	payload []byte
	room    int  // bytes of reply expected after the header
	once    bool // do not repeat it when the reply did not fit
}

// encode lays the request out, with room for at least r.room bytes of reply.
func (r *request) encode() []byte {
	buf := make([]byte, headerSize+max(len(r.payload), r.room))
	native.PutUint32(buf[offVersion:], 4)
	native.PutUint32(buf[offVersion+4:], max(r.minor, r.cmd.Since()))
	native.PutUint32(buf[offDataSize:], uint32(len(buf)))
	native.PutUint32(buf[offDataFrom:], headerSize)
	native.PutUint32(buf[offTargets:], r.targets)
	native.PutUint32(buf[offFlags:], uint32(r.flags))
	native.PutUint32(buf[offEventNr:], r.eventNr)
	if r.dev.num != (Number{}) {
		native.PutUint64(buf[offDev:], r.dev.num.Dev())
	}
	copy(buf[offName:offUUID-1], r.dev.name+r.newName)
	copy(buf[offUUID:offData-1], r.dev.uuid+r.newUUID)
	copy(buf[headerSize:], r.payload)
	return buf
}

// reply is the header of an answer, and its payload.
type reply struct {
	version Version
	info    Info
	data    []byte // payload, as long as the kernel says it is
}

// parseReply reads what the kernel left in buf.
func parseReply(buf []byte) (*reply, error) {
	if len(buf) < headerSize {
		return nil, &ReplyError{What: "header", Off: 0, Reason: fmt.Sprintf("%d bytes, want at least %d", len(buf), headerSize)}
	}
	u32 := func(off int) uint32 { return native.Uint32(buf[off:]) }
	rep := &reply{
		version: Version{u32(offVersion), u32(offVersion + 4), u32(offVersion + 8)},
		info: Info{
			Name:        text(buf[offName:offUUID]),
			UUID:        text(buf[offUUID:offData]),
			Number:      numberOf(native.Uint64(buf[offDev:])),
			OpenCount:   int32(u32(offOpen)),
			EventNr:     u32(offEventNr),
			TargetCount: u32(offTargets),
			Flags:       Flags(u32(offFlags)),
		},
	}
	from, size := uint64(u32(offDataFrom)), uint64(u32(offDataSize))
	switch {
	case size <= from: // nothing after the header
	case from < offData || size > uint64(len(buf)):
		return nil, &ReplyError{
			What: "header", Off: offDataSize,
			Reason: fmt.Sprintf("payload from %d to %d in a buffer of %d bytes", from, size, len(buf)),
		}
	default:
		rep.data = buf[from:size]
	}
	return rep, nil
}

// text is the string up to the first 0.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func align8(n int) int { return (n + 7) &^ 7 }

// encodeTable lays out targets as struct dm_target_spec, each followed by its
// parameters. Here next is an offset from the record itself.
func encodeTable(lines []Target) ([]byte, error) {
	var buf []byte
	for i, t := range lines {
		if err := checkTarget(t); err != nil {
			return nil, fmt.Errorf("target %d: %w", i, err)
		}
		params := table.EscapeParams(t.Params)
		size := align8(specSize + len(params) + 1)
		rec := make([]byte, size)
		native.PutUint64(rec[0:], t.Start)
		native.PutUint64(rec[8:], t.Length)
		native.PutUint32(rec[20:], uint32(size))
		copy(rec[specTypeOff:], t.Type)
		copy(rec[specSize:], params)
		buf = append(buf, rec...)
	}
	return buf, nil
}

func checkTarget(t Target) error {
	if t.Type == "" {
		return fmt.Errorf("no target type: %w", ErrInvalid)
	}
	if err := checkText("target type", t.Type, MaxType); err != nil {
		return err
	}
	return checkText("parameters", t.Params, maxPayload)
}

// maxPayload is the most the kernel accepts with one command: DM_MAX_TARGETS
// times DM_MAX_TARGET_PARAMS (drivers/md/dm.h), which is 1 GiB.
const maxPayload = 1<<30 - headerSize

// encodeMessage lays out struct dm_target_msg. The sector chooses the target.
func encodeMessage(sector uint64, message string) []byte {
	buf := make([]byte, align8(msgHeader+len(message)+1))
	native.PutUint64(buf, sector)
	copy(buf[msgHeader:], message)
	return buf
}
