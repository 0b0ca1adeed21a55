package watch

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// waiter wakes when the kernel announces that something about arrays has changed
// since the look began: through sync_completed of each array for the progress of
// rebuilds, through /proc/mdstat for everything else.
type waiter struct {
	watchers []*sysfs.Watcher
}

// begin starts a new look. It returns the text of mdstat: any change after it was
// read ends the next sleep.
func (w *waiter) begin(fs sysfs.FS) (mdstat string, err error) {
	w.close()
	watcher, text, err := sysmd.WatchMdstat(fs)
	if err != nil {
		return "", err
	}
	w.watchers = append(w.watchers, watcher)
	return text, nil
}

// progress makes the progress of an array end the next sleep. Arrays without any are
// ignored.
func (w *waiter) progress(a *sysmd.Array) {
	if watcher, err := a.WatchSyncCompleted(); err == nil {
		w.watchers = append(w.watchers, watcher)
	}
}

func (w *waiter) close() {
	for _, watcher := range w.watchers {
		watcher.Close()
	}
	w.watchers = nil
}

// sleep waits for a change, but not longer than limit. After a change it lets
// udev finish the names of new devices.
func (w *waiter) sleep(ctx context.Context, limit time.Duration) error {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := sysfs.WaitAny(short, w.watchers...)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	case err != nil:
		return err
	}
	return udevIdle(ctx)
}

// udevQueue exists as long as udevd has events to process (udev/udev-manager.c), and
// never if there is no udevd.
const udevQueue = "/run/udev/queue"

// udevPatience is how long udevd may take: mdadm's figure.
const udevPatience = 30 * time.Second

func udevIdle(ctx context.Context) error {
	for deadline := time.Now().Add(udevPatience); time.Now().Before(deadline); {
		if _, err := os.Stat(udevQueue); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}
