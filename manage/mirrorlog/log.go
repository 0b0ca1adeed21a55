// Package mirrorlog keeps logs of mirrors in userspace, so that `mirror userspace
// ...` works: what cmirrord does, on one machine. A log tells which regions of a
// mirror are being written to, and which of them have the same data in all legs.
//
// [Log] is the log itself, a state machine; [Server] answers the kernel's requests
// about any number of them.
package mirrorlog

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm/userlog"
)

// Sync says what is known about a mirror's legs when its log is made.
type Sync int

// Values of [Sync].
const (
	SyncUnknown Sync = iota // what the log's device says; without a device nothing is in sync
	SyncNever               // "sync": nothing is in sync, whatever the device says
	SyncAlways              // "nosync": all is in sync, whatever the device says
)

// Args are the arguments of a log, as the kernel hands them over.
type Args struct {
	Sectors uint64 // length of the mirror, in sectors of 512 bytes
	Device  string // where the log is kept; empty for clustered-core
	Region  uint64 // sectors of 512 bytes, a power of two
	Sync    Sync
}

// ErrArgs marks arguments that are not those of a log.
var ErrArgs = errors.New("not the arguments of a mirror log")

// ParseArgs reads
//
//	<sectors> clustered-core [<count>] <region> [sync|nosync]
//	<sectors> clustered-disk [<count>] <device> <region> [sync|nosync]
//
// where the count is the number of arguments after it, and may be left out.
func ParseArgs(text string) (Args, error) {
	fail := func(why string) (Args, error) { return Args{}, fmt.Errorf("%q: %w: %s", text, ErrArgs, why) }
	w := strings.Fields(text)
	if len(w) < 3 {
		return fail("too few")
	}
	var a Args
	var err error
	if a.Sectors, err = strconv.ParseUint(w[0], 10, 64); err != nil || a.Sectors == 0 {
		return fail("no length")
	}
	kind, rest := w[1], w[2:]
	if n, err := strconv.Atoi(rest[0]); err == nil && n > 0 && n == len(rest)-1 && (kind == "clustered-disk" || isNumber(rest[1])) {
		rest = rest[1:]
	}
	switch kind {
	case "clustered-disk":
		a.Device, rest = rest[0], rest[1:]
	case "clustered-core":
	default:
		return fail("the kind is " + kind)
	}
	if len(rest) == 0 || len(rest) > 2 {
		return fail("the number of arguments")
	}
	a.Region, err = strconv.ParseUint(rest[0], 10, 31)
	if err != nil || bits.OnesCount64(a.Region) != 1 || a.Region < 2 || a.Region > a.Sectors {
		return fail("the region size must be a power of two, at least 2 sectors and at most the mirror")
	}
	if a.regions() > maxRegions {
		return fail("more regions than a log can have: " + strconv.FormatUint(maxRegions, 10))
	}
	if len(rest) == 2 {
		switch rest[1] {
		case "sync":
			a.Sync = SyncNever
		case "nosync":
			a.Sync = SyncAlways
		default:
			return fail("neither sync nor nosync")
		}
	}
	return a, nil
}

// maxRegions bounds the memory for the marks of a log: three bits for each region. It
// allows a mirror of 512 TiB with regions of 512 KiB.
const maxRegions = 1 << 30

// regions is how many regions the mirror has; the last may be a part of one.
func (a Args) regions() uint64 { return (a.Sectors-1)/a.Region + 1 }

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// Log is one log. It may be used by one goroutine at a time.
type Log struct {
	args  Args
	n     uint64 // regions
	clean bitmap // no write is in progress
	sync  bitmap // all legs are the same
	busy  bitmap // being recovered
	next  uint64 // where the search for work continues
	store *store // nil for clustered-core
	dirty bool   // clean has changed since it was written
	// resumed says that the log on the device has been read, and may be
	// overwritten.
	resumed bool
}

// New makes a log. disk is its device, which a clustered-disk log must have. The owner
// is recorded on it, so that a server that takes over a log while its mirror is in use
// recognizes it; the zero value stands for no owner.
func New(a Args, disk Disk, owner Owner) (*Log, error) {
	n := a.regions()
	l := &Log{args: a, n: n}
	if a.Device != "" {
		// This comes before the marks: there may be no room for them.
		var err error
		if l.store, err = openStore(disk, n, owner); err != nil {
			return nil, err
		}
	}
	l.clean, l.sync, l.busy = newBitmap(n), newBitmap(n), newBitmap(n)
	if l.store == nil {
		l.clean.fill()
		if a.Sync == SyncAlways {
			l.sync.fill()
		}
	}
	return l, nil
}

// disown removes the owner from the log, as it is about to go: the kernel may give its
// number to another log.
func (l *Log) disown() error {
	if l.store == nil || l.store.owner.LUID == 0 {
		return nil
	}
	l.store.owner = Owner{}
	if !l.resumed {
		return nil
	}
	return l.store.write(l.clean)
}

// Close closes the device.
func (l *Log) Close() error {
	if l.store == nil {
		return nil
	}
	return l.store.disk.Close()
}

