package dlm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
)

// ValueSize is the size in bytes of the lock value block of lockspaces that user
// space makes (DLM_USER_LVB_LEN). md's have one of 64 bytes, of which a user's
// request reads and writes the first 32.
const ValueSize = 32

// interfaceVersion is what a request has to carry, major, minor and patch
// (include/uapi/linux/dlm_device.h). The kernel refuses another major version, and a
// later minor one (fs/dlm/user.c check_version).
var interfaceVersion = [3]uint32{6, 0, 0}

// Commands of the lock device (DLM_USER_*).
const (
	cmdLock     = 1
	cmdUnlock   = 2
	cmdCreate   = 4
	cmdRemove   = 5
	cmdPurge    = 6
	cmdDeadlock = 7
	is64bit     = 1
	forceFree   = 2 // DLM_USER_LSFLG_FORCEFREE
)

// Sizes and offsets in bytes of struct dlm_write_request and its parts, with 64-bit
// pointers.
const (
	requestSize = 120
	partOffset  = 16
	spaceName   = partOffset + 8
	lockName    = partOffset + 104
)

// header begins a request with room for size bytes.
func header(cmd uint8, size int) []byte {
	b := make([]byte, size)
	for i, v := range interfaceVersion {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	b[12] = cmd
	b[13] = is64bit
	return b
}

// lockRequest is struct dlm_lock_params.
type lockRequest struct {
	cmd      uint8
	mode     Mode
	flags    Flags
	id       uint32 // of the lock, for all but new locks
	xid      uint64
	cookie   uint64 // comes back in the answers
	value    [ValueSize]byte
	resource string
}

// What the answers' astaddr is, by which they tell what they are. The kernel takes
// any number but 0 for the first, and hands it back.
const (
	completionAST = 1
	blockingAST   = 2
)

// appendTo makes the request's bytes.
func (r *lockRequest) bytes() []byte {
	b := header(r.cmd, lockName+len(r.resource))
	p := b[partOffset:]
	p[0] = uint8(r.mode)
	p[1] = uint8(len(r.resource))
	binary.NativeEndian.PutUint32(p[4:], uint32(r.flags))
	binary.NativeEndian.PutUint32(p[8:], r.id)
	binary.NativeEndian.PutUint64(p[16:], r.xid)
	binary.NativeEndian.PutUint64(p[32:], r.cookie)
	binary.NativeEndian.PutUint64(p[40:], completionAST)
	binary.NativeEndian.PutUint64(p[48:], r.cookie)
	binary.NativeEndian.PutUint64(p[56:], blockingAST)
	binary.NativeEndian.PutUint64(p[64:], r.cookie) // lksb: must not be 0
	copy(p[72:], r.value[:])
	copy(b[lockName:], r.resource)
	return b
}

// spaceRequest is struct dlm_lspace_params with a name. The kernel reads the name up
// to the zero that it puts behind what was written.
func spaceRequest(cmd uint8, flags, minor uint32, name string) []byte {
	b := header(cmd, max(requestSize, spaceName+len(name)+1))
	binary.NativeEndian.PutUint32(b[partOffset:], flags)
	binary.NativeEndian.PutUint32(b[partOffset+4:], minor)
	copy(b[spaceName:], name)
	return b
}

// purgeRequest is struct dlm_purge_params.
func purgeRequest(node, pid uint32) []byte {
	b := header(cmdPurge, requestSize)
	binary.NativeEndian.PutUint32(b[partOffset:], node)
	binary.NativeEndian.PutUint32(b[partOffset+4:], pid)
	return b
}

// Sizes in bytes of struct dlm_lock_result, and of it with a value block.
const (
	answerSize      = 72
	fullAnswerSize  = answerSize + ValueSize
	versionSize     = 12
	errnoCancelled  = 0x10001 // DLM_ECANCEL
	errnoUnlocked   = 0x10002 // DLM_EUNLOCK
	offsetStatus    = 40
	offsetLockID    = 44
	offsetFlags     = 48
	offsetBlocking  = 64
	offsetValue     = 68
	offsetASTAddr   = 16
	offsetASTCookie = 24
)

// answer is struct dlm_lock_result: the end of a request, or, with blocking set, news
// that somebody waits for the lock.
type answer struct {
	cookie   uint64
	blocking Mode // the mode that somebody waits for; ModeNone in the end of a request
	status   int32
	flags    StatusFlags
	id       uint32
	value    []byte // nil if it does not come with this answer
}

// parseAnswer reads what one read(2) of the lock device returned.
func parseAnswer(b []byte) (answer, error) {
	bad := func(what string, v any) (answer, error) {
		return answer{}, fmt.Errorf("%w: answer of %d bytes: %s is %v", ErrMalformed, len(b), what, v)
	}
	if len(b) < answerSize {
		return bad("size", len(b))
	}
	if major := binary.NativeEndian.Uint32(b); major != interfaceVersion[0] {
		return bad("major version", major)
	}
	a := answer{
		cookie:   binary.NativeEndian.Uint64(b[offsetASTCookie:]),
		blocking: ModeNone,
		status:   int32(binary.NativeEndian.Uint32(b[offsetStatus:])),
		id:       binary.NativeEndian.Uint32(b[offsetLockID:]),
		flags:    StatusFlags(b[offsetFlags]),
	}
	switch addr := binary.NativeEndian.Uint64(b[offsetASTAddr:]); addr {
	case completionAST:
	case blockingAST:
		a.blocking = Mode(b[offsetBlocking])
		if !a.blocking.valid() {
			return bad("bast_mode", b[offsetBlocking])
		}
	default:
		return bad("user_astaddr", addr)
	}
	if off := binary.NativeEndian.Uint32(b[offsetValue:]); off != 0 {
		if uint64(off)+ValueSize > uint64(len(b)) || off < answerSize {
			return bad("lvb_offset", off)
		}
		a.value = b[off : off+ValueSize]
	}
	return a, nil
}

// errUnlocked is how an unlock ends well.
var errUnlocked = errors.New("unlocked")

// err is how the request ended, nil if it was granted.
func (a *answer) err() error {
	switch -a.status {
	case 0:
		return nil
	case errnoCancelled:
		return ErrCancelled
	case errnoUnlocked:
		return errUnlocked
	case int32(syscall.EAGAIN):
		return ErrWouldBlock
	case int32(syscall.EDEADLK):
		return ErrDeadlock
	}
	return syscall.Errno(-a.status)
}
