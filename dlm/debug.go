package dlm

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/sysfs"
)

// Debug is the folder in which the kernel shows its locks:
// /sys/kernel/debug/dlm (fs/dlm/debug_fs.c). Only a kernel built with
// CONFIG_DLM_DEBUG has it, and only root may look.
type Debug struct{ dir sysfs.Dir }

// NewDebug returns the folder below fs. That it is not there, its methods say with
// [ErrNotVisible].
func NewDebug(fs sysfs.FS) Debug { return Debug{sysfs.Dir(fs.Sys("kernel", "debug", "dlm"))} }

// read returns a file's text.
func (d Debug) read(space, suffix string) (string, error) {
	text, err := sysfs.ReadProc(d.dir.Path(space + suffix))
	if err == nil {
		return text, nil
	}
	e := &Error{Op: "look at the locks of lockspace", Space: space, Mode: ModeNone, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Class = ErrPermission
	case errors.Is(err, fs.ErrNotExist):
		e.Class, e.Err = ErrNotVisible, nil
		e.Meaning = "this kernel shows no locks: it is built without CONFIG_DLM_DEBUG, or debugfs is not mounted"
		if _, err := os.Stat(string(d.dir)); err == nil {
			e.Class, e.Meaning = ErrNoLockspace, "this kernel has none of that name"
		}
	}
	return "", e
}

// Queue says where a lock stands on its resource (DLM_LKSTS_*).
type Queue int

// The queues.
const (
	Waiting    Queue = 1 // not granted yet
	Granted    Queue = 2
	Converting Queue = 3 // held, and waits for another mode
)

// String returns the queue's name in one word.
func (q Queue) String() string {
	switch q {
	case Waiting:
		return "waiting"
	case Granted:
		return "granted"
	case Converting:
		return "converting"
	}
	return fmt.Sprintf("queue %d", int(q))
}

// LockInfo is a lock that this kernel knows: one of its own, or, where it is the
// resource's master, a copy of another node's.
type LockInfo struct {
	ID        uint32
	Node      int    // where the holder is, in a copy; the master's node, in one's own; 0: all is here
	RemoteID  uint32 // the lock's number there
	Thread    int    // who has taken it, 0 for the kernel
	XID       uint64
	Flags     Flags  // it was asked for with (lkb_exflags)
	Internal  uint32 // the kernel's own flags
	Queue     Queue
	Held      Mode          // ModeNone while it is waiting
	Wanted    Mode          // ModeNone while it is granted
	For       time.Duration // for which it has stood in its queue
	Master    int           // the resource's master, 0: this node, -1: not known yet
	Resource  string        // its name as it is, up to a zero byte
	Truncated bool          // the name has a zero byte, and the kernel prints no more
}

// Copy reports whether the lock is another node's: this one is the resource's master
// and keeps a copy.
func (l *LockInfo) Copy() bool { return l.Internal&mstcpy != 0 }

// mstcpy is DLM_IFL_MSTCPY (fs/dlm/dlm_internal.h).
const mstcpy = 0x00010000

// Locks returns a lockspace's locks, from the file NAME_locks.
func (d Debug) Locks(space string) ([]LockInfo, error) {
	text, err := d.read(space, "_locks")
	if err != nil {
		return nil, err
	}
	return ParseLocks(text)
}