// resume reads the log before it is used (dm-log.c disk_resume, core_resume). After a
// restart of the program that keeps the logs, the kernel repeats the arguments from
// the table of a log that it has been using (dm-log-userspace-base.c
// userspace_do_request): "nosync" was true of the legs when the mirror was made, but
// now what the log says counts.
func (l *Log) resume() error {
	l.next = 0
	l.busy = newBitmap(l.n)
	if l.store == nil {
		return nil
	}
	known := uint64(0)
	if l.args.Sync != SyncNever {
		var err error
		if known, err = l.store.read(l.clean); err != nil {
			return err
		}
		if l.args.Sync == SyncAlways && !l.store.ours() {
			known = 0
		}
	}
	for r := known; r < l.n; r++ { // the mirror has been extended, or the log is new
		l.clean.set(r, l.args.Sync == SyncAlways)
	}
	l.sync = l.clean.clone()
	// The argument about the legs is about this moment. When the log is started
	// again, it knows what has happened since.
	l.args.Sync = SyncUnknown
	l.resumed = true
	return l.store.write(l.clean)
}

// Handle answers a request.
func (l *Log) Handle(req *userlog.Request) userlog.Reply {
	regions := req.Regions()
	switch req.Type {
	case userlog.Flush, userlog.MarkRegion, userlog.ClearRegion: // any number of regions
	case userlog.IsClean, userlog.InSync, userlog.SetRegionSync, userlog.IsRemoteRecovering:
		if len(regions) == 0 {
			return userlog.Reply{Errno: int(unix.EINVAL)}
		}
		regions = regions[:1]
	default:
		regions = nil
	}
	for _, r := range regions {
		if r >= l.n {
			return userlog.Reply{Errno: int(unix.EINVAL)}
		}
	}
	return l.answer(req, regions)
}

func (l *Log) answer(req *userlog.Request, regions []uint64) userlog.Reply {
	switch req.Type {
	case userlog.PreSuspend, userlog.PostSuspend:
		return result(l.flush())
	case userlog.Resume:
		return result(l.resume())
	case userlog.GetRegionSize:
		return userlog.Numbers(l.args.Region)
	case userlog.IsClean:
		return truth(l.clean.get(regions[0]))
	case userlog.InSync:
		return truth(l.sync.get(regions[0]))
	case userlog.Flush:
		l.mark(regions, false)
		return result(l.flush())
	case userlog.MarkRegion:
		l.mark(regions, false)
		return userlog.Reply{}
	case userlog.ClearRegion:
		l.mark(regions, true)
		return userlog.Reply{}
	case userlog.GetResyncWork:
		r, ok := l.work()
		return numbers(ok, r)
	case userlog.SetRegionSync:
		if len(req.Data) < 16 {
			return userlog.Reply{Errno: int(unix.EINVAL)}
		}
		l.busy.set(regions[0], false)
		l.sync.set(regions[0], req.Regions()[1] != 0)
		return userlog.Reply{}
	case userlog.GetSyncCount:
		return userlog.Numbers(l.sync.countTo(l.n))
	case userlog.StatusInfo:
		return userlog.Text(l.info())
	case userlog.IsRemoteRecovering: // there are no other machines
		return numbers(false, l.sync.firstZero(0, l.n))
	}
	return userlog.Reply{Errno: int(unix.EOPNOTSUPP)}
}

func result(err error) userlog.Reply {
	var no unix.Errno
	switch {
	case err == nil:
		return userlog.Reply{}
	case errors.As(err, &no):
		return userlog.Reply{Errno: int(no)}
	}
	return userlog.Reply{Errno: int(unix.EIO)}
}

func truth(b bool) userlog.Reply {
	if b {
		return userlog.Numbers(1)
	}
	return userlog.Numbers(0)
}

func numbers(b bool, n uint64) userlog.Reply {
	if b {
		return userlog.Numbers(1, n)
	}
	return userlog.Numbers(0, n)
}

func (l *Log) mark(regions []uint64, clean bool) {
	for _, r := range regions {
		if l.clean.get(r) != clean {
			l.clean.set(r, clean)
			l.dirty = true
		}
	}
}

// flush makes the marks durable.
func (l *Log) flush() error {
	if l.store == nil || !l.dirty {
		return nil
	}
	if err := l.store.write(l.clean); err != nil {
		return err
	}
	l.dirty = false
	return nil
}

// work finds a region that is out of sync and not being recovered (dm-log.c
// core_get_resync_work).
func (l *Log) work() (uint64, bool) {
	for {
		r := l.sync.firstZero(l.next, l.n)
		if r >= l.n {
			return 0, false
		}
		l.next = r + 1
		if !l.busy.get(r) {
			l.busy.set(r, true)
			return r, true
		}
	}
}

// info is the log's part of `dmsetup status`, as cmirrord gives it.
func (l *Log) info() string {
	if l.store == nil {
		return "1 clustered-core"
	}
	health := "A"
	if l.store.failed {
		health = "D"
	}
	return "3 clustered-disk " + l.store.disk.Number() + " " + health
}
