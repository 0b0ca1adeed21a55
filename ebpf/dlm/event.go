package dlm

import (
	"encoding/hex"
	"encoding/json"
	"time"
)

// Kind is what has happened.
type Kind string

// The kinds, by the names of the tracepoints without "dlm_".
const (
	LockStart   Kind = "lock_start"   // a lock or a conversion is asked for
	LockEnd     Kind = "lock_end"     // the request has been taken or refused; Status says which
	UnlockStart Kind = "unlock_start" // an unlock or a cancel is asked for
	UnlockEnd   Kind = "unlock_end"   // the same of its request
	Granted     Kind = "ast"          // the request is complete; Status says how
	Blocking    Kind = "bast"         // the lock is in the way of another, which wants Mode
	Sent        Kind = "send_message" // a message goes to Node
	Received    Kind = "recv_message" // a message has come from Node
)

// kinds are in the order of the program (dlm.bpf.c, enum kind).
var kinds = [...]Kind{LockStart, LockEnd, UnlockStart, UnlockEnd, Granted, Blocking, Sent, Received}

// Event is something that a node's lock manager has done.
type Event struct {
	Time  time.Duration // since boot, with time asleep (CLOCK_BOOTTIME)
	CPU   int
	PID   int    // of the process: the kernel's own threads do most of the work
	TID   int    // of the thread
	Task  string // its name
	Kind  Kind
	Space uint32 // the lockspace's global id (/sys/kernel/dlm/NAME/id)
	Lock  uint32 // the lock's number on this node; of a message, on the sender's. 0 if there is none

	Mode    Mode   // asked for; [ModeNone] where none is
	Granted Mode   // of a message: held so far
	Flags   uint32 // DLM_LKF_*, of a message its m_flags, of a completion DLM_SBF_*
	Status  int    // 0, or a negative errno; DLM_EUNLOCK and DLM_ECANCEL are -0x10002 and -0x10001

	Node    int         // the other one, of a message; 0 for one sent by Linux 6.1, which does not show it
	Message MessageType // of a message
	Remote  uint32      // of a message: the lock's number on the receiver

	Resource      string // the resource's name, up to 64 bytes
	Value         []byte // of a message: what goes with it, the lock's value or the name, up to 64 bytes
	ValueLen      int    // bytes of that in all
	NameTruncated bool   // there is more of the name
}

// Mode is the mode of a lock (uapi/linux/dlmconstants.h, DLM_LOCK_*).
type Mode int8

// ModeNone is no mode: nothing is held, or asked for.
const ModeNone Mode = -1

// String returns two letters, "" for what is no mode.
func (m Mode) String() string {
	if m < 0 || int(m) >= len(modes) {
		return ""
	}
	return modes[m]
}

var modes = [...]string{"NL", "CR", "CW", "PR", "PW", "EX"}

// MessageType is the type of a message between nodes (fs/dlm/dlm_internal.h, DLM_MSG_*).
type MessageType int

var messageTypes = [...]string{
	1: "request", "convert", "unlock", "cancel", "request_reply", "convert_reply", "unlock_reply", "cancel_reply",
	"grant", "bast", "lookup", "remove", "lookup_reply", "purge",
}

// String returns the kernel's name in small letters, "" for a type that is not known.
func (m MessageType) String() string {
	if m <= 0 || int(m) >= len(messageTypes) {
		return ""
	}
	return messageTypes[m]
}

// line is an event as docs/trace-format.md has it.
type line struct {
	Schema   string `json:"schema"`
	Time     int64  `json:"time_ns"`
	Node     int    `json:"node,omitempty"`
	Task     string `json:"task"`
	PID      int    `json:"pid"`
	TID      int    `json:"tid"`
	CPU      int    `json:"cpu"`
	Event    Kind   `json:"event"`
	Space    string `json:"lockspace,omitempty"`
	SpaceID  uint32 `json:"lockspace_id"`
	Resource string `json:"resource"`
	Lock     uint32 `json:"lock_id"`
	From     string `json:"mode_from,omitempty"`
	To       string `json:"mode_to,omitempty"`
	Flags    uint32 `json:"flags"`
	Status   int    `json:"status"`
	Peer     int    `json:"peer,omitempty"`
	Message  string `json:"message,omitempty"`
	Remote   uint32 `json:"remote_id,omitempty"`
	Value    string `json:"value,omitempty"`
}

// Schema is the identity of the lines that [Event.JSON] makes.
const Schema = "mdkit.trace.dlm/1"

// JSON returns the event as a line of JSON, without its end (docs/trace-format.md). node is
// this node's number in the cluster, 0 if it has none, and spaces names lockspaces by their
// global ids.
func (e *Event) JSON(node int, spaces map[uint32]string) ([]byte, error) {
	return json.Marshal(line{
		Schema: Schema, Time: int64(e.Time), Node: node, Task: e.Task, PID: e.PID, TID: e.TID, CPU: e.CPU,
		Event: e.Kind, Space: spaces[e.Space], SpaceID: e.Space, Resource: Printable(e.Resource), Lock: e.Lock,
		From: e.Granted.String(), To: e.Mode.String(), Flags: e.Flags, Status: e.Status,
		Peer: e.Node, Message: e.Message.String(), Remote: e.Remote, Value: hex.EncodeToString(e.Value),
	})
}

// Printable returns a name as it is if it is text, else in hexadecimal digits after "0x".
func Printable(name string) string {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return "0x" + hex.EncodeToString([]byte(name))
		}
	}
	return name
}
