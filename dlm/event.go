package dlm

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Action is what a uevent says of a lockspace.
type Action string

// The actions, in the order in which a lockspace's life has them. The kernel waits
// after [Joining] and [Leaving] for [Lockspace.Done].
const (
	Added   Action = "add"
	Joining Action = "online"
	Leaving Action = "offline"
	Removed Action = "remove"
)

// Event is one uevent of a lockspace (fs/dlm/lockspace.c do_uevent).
type Event struct {
	Action   Action
	Space    string // the lockspace
	Sequence uint64 // the kernel's number for the event
	// Recover says, on [Leaving], that the others are to recover from this node as
	// if it had crashed: RELEASE_RECOVER, which kernels have since 6.16.
	Recover bool
}

// ParseEvent reads a message of NETLINK_KOBJECT_UEVENT. ours is false for events of
// other subsystems.
func ParseEvent(b []byte) (e Event, ours bool, err error) {
	head, rest, _ := bytes.Cut(b, []byte{0})
	action, path, ok := strings.Cut(string(head), "@")
	if !ok {
		// udev's own messages on this protocol begin with "libudev".
		return Event{}, false, nil
	}
	fields := map[string]string{}
	for part := range bytes.SplitSeq(rest, []byte{0}) {
		if key, value, ok := strings.Cut(string(part), "="); ok {
			fields[key] = value
		}
	}
	if fields["SUBSYSTEM"] != "dlm" {
		return Event{}, false, nil
	}
	e = Event{Action: Action(action), Space: fields["LOCKSPACE"], Recover: fields["RELEASE_RECOVER"] == "1"}
	if e.Space == "" || fields["ACTION"] != action {
		return Event{}, true, fmt.Errorf("%w: uevent %q of %q names no lockspace, or two actions", ErrMalformed, action, path)
	}
	if e.Sequence, err = strconv.ParseUint(fields["SEQNUM"], 10, 64); err != nil {
		return Event{}, true, fmt.Errorf("%w: uevent %q of %q has SEQNUM %q", ErrMalformed, action, path, fields["SEQNUM"])
	}
	return e, true, nil
}