// ParseLocks reads the text of a file NAME_locks (print_format2).
func ParseLocks(text string) ([]LockInfo, error) {
	var all []LockInfo
	for n, line := range lines(text) {
		if n == 1 && strings.HasPrefix(line, "id nodeid ") {
			continue
		}
		l, err := parseLock(line)
		if err != nil {
			return nil, fmt.Errorf("%w: locks, line %d: %w", ErrMalformed, n, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// lines yields the lines that are not empty, with their numbers from 1. A name can hold
// any byte but the newline's.
func lines(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		s := bufio.NewScanner(strings.NewReader(text))
		s.Buffer(nil, len(text)+1)
		for n := 1; s.Scan(); n++ {
			if s.Text() != "" && !yield(n, s.Text()) {
				return
			}
		}
	}
}

func parseLock(line string) (LockInfo, error) {
	const fields = 13
	f := strings.SplitN(line, " ", fields+1)
	if len(f) != fields+1 {
		return LockInfo{}, fmt.Errorf("%d fields, not %d, in %q", len(f), fields+1, printable(line))
	}
	p := numbers{line: line}
	l := LockInfo{
		ID: uint32(p.hex(f[0], 32)), Node: int(p.dec(f[1])), RemoteID: uint32(p.hex(f[2], 32)),
		Thread: int(p.dec(f[3])), XID: p.unsigned(f[4]), Flags: Flags(p.hex(f[5], 32)), Internal: uint32(p.hex(f[6], 32)),
		Queue: Queue(p.dec(f[7])), Held: Mode(p.dec(f[8])), Wanted: Mode(p.dec(f[9])),
		// The header says time_ms; what is printed are microseconds.
		For: time.Duration(p.dec(f[10])) * time.Microsecond, Master: int(int32(p.dec(f[11]))),
	}
	size := int(p.dec(f[12]))
	name, quoted := strings.CutPrefix(f[13], `"`)
	name, closed := strings.CutSuffix(name, `"`)
	if p.err == nil && (!quoted || !closed || len(name) > size) {
		p.err = fmt.Errorf("name of %d bytes in %q", size, printable(f[13]))
	}
	l.Resource, l.Truncated = name, len(name) < size
	return l, p.err
}

// numbers reads several numbers of a line and keeps the first error.
type numbers struct {
	line string
	err  error
}

func (p *numbers) hex(s string, bits int) uint64 {
	n, err := strconv.ParseUint(s, 16, bits)
	p.note(s, "hexadecimal", err)
	return n
}

func (p *numbers) dec(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	p.note(s, "decimal", err)
	return n
}

func (p *numbers) unsigned(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	p.note(s, "decimal", err)
	return n
}

func (p *numbers) note(s, base string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%q is no %s number", printable(s), base)
	}
}

// WaiterInfo is a request for which this kernel awaits another node's reply.
type WaiterInfo struct {
	ID       uint32
	Type     int // which message (DLM_MSG_*)
	Node     int // whose reply
	Resource string
}

// Waiters returns the requests that await a reply, from the file NAME_waiters. The
// kernel shows at most 4096 bytes of them.
func (d Debug) Waiters(space string) ([]WaiterInfo, error) {
	text, err := d.read(space, "_waiters")
	if err != nil {
		return nil, err
	}
	return ParseWaiters(text)
}

// ParseWaiters reads the text of a file NAME_waiters (waiters_read).
func ParseWaiters(text string) ([]WaiterInfo, error) {
	var all []WaiterInfo
	for n, line := range lines(text) {
		f := strings.SplitN(line, " ", 4)
		if len(f) != 4 {
			return nil, fmt.Errorf("%w: waiters, line %d: %d fields, not 4", ErrMalformed, n, len(f))
		}
		p := numbers{line: line}
		w := WaiterInfo{ID: uint32(p.hex(f[0], 32)), Type: int(p.dec(f[1])), Node: int(p.dec(f[2])), Resource: f[3]}
		if p.err != nil {
			return nil, fmt.Errorf("%w: waiters, line %d: %w", ErrMalformed, n, p.err)
		}
		all = append(all, w)
	}
	return all, nil
}

// Resource is a resource with its locks, in the order of its queues.
type Resource struct {
	Name       string
	Master     int    // its master's node, 0: this one, -1: not known yet
	FirstID    uint32 // the lock that looks the master up, if it is not known
	Flags      uint64 // the kernel's own
	Value      []byte // the lock value block; nil if there is none
	ValueSeq   uint32 // counts the value's changes
	Recovering bool   // it stands in one of the recovery's lists
	Recovery   Recovery
	Locks      []ResourceLock
}

// Recovery is where a resource stands while its lockspace recovers.
type Recovery struct {
	Root  bool // among those whose masters are looked for
	List  bool // among those that await an answer
	Locks int  // how many locks still have to be sent
}

// ResourceLock is a lock as a resource's dump has it.
type ResourceLock struct {
	ID, RemoteID uint32
	Node         int // as in LockInfo
	Thread       int
	XID          uint64
	Flags        Flags
	Internal     uint32
	Queue        Queue
	Held, Wanted Mode
	Blocked      Mode // the mode that the holder was last told of as being waited for
	Lookup       bool // waits for the resource's master to be found
	WaitType     int  // the message whose reply it awaits, 0 if none
	Since        time.Duration
	BlockedSince time.Duration
}

// Resources returns a lockspace's resources, from the file NAME_all.
func (d Debug) Resources(space string) ([]Resource, error) {
	text, err := d.read(space, "_all")
	if err != nil {
		return nil, err
	}
	return ParseResources(text)
}

// ParseResources reads the text of a file NAME_all (print_format3). Times are since the
// kernel has booted.
func ParseResources(text string) ([]Resource, error) {
	var all []Resource
	for n, line := range lines(text) {
		kind, rest, _ := strings.Cut(line, " ")
		var err error
		switch {
		case kind == "version" || strings.HasPrefix(line, "rsb ptr "): // a header, by the kernel's age
		case kind == "rsb":
			var r Resource
			if r, err = parseResource(rest); err == nil {
				all = append(all, r)
			}
		case len(all) == 0:
			err = fmt.Errorf("%q before the first resource", printable(kind))
		case kind == "lvb":
			err = all[len(all)-1].parseValue(rest)
		case kind == "lkb":
			err = all[len(all)-1].parseLock(rest)
		default:
			err = fmt.Errorf("%q is no kind of line", printable(kind))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: resources, line %d: %w", ErrMalformed, n, err)
		}
	}
	return all, nil
}

func parseResource(s string) (Resource, error) {
	// pointer nodeid first_lkid flags root recover locks length kind name
	f := strings.SplitN(s, " ", 10)
	if len(f) != 10 {
		return Resource{}, fmt.Errorf("%d fields of a resource, not 10", len(f))
	}
	p := numbers{line: s}
	r := Resource{Master: int(p.dec(f[1])), FirstID: uint32(p.hex(f[2], 32)), Flags: p.hex(f[3], 64)}
	r.Recovery = Recovery{Root: p.dec(f[4]) != 0, List: p.dec(f[5]) != 0, Locks: int(p.dec(f[6]))}
	r.Recovering = r.Recovery.Root || r.Recovery.List
	size := int(p.dec(f[7]))
	name, err := resourceName(f[8], f[9])
	switch {
	case p.err != nil:
		return r, p.err
	case err != nil:
		return r, err
	case len(name) != size:
		return r, fmt.Errorf("name of %d bytes, not %d", len(name), size)
	}
	r.Name = name
	return r, nil
}

// resourceName reads "str NAME" or "hex 6e 61".
func resourceName(kind, text string) (string, error) {
	switch kind {
	case "str":
		return text, nil
	case "hex":
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		return string(b), err
	}
	return "", fmt.Errorf("%q is no way to print a name", printable(kind))
}

func (r *Resource) parseValue(s string) error {
	f := strings.SplitN(s, " ", 3)
	if len(f) != 3 {
		return fmt.Errorf("%d fields of a value, not 3", len(f))
	}
	p := numbers{line: s}
	r.ValueSeq = uint32(p.unsigned(f[0]))
	size := p.dec(f[1])
	if p.err != nil {
		return p.err
	}
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(f[2]), " ", ""))
	if err != nil || int64(len(b)) != size {
		return fmt.Errorf("value of %d bytes in %q", size, printable(f[2]))
	}
	r.Value = b
	return nil
}

