package dm

import (
	"bytes"
	"fmt"
)

// ReplyError is a reply of the kernel that is inconsistent. It matches
// [ErrReply].
type ReplyError struct {
	What   string // which part, such as "device list"
	Off    int    // byte offset of the mistake in that part
	Reason string
}

// Error returns one line.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("device-mapper reply: %s, byte %d: %s", e.What, e.Off, e.Reason)
}

// Is matches [ErrReply].
func (e *ReplyError) Is(target error) bool { return target == ErrReply }

// cursor walks the records of a payload.
type cursor struct {
	what string
	data []byte
}

func (c cursor) fail(off int, format string, args ...any) error {
	return &ReplyError{What: c.what, Off: off, Reason: fmt.Sprintf(format, args...)}
}

// need refuses a record that is cut short.
func (c cursor) need(off, size int) error {
	if off < 0 || off+size > len(c.data) {
		return c.fail(off, "%d bytes of a record wanted, %d there", size, max(len(c.data)-off, 0))
	}
	return nil
}

// text reads a string that ends with 0 before limit, and returns where it
// ended.
func (c cursor) text(off, limit int) (s string, end int, err error) {
	i := bytes.IndexByte(c.data[off:limit], 0)
	if i < 0 {
		return "", 0, c.fail(off, "a string without an end")
	}
	return string(c.data[off : off+i]), off + i + 1, nil
}

// parseNames reads the device list (struct dm_name_list, chained by offsets
// from the record itself). events and uuids say what this kernel puts after the
// names.
func parseNames(data []byte, events, uuids bool) ([]Entry, error) {
	c := cursor{"device list", data}
	var list []Entry
	for off := 0; len(data) > 0; {
		if err := c.need(off, listName); err != nil {
			return nil, err
		}
		dev, next := native.Uint64(data[off:]), int(native.Uint32(data[off+8:]))
		if dev == 0 && len(list) == 0 {
			return nil, nil // there are no devices
		}
		limit := len(data)
		if next != 0 {
			if next < listName || next > limit-off {
				return nil, c.fail(off+8, "the next record is %d bytes on, of %d", next, limit-off)
			}
			limit = off + next
		}
		e, err := c.entry(off, limit, events, uuids)
		if err != nil {
			return nil, err
		}
		e.Number = numberOf(dev)
		list = append(list, e)
		if next == 0 {
			break
		}
		off += next
	}
	return list, nil
}

// Bits of the flag word after an event number (dm-ioctl.h DM_NAME_LIST_FLAG_*).
const (
	listHasUUID = 1
	listNoUUID  = 2
)

func (c cursor) entry(off, limit int, events, uuids bool) (e Entry, err error) {
	end := 0
	if e.Name, end, err = c.text(off+listName, limit); err != nil || !events {
		return e, err
	}
	at := align8(end)
	if at+4 > limit {
		return e, c.fail(at, "no room for an event number")
	}
	e.EventNr = native.Uint32(c.data[at:])
	if !uuids {
		return e, nil
	}
	if at+8 > limit {
		return e, c.fail(at+4, "no room for flags")
	}
	flags := native.Uint32(c.data[at+4:])
	if e.HasUUID = flags&(listHasUUID|listNoUUID) != 0; flags&listHasUUID != 0 {
		e.UUID, _, err = c.text(at+8, limit)
	}
	return e, err
}

// parseVersions reads target types (struct dm_target_versions, chained by
// offsets from the record itself).
func parseVersions(data []byte) ([]TargetVersion, error) {
	c := cursor{"target versions", data}
	var list []TargetVersion
	for off := 0; len(data) > 0; {
		if err := c.need(off, versName); err != nil {
			return nil, err
		}
		next := int(native.Uint32(data[off:]))
		var v TargetVersion
		for i := range v.Version {
			v.Version[i] = native.Uint32(data[off+4+4*i:])
		}
		var err error
		if v.Name, _, err = c.text(off+versName, len(data)); err != nil {
			return nil, err
		}
		list = append(list, v)
		if next == 0 {
			break
		}
		if next < versName || next > len(data)-off {
			return nil, c.fail(off, "the next record is %d bytes on, of %d", next, len(data)-off)
		}
		off += next
	}
	return list, nil
}

// parseDeps reads the devices that a table uses (struct dm_target_deps).
func parseDeps(data []byte) ([]Number, error) {
	c := cursor{"dependencies", data}
	if len(data) == 0 {
		return nil, nil
	}
	if err := c.need(0, depsHeader); err != nil {
		return nil, err
	}
	n := int(native.Uint32(data))
	if n > (len(data)-depsHeader)/8 {
		return nil, c.fail(0, "%d devices in %d bytes", n, len(data)-depsHeader)
	}
	list := make([]Number, n)
	for i := range list {
		list[i] = numberOf(native.Uint64(data[depsHeader+8*i:]))
	}
	return list, nil
}

// parseTargets reads n lines (struct dm_target_spec). Here next is an offset
// from the start of the payload.
func parseTargets(data []byte, n uint32) ([]Target, error) {
	c := cursor{"table", data}
	var lines []Target
	for off := 0; uint32(len(lines)) < n && len(data) > 0; {
		if err := c.need(off, specSize); err != nil {
			return nil, err
		}
		rec := data[off:]
		t := Target{
			Start:  native.Uint64(rec),
			Length: native.Uint64(rec[8:]),
			Type:   text(rec[specTypeOff : specTypeOff+specTypeLen]),
		}
		var end int
		var err error
		if t.Params, end, err = c.text(off+specSize, len(data)); err != nil {
			return nil, err
		}
		lines = append(lines, t)
		next := int(native.Uint32(rec[20:]))
		if uint32(len(lines)) < n && next < end {
			return nil, c.fail(off+20, "the next record is at %d, inside this one, which ends at %d", next, end)
		}
		off = next
	}
	return lines, nil
}
