// Package controld asks dlm_controld, the daemon of Debian's package dlm that controls
// the kernel's DLM on top of corosync. Requests and replies are the structures of its
// dlm_controld.h and libdlmcontrol.h, in the order of bytes of the machine, and go over two
// abstract unix sockets: one for questions, which a thread of its own answers, and one for
// orders.
package controld

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Classes of failure; errors match them under errors.Is.
var (
	ErrNotRunning  = errors.New("dlm_controld does not run on this node")
	ErrNoLockspace = errors.New("dlm_controld knows no lockspace of that name on this node")
	ErrNoRun       = errors.New("dlm_controld knows no run of that name on this node")
	ErrMalformed   = errors.New("not in the form that dlm_controld speaks")
)

// Command is what is asked or ordered (DLMC_CMD_*).
type Command uint32

// The commands that are used here.
const (
	DumpDebug      Command = 1
	DumpLocks      Command = 2 // POSIX locks
	LockspaceInfo  Command = 3
	ListLockspaces Command = 5
	LockspaceNodes Command = 6
	CheckDeadlock  Command = 10
	DumpLockLog    Command = 11
	AckFence       Command = 12
	DumpStatus     Command = 13
	DumpConfig     Command = 14
	StartRun       Command = 15
	CheckRun       Command = 16
	DumpRuns       Command = 17
	ReloadConfig   Command = 18 // since 4.2
	SetConfig      Command = 19 // since 4.2
)

// Sizes of the structures.
const (
	headerSize    = 96      // dlmc_header
	nameSize      = 64      // DLM_LOCKSPACE_LEN
	lockspaceSize = 140     // dlmc_lockspace
	nodeSize      = 40      // dlmc_node
	stateSize     = 28      // dlmc_state
	runSize       = 4       // dlmc_run_check_state
	bodySize      = 1024    // DLMC_RUN_COMMAND_LEN
	maxBody       = 1 << 20 // DLMC_DUMP_SIZE
	maxState      = 4096    // DLMC_STATE_MAXSTR, DLMC_STATE_MAXBIN
)

// Numbers that every message begins with.
const (
	magic   = 0xD13CD13C
	version = 0x00010001
)

// MaxCommand is the longest text of a [SetConfig] or [StartRun].
const MaxCommand = bodySize - 1

var order = binary.NativeEndian

// Request is a question or an order.
type Request struct {
	Command Command
	Option  uint32
	Data    int32
	Flags   uint32
	Name    string // of a lockspace, a node, or a run; at most 64 bytes are sent
	Text    string // of a command, at most [MaxCommand] bytes of it; none for most
}

// AppendTo appends the request as it is sent.
func (r Request) AppendTo(b []byte) []byte {
	size := headerSize
	if r.Text != "" {
		size += bodySize
	}
	for _, n := range []uint32{magic, version, uint32(r.Command), r.Option, uint32(size), uint32(r.Data), r.Flags, 0} {
		b = order.AppendUint32(b, n)
	}
	b = appendPadded(b, r.Name, nameSize, nameSize)
	if r.Text != "" {
		b = appendPadded(b, r.Text, MaxCommand, bodySize)
	}
	return b
}

// appendPadded appends at most so much of a text, and zeros up to a size.
func appendPadded(b []byte, text string, most, size int) []byte {
	text = text[:min(len(text), most)]
	b = append(b, text...)
	return append(b, make([]byte, size-len(text))...)
}

// Header begins a reply.
type Header struct {
	Command Command
	Option  uint32
	Data    int32 // a number of things, or a negative errno
	Flags   uint32
	Name    string
	Body    int // bytes that follow
}

// ParseHeader reads the first bytes of a reply.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < headerSize {
		return Header{}, fmt.Errorf("%w: a header of %d bytes, not %d", ErrMalformed, len(b), headerSize)
	}
	if m := order.Uint32(b); m != magic {
		return Header{}, fmt.Errorf("%w: header, byte 0: magic %08x, not %08x", ErrMalformed, m, uint32(magic))
	}
	if v := order.Uint32(b[4:]); v>>16 != version>>16 {
		return Header{}, fmt.Errorf("%w: header, byte 4: version %08x, not %08x", ErrMalformed, v, version)
	}
	size := order.Uint32(b[16:])
	if size < headerSize || size > headerSize+maxBody {
		return Header{}, fmt.Errorf("%w: header, byte 16: length %d, not between %d and %d", ErrMalformed, size, headerSize, headerSize+maxBody)
	}
	return Header{
		Command: Command(order.Uint32(b[8:])), Option: order.Uint32(b[12:]), Data: int32(order.Uint32(b[20:])),
		Flags: order.Uint32(b[24:]), Name: text(b[32:headerSize]), Body: int(size) - headerSize,
	}, nil
}

