package watch

import (
	"context"
	"strings"
	"time"

	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// syncLook is the longest time between two looks of AwaitSync: mdadm's figure for
// what the kernel does not announce, shortened to show progress.
const syncLook = time.Second

// frozenPatience is how long an array may be frozen before it counts as idle: mdadm
// looks three times, five seconds apart.
const frozenPatience = 15 * time.Second

// AwaitSync waits until no resync, recovery, reshape or check is running or pending
// on the array that the kernel calls kernel (mdadm 4.2, Monitor.c Wait). It reports
// whether there was anything to wait for, and at every change passes what mdstat
// says to progress, which may be nil. If there is no such array, there is nothing to
// wait for.
func AwaitSync(ctx context.Context, fs sysfs.FS, kernel string, progress func(sysmd.MdstatSync)) (waited bool, err error) {
	var w waiter
	defer w.close()
	var frozen time.Time
	for {
		text, err := w.begin(fs)
		if err != nil {
			return waited, err
		}
		stat, err := sysmd.ParseMdstat(strings.NewReader(text))
		if err != nil {
			return waited, err
		}
		a := stat.Array(kernel)
		if a == nil || a.Sync == nil && quietSince(fs, kernel, &frozen) {
			return waited, nil
		}
		waited = true
		if a.Sync != nil && progress != nil {
			progress(*a.Sync)
		}
		if attrs, err := sysmd.Open(fs, kernel); err == nil {
			w.progress(attrs)
		}
		if err := w.sleep(ctx, syncLook); err != nil {
			return waited, err
		}
	}
}

// quietSince reports whether the array is not even about to begin anything, which
// only sync_action shows.
func quietSince(fs sysfs.FS, kernel string, frozen *time.Time) bool {
	a, err := sysmd.Open(fs, kernel)
	if err != nil {
		return true
	}
	action, err := a.SyncAction()
	if err != nil || action == sysmd.Idle {
		return true
	}
	if action != sysmd.Frozen {
		return false
	}
	if frozen.IsZero() {
		*frozen = time.Now()
	}
	return time.Since(*frozen) >= frozenPatience
}
