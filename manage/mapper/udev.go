package mapper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mdkit/mdkit/sysfs"
)

// UdevFlags tells udev's rules what not to do. They are passed in the upper half of the
// cookie (libdevmapper.h DM_UDEV_*).
type UdevFlags uint16

// Bits of [UdevFlags]; 0x100 to 0x8000 are for subsystems.
const (
	UdevNoDMRules        UdevFlags = 1 << 0 // make no node
	UdevNoSubsystemRules UdevFlags = 1 << 1 // no rules of LVM and the like
	UdevNoDiskRules      UdevFlags = 1 << 2 // nothing below /dev/disk
	UdevNoOtherRules     UdevFlags = 1 << 3 // no rules that come later
	UdevLowPriority      UdevFlags = 1 << 4 // let links of other devices take precedence
	UdevNoFallback       UdevFlags = 1 << 5 // only udev makes nodes
	UdevPrimary          UdevFlags = 1 << 6 // the uevent is caused by a change, not by another uevent
)

// UdevSync is a way to work with udev: it announces the uevents that commands cause, and
// waits until udev has processed them.
type UdevSync interface {
	// Begin opens a round of commands, which must be closed.
	Begin() (UdevRound, error)
}

// UdevRound is a set of commands whose uevents are waited for together.
type UdevRound interface {
	// Announce expects one more uevent, and returns the cookie for its command.
	Announce(flags UdevFlags) (cookie uint32, err error)
	// Retract expects one uevent less: the command failed, or caused none.
	Retract() error
	// Wait waits for udev to answer all uevents, and closes the round. It fails with a
	// *UdevTimeout if udev does not answer.
	Wait(ctx context.Context) error
	// Close closes a round that is not waited for. After Wait it does nothing.
	Close() error
}

// NoUdev works without udev: uevents are sent, but not waited for.
type NoUdev struct {
	Silent bool // tell udev's rules, in case udev runs, to ignore the devices
}

// Begin opens a round without waits.
func (n NoUdev) Begin() (UdevRound, error) { return noRound{n.Silent}, nil }

type noRound struct{ silent bool }

// Announce implements [UdevRound.Announce].
func (r noRound) Announce(flags UdevFlags) (uint32, error) {
	if r.silent {
		flags |= UdevNoDMRules | UdevNoSubsystemRules | UdevNoDiskRules | UdevNoOtherRules
	}
	return uint32(flags|UdevPrimary) << 16, nil
}

// Retract implements [UdevRound.Retract].
func (noRound) Retract() error { return nil }

// Wait implements [UdevRound.Wait].
func (noRound) Wait(context.Context) error { return nil }

// Close implements [UdevRound.Close].
func (noRound) Close() error { return nil }

// UdevRunning reports whether udev is running and can be waited for, as libudev finds
// out: by its control socket below /run.
func UdevRunning() bool {
	_, err := os.Lstat("/run/udev/control")
	return err == nil
}

// DefaultUdev returns Semaphores if udev is running and the kernel has semaphores;
// otherwise NoUdev.
func DefaultUdev() UdevSync {
	if UdevRunning() && semaphoresWork() {
		return Semaphores{}
	}
	return NoUdev{}
}

// UdevTimeout is the error of a wait for udev that was given up. The semaphore has been
// removed.
type UdevTimeout struct {
	Cookie uint32
	Left   int           // number of unanswered uevents
	After  time.Duration // how long the wait lasted
	Why    string        // what seems to be the reason
}

// ErrUdevTimeout matches any [*UdevTimeout].
var ErrUdevTimeout = errors.New("udev did not answer")

// Error returns a single line.
func (e *UdevTimeout) Error() string {
	s := fmt.Sprintf("%v for %d uevent(s) of cookie %#08x within %v", ErrUdevTimeout, e.Left, e.Cookie, e.After.Round(time.Millisecond))
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

// Is reports whether target is [ErrUdevTimeout].
func (e *UdevTimeout) Is(target error) bool { return target == ErrUdevTimeout }

// ruleFolders are where udev looks for rules (udev(7)).
var ruleFolders = []string{"etc/udev/rules.d", "run/udev/rules.d", "usr/local/lib/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d"}

// diagnose says why udev does not answer, by looking at the system below root.
func diagnose(root sysfs.FS) string {
	at := func(elem ...string) string { return filepath.Join(append([]string{string(root)}, elem...)...) }
	if _, err := os.Lstat(at("run/udev/control")); errors.Is(err, fs.ErrNotExist) {
		return "udev is not listening: /run/udev/control is not there, so no daemon runs here"
	}
	if own, err := os.Readlink(root.Proc("self", "ns", "ipc")); err == nil {
		if first, err := os.Readlink(root.Proc("1", "ns", "ipc")); err == nil && own != first {
			return "this process has an IPC namespace of its own, so udev cannot see its semaphores"
		}
	}
	if !udevProcess(root) {
		return "udev is not listening: its control socket is there and no process of that name runs"
	}
	rule := false
	for _, dir := range ruleFolders {
		if _, err := os.Stat(at(dir, "95-dm-notify.rules")); err == nil {
			rule = true
		}
	}
	if !rule {
		return "the rule that answers is missing: 95-dm-notify.rules is in none of udev's folders"
	}
	return "udev runs and has the rule; its queue may be stuck on another event, see `udevadm settle` and its log"
}

// udevProcess reports whether the daemon is among the processes.
func udevProcess(root sysfs.FS) bool {
	names, err := sysfs.Dir(root.Proc()).List()
	if err != nil {
		return true // it is not known
	}
	for _, pid := range names {
		if pid[0] < '0' || pid[0] > '9' {
			continue
		}
		comm, err := sysfs.ReadProc(root.Proc(pid, "comm"))
		if err == nil && strings.Contains(comm, "udev") {
			return true
		}
	}
	return false
}