func (r *Resource) parseLock(s string) error {
	const fields = 16
	f := strings.Fields(s)
	if len(f) != fields {
		return fmt.Errorf("%d fields of a lock, not %d", len(f), fields)
	}
	p := numbers{line: s}
	r.Locks = append(r.Locks, ResourceLock{
		ID: uint32(p.hex(f[0], 32)), Node: int(p.dec(f[1])), RemoteID: uint32(p.hex(f[2], 32)), Thread: int(p.dec(f[3])),
		XID: p.unsigned(f[4]), Flags: Flags(p.hex(f[5], 32)), Internal: uint32(p.hex(f[6], 32)),
		Queue: Queue(p.dec(f[7])), Held: Mode(p.dec(f[8])), Wanted: Mode(p.dec(f[9])), Blocked: Mode(p.dec(f[10])),
		Lookup: p.dec(f[11]) != 0, WaitType: int(p.dec(f[12])),
		Since: time.Duration(p.dec(f[14])), BlockedSince: time.Duration(p.dec(f[15])),
	})
	p.unsigned(f[13]) // lkb_lvbseq
	return p.err
}

// UnusedResource is a resource that nobody holds a lock on; the kernel keeps it for a
// while.
type UnusedResource struct {
	Name      string
	Node      int // as in Resource.Master
	Master    int // its master's node
	Directory int // the node whose directory has it
	Own       int // this node
}

// Unused returns the resources that are kept unused, from the file NAME_toss.
func (d Debug) Unused(space string) ([]UnusedResource, error) {
	text, err := d.read(space, "_toss")
	if err != nil {
		return nil, err
	}
	return ParseUnused(text)
}

// ParseUnused reads the text of a file NAME_toss (print_format4).
func ParseUnused(text string) ([]UnusedResource, error) {
	var all []UnusedResource
	for n, line := range lines(text) {
		rest, is := strings.CutPrefix(line, "rsb ")
		if !is || strings.HasPrefix(rest, "ptr ") {
			continue // a header, by the kernel's age
		}
		// pointer nodeid master directory own tosstime flags length kind name
		f := strings.SplitN(rest, " ", 10)
		if len(f) != 10 {
			return nil, fmt.Errorf("%w: unused resources, line %d: %d fields, not 10", ErrMalformed, n, len(f))
		}
		p := numbers{line: rest}
		u := UnusedResource{Node: int(p.dec(f[1])), Master: int(p.dec(f[2])), Directory: int(p.dec(f[3])), Own: int(p.dec(f[4]))}
		size := int(p.dec(f[7]))
		name, err := resourceName(f[8], f[9])
		if err == nil && p.err == nil && len(name) != size {
			err = fmt.Errorf("name of %d bytes, not %d", len(name), size)
		}
		if err := errors.Join(p.err, err); err != nil {
			return nil, fmt.Errorf("%w: unused resources, line %d: %w", ErrMalformed, n, err)
		}
		u.Name = name
		all = append(all, u)
	}
	return all, nil
}