// text is a string up to its first zero.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// Condition is what a change waits for (DLMC_LS_WAIT_*).
type Condition int32

// The conditions.
const (
	WaitRing    Condition = 1 // corosync and its groups agree on who is there
	WaitQuorum  Condition = 2
	WaitFencing Condition = 3
	WaitFS      Condition = 4 // the file system has let go of a dead node
)

// Change is a change of a lockspace's members.
type Change struct {
	Members, Joined, Removed, Failed int32
	Wait                             Condition // or, with Messages, how many messages are missing
	Messages                         bool
	Seq, CombinedSeq                 uint32
}

// LockspaceFlags say how a lockspace is doing (DLMC_LF_*).
type LockspaceFlags uint32

// The flags.
const (
	Joining       LockspaceFlags = 0x01
	Leaving       LockspaceFlags = 0x02
	KernelStopped LockspaceFlags = 0x04
	FSRegistered  LockspaceFlags = 0x08
	NeedLocks     LockspaceFlags = 0x10
	SaveLocks     LockspaceFlags = 0x20
)

// Lockspace is one that this node is a member of, or becomes one.
type Lockspace struct {
	Previous Change // the one that is completed
	Next     Change // the one that is under way; none if its Seq is 0
	Flags    LockspaceFlags
	ID       uint32
	Name     string
}

// ParseLockspace reads a lockspace.
func ParseLockspace(b []byte) (Lockspace, error) {
	if len(b) < lockspaceSize {
		return Lockspace{}, fmt.Errorf("%w: a lockspace of %d bytes, not %d", ErrMalformed, len(b), lockspaceSize)
	}
	return Lockspace{
		Previous: parseChange(b), Next: parseChange(b[32:]),
		Flags: LockspaceFlags(order.Uint32(b[64:])), ID: order.Uint32(b[68:]), Name: text(b[72 : 72+nameSize+1]),
	}, nil
}

func parseChange(b []byte) Change {
	n := func(i int) int32 { return int32(order.Uint32(b[4*i:])) }
	return Change{
		Members: n(0), Joined: n(1), Removed: n(2), Failed: n(3), Wait: Condition(n(4)), Messages: n(5) != 0,
		Seq: uint32(n(6)), CombinedSeq: uint32(n(7)),
	}
}

// NodeFlags say how a node is doing in a lockspace (DLMC_NF_*).
type NodeFlags uint32

// The flags.
const (
	IsMember    NodeFlags = 0x01
	HasStarted  NodeFlags = 0x02 // its start message has come
	Disallowed  NodeFlags = 0x04
	NeedFencing NodeFlags = 0x08
	CheckFS     NodeFlags = 0x10
)

// Node is a node as a lockspace has it.
type Node struct {
	ID               int32
	Flags            NodeFlags
	AddSeq, RemSeq   uint32
	FailReason       int32
	FailWall, FailAt uint64 // seconds: since 1970, and since the machine has booted
}

// ParseNode reads a node.
func ParseNode(b []byte) (Node, error) {
	if len(b) < nodeSize {
		return Node{}, fmt.Errorf("%w: a node of %d bytes, not %d", ErrMalformed, len(b), nodeSize)
	}
	return Node{
		ID: int32(order.Uint32(b)), Flags: NodeFlags(order.Uint32(b[4:])),
		AddSeq: order.Uint32(b[8:]), RemSeq: order.Uint32(b[12:]), FailReason: int32(order.Uint32(b[16:])),
		FailWall: order.Uint64(b[24:]), FailAt: order.Uint64(b[32:]),
	}, nil
}

// parseAll reads so many structures that follow each other.
func parseAll[T any](b []byte, n, size int, parse func([]byte) (T, error)) ([]T, error) {
	if n > len(b)/size {
		return nil, fmt.Errorf("%w: %d bytes for %d structures of %d", ErrMalformed, len(b), n, size)
	}
	all := make([]T, 0, n)
	for i := range n {
		one, err := parse(b[i*size:])
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
