package dm

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Message sends a message to the target at a sector of the device, in units of
// 512 bytes, or with a leading "@" to the device mapper itself (DM_TARGET_MSG).
// The kernel splits the words at blanks, and a "\" makes the next character
// literal. replied is false if there was no reply, which is not the same as an
// empty one.
//
// It fails with [ErrNoTable] if the device has no live table and the kernel
// makes that distinction (6.1 does; 6.12 returns EINVAL, which is
// [ErrInvalid]), and with [ErrReplyLost] if the target has acted on the message
// but its reply was longer than o.Room.
func (c *Control) Message(dev Device, sector uint64, message string, o MessageOptions) (reply string, replied bool, err error) {
	if err := checkText("message", message, maxPayload); err != nil {
		return "", false, fmt.Errorf("%v %v: %w", CmdTargetMsg, dev, err)
	}
	r := request{
		cmd: CmdTargetMsg, dev: dev, payload: encodeMessage(sector, message),
		room: messageRoom, once: !o.Repeat && !changesNothing(message),
	}
	if o.Room > 0 {
		r.room = min(o.Room, mostRoom)
	}
	if o.Secure {
		if err := c.need(CmdTargetMsg, "wiping of the request", sinceSecureData); err != nil {
			clear(r.payload)
			return "", false, err
		}
		r.flags |= FlagSecureData
	}
	rep, err := c.ask(r)
	if errors.Is(err, ErrReplyLost) {
		return "", true, fmt.Errorf("%w into %d bytes; the message was not sent again because it may have changed something", err, r.room)
	}
	if err != nil {
		return "", false, c.noTable(dev, err)
	}
	if rep.info.Flags&FlagDataOut == 0 {
		return "", false, nil
	}
	return text(rep.data), true, nil
}

// noTable distinguishes a message that was refused for lack of a table from one
// that the target does not accept: newer kernels return EINVAL for both.
func (c *Control) noTable(dev Device, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Errno != unix.EINVAL {
		return err
	}
	if info, failed := c.Status(dev, StatusOptions{NoOpenCount: true}); failed == nil && !info.LiveTable() {
		e.Class = ErrNoTable
	}
	return err
}

// messageRoom is the room for a reply, in bytes: more than the reply to any
// message except those of changesNothing.
const messageRoom = 64 << 10

// MessageOptions are the options of [Control.Message].
type MessageOptions struct {
	Room   int  // bytes of reply to make room for; 64 KiB if 0
	Repeat bool // the message changes nothing: send it again if the reply does not fit
	Secure bool // wipe the message in the kernel's memory and here: it holds a key
}

// changesNothing reports whether a message may be sent twice.
// @stats_print_clear may: the counters are cleared after the last line has
// found room, and not at all if one does not (dm-stats.c dm_stats_print).
func changesNothing(message string) bool {
	words := strings.Fields(message)
	if len(words) == 0 {
		return false
	}
	switch strings.ToLower(words[0]) {
	case "@stats_list", "@stats_print", "@stats_print_clear":
		return true
	}
	return false
}
