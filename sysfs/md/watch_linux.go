package md

import (
	"context"

	"github.com/mdkit/mdkit/sysfs"
)

// WatchSyncCompleted waits for the progress of the action to change
// (sync_completed): the kernel announces every sixteenth of it (md.c
// md_do_sync).
func (a *Array) WatchSyncCompleted() (*sysfs.Watcher, error) {
	w, _, err := sysfs.Watch(a.dir.Path(attrSyncCompleted.name))
	return w, explain(attrSyncCompleted.name, err)
}

// WaitState waits until accept returns true for the array's state and returns
// that state, or until ctx ends.
func (a *Array) WaitState(ctx context.Context, accept func(State) bool) (State, error) {
	return waitFor(ctx, a.dir, attrState, accept)
}

// WaitSyncAction waits until accept returns true for the array's sync action
// and returns that action, or until ctx ends.
func (a *Array) WaitSyncAction(ctx context.Context, accept func(SyncAction) bool) (SyncAction, error) {
	return waitFor(ctx, a.dir, attrSyncAction, accept)
}

// WaitState waits until accept returns true for the member's flags and returns
// those flags, or until ctx ends.
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

// WatchMdstat waits for changes of /proc/mdstat: arrays appearing and
// disappearing, members failing, actions starting and ending. It also returns
// the current text, for [ParseMdstat].
func WatchMdstat(fs sysfs.FS) (*sysfs.Watcher, string, error) {
	return sysfs.WatchProc(fs.Proc("mdstat"))
}
