package md

import (
	"context"

	"github.com/mdkit/mdkit/sysfs"
)

// WatchSyncCompleted waits for changes of how far the action has come
// (sync_completed): the kernel announces every sixteenth of it (md.c
// md_do_sync).
func (a *Array) WatchSyncCompleted() (*sysfs.Watcher, error) {
	w, _, err := sysfs.Watch(a.dir.Path(attrSyncCompleted.name))
	return w, explain(attrSyncCompleted.name, err)
}

// WaitState waits until the array's state is one for which accept says yes, and
// returns it; or until ctx ends.
func (a *Array) WaitState(ctx context.Context, accept func(State) bool) (State, error) {
	return waitFor(ctx, a.dir, attrState, accept)
}

// WaitSyncAction waits until what the array does is something for which accept
// says yes, and returns it; or until ctx ends.
func (a *Array) WaitSyncAction(ctx context.Context, accept func(SyncAction) bool) (SyncAction, error) {
	return waitFor(ctx, a.dir, attrSyncAction, accept)
}

// WaitState waits until the member's flags are some for which accept says yes,
// and returns them; or until ctx ends.
func (m *Member) WaitState(ctx context.Context, accept func(MemberState) bool) (MemberState, error) {
	return waitFor(ctx, m.dir, attrMemberState, accept)
}

func waitFor[T any](ctx context.Context, d sysfs.Dir, at attr[T], accept func(T) bool) (T, error) {
	var zero T
	path := d.Path(at.name)
	w, text, err := sysfs.Watch(path)
	if err != nil {
		return zero, err
	}
	defer w.Close()
	for {
		v, err := at.parse(text)
		if err != nil {
			return zero, parseFailed(path, text, err)
		}
		if accept(v) {
			return v, nil
		}
		if text, err = w.Wait(ctx); err != nil {
			return zero, err
		}
	}
}

// WatchMdstat waits for changes of /proc/mdstat: arrays coming and going,
// members failing, actions beginning and ending. It returns the present text
// as well, for [ParseMdstat].
func WatchMdstat(fs sysfs.FS) (*sysfs.Watcher, string, error) {
	return sysfs.WatchProc(fs.Proc("mdstat"))
}
