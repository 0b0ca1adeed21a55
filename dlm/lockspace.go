package dlm

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"

	"github.com/mdkit/mdkit/sysfs"
)

// Lockspace is a lockspace of this kernel, as a controller handles it:
// /sys/kernel/dlm/NAME (fs/dlm/lockspace.c).
type Lockspace struct {
	Name string
	dir  sysfs.Dir
}

// Lockspaces lists the lockspaces that this kernel has, those that are being joined
// or left among them, sorted. A kernel without DLM has none.
func Lockspaces(fs sysfs.FS) ([]Lockspace, error) {
	dir := sysfs.Dir(fs.Sys("kernel", "dlm"))
	names, err := folders(dir)
	if err != nil {
		return nil, err
	}
	var all []Lockspace
	for _, name := range names {
		all = append(all, NewLockspace(fs, name))
	}
	return all, nil
}

// NewLockspace returns the lockspace of that name, without looking whether there is
// one.
func NewLockspace(fs sysfs.FS, name string) Lockspace {
	return Lockspace{Name: name, dir: sysfs.Dir(fs.Sys("kernel", "dlm", name))}
}

// Stop suspends the lockspace: its requests wait, those of other nodes are refused.
// The kernel waits for a recovery that is under way to notice (dlm_ls_stop).
func (l Lockspace) Stop(ctx context.Context) error {
	return l.write(ctx, "stop", "control", "0")
}

// Start resumes it with the members that [Config] has now, and recovers what the
// change needs; [Lockspace.Recovered] tells when that is done (dlm_ls_start).
func (l Lockspace) Start(ctx context.Context) error {
	return l.write(ctx, "start", "control", "1")
}

// Done answers the process that sleeps in a join or leave: 0 lets it go on, a negative
// errno makes its join fail.
func (l Lockspace) Done(ctx context.Context, result int) error {
	return l.write(ctx, "answer for", "event_done", strconv.Itoa(result))
}

// SetID gives the lockspace the number by which nodes name it to each other, see
// [GlobalID]. It is set once, before the first start.
func (l Lockspace) SetID(ctx context.Context, id uint32) error {
	return l.write(ctx, "number", "id", strconv.FormatUint(uint64(id), 10))
}

// SetNoDirectory makes the lockspace work without a resource directory: each node
// then knows a resource's master from its name.
func (l Lockspace) SetNoDirectory(ctx context.Context) error {
	return l.write(ctx, "set nodir of", "nodir", "1")
}

func (l Lockspace) write(ctx context.Context, op, name, value string) error {
	err := await(ctx, op+" lockspace", l.Name, func() error { return l.dir.Write(name, value) })
	return l.explain(op, err)
}

// explain gives a refusal its class.
func (l Lockspace) explain(op string, err error) error {
	if err == nil || errors.Is(err, ErrStillWaiting) {
		return err
	}
	e := &Error{Op: op + " lockspace", Space: l.Name, Mode: ModeNone, Err: err}
	if errors.Is(err, sysfs.ErrNotSupported) {
		e.Class, e.Meaning = ErrNoLockspace, "this kernel has none of that name"
		return e
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		e.Class = classOf(errno)
	}
	return e
}

// ID returns the number by which nodes name the lockspace to each other.
func (l Lockspace) ID() (uint32, error) {
	n, err := l.dir.ReadUint("id")
	return uint32(n), l.explain("read the number of", err)
}

// NoDirectory reports whether it works without a resource directory.
func (l Lockspace) NoDirectory() (bool, error) {
	b, err := l.dir.ReadBool("nodir")
	return b, l.explain("read nodir of", err)
}

// RecoverStatus says how far a recovery has come on this node.
type RecoverStatus uint32

// What has been done (fs/dlm/dlm_internal.h DLM_RS_*): each by this node, and then,
// as the node with the lowest number finds, by all.
const (
	NodesDone     RecoverStatus = 0x01
	NodesAll      RecoverStatus = 0x02
	DirectoryDone RecoverStatus = 0x04
	DirectoryAll  RecoverStatus = 0x08
	LocksDone     RecoverStatus = 0x10
	LocksAll      RecoverStatus = 0x20
	RecoveryDone  RecoverStatus = 0x40
	RecoveryAll   RecoverStatus = 0x80
)

// String returns the kernel's names joined by "|".
func (s RecoverStatus) String() string {
	return bitNames(uint32(s), []string{"NODES", "NODES_ALL", "DIR", "DIR_ALL", "LOCKS", "LOCKS_ALL", "DONE", "DONE_ALL"})
}

// RecoverStatus returns how far the last recovery has come.
func (l Lockspace) RecoverStatus() (RecoverStatus, error) {
	text, err := l.dir.Read("recover_status")
	if err != nil {
		return 0, l.explain("read the recovery of", err)
	}
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return 0, &sysfs.ParseError{Path: l.dir.Path("recover_status"), Text: strings.TrimSpace(text), Want: "a hexadecimal number"}
	}
	return RecoverStatus(n), nil
}

// Recovered reports, on the member with the lowest number, whether the lockspace runs: no
// recovery is under way, and it has been started since it was stopped. The other members
// ask that one and note only their own part, [RecoveryDone] (fs/dlm/recover.c wait_status).
func (l Lockspace) Recovered() (bool, error) {
	s, err := l.RecoverStatus()
	return s&RecoveryAll != 0, err
}

// RecoverNode returns the node that the recovery waited for last, 0 if for none.
func (l Lockspace) RecoverNode() (int, error) {
	n, err := l.dir.ReadUint("recover_nodeid")
	return int(n), l.explain("read the recovery of", err)
}
