package dlmtool

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/mdkit/mdkit/dlm"
)

// spaceResult is a lockspace that was joined or left, for documents.
type spaceResult struct {
	Name   string `json:"name"`
	Joined bool   `json:"joined"`
	Left   bool   `json:"left"`
}

// join makes this node join a lockspace, which stays when the program ends.
func (t *tool) join(ctx context.Context) (any, error) {
	r := spaceResult{Name: t.name}
	var flags dlm.SpaceFlags
	var words string
	if t.excl {
		flags, words = flags|dlm.Exclusive, words+"NEWEXCL "
	}
	if t.fs {
		flags, words = flags|dlm.FileSystem, words+"FS "
	}
	if words != "" {
		words = "flags " + words
	}
	t.say("Joining lockspace \"%s\" permission %o %s\n", t.name, uint32(t.mode), words)
	if err := t.create(ctx, flags); err != nil {
		t.warn("dlm_new_lockspace %s error %d\n", t.name, errno(err))
		return r, err
	}
	t.say("done\n")
	r.Joined = true
	return r, nil
}

// create makes the lockspace and gives its device the mode, all bits of it.
func (t *tool) create(ctx context.Context, flags dlm.SpaceFlags) error {
	ctl, err := dlm.OpenControl(t.sys)
	if err != nil {
		return err
	}
	defer ctl.Close()
	if _, err := ctl.CreateWith(ctx, t.name, flags); err != nil || t.mode == 0 {
		return err
	}
	mode := t.mode & os.ModePerm
	for bit, special := range map[os.FileMode]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if t.mode&bit != 0 {
			mode |= special
		}
	}
	return ctl.SetPermissions(t.name, mode)
}

// leave takes one user from a lockspace, be there locks in it or not.
func (t *tool) leave(ctx context.Context) (any, error) {
	r := spaceResult{Name: t.name}
	t.say("Leaving lockspace \"%s\"\n", t.name)
	if err := t.remove(ctx); err != nil {
		if opening(err) {
			t.warn("dlm_open_lockspace %s error (nil) %d\n", t.name, errno(err))
		}
		return r, err
	}
	t.say("done\n")
	r.Left = true
	return r, nil
}

func (t *tool) remove(ctx context.Context) error {
	ctl, err := dlm.OpenControl(t.sys)
	if err != nil {
		return err
	}
	defer ctl.Close()
	return ctl.Remove(ctx, t.name, true)
}

// opening reports whether a lockspace was not even opened: the kernel was not asked.
func opening(err error) bool {
	return errors.Is(err, dlm.ErrNoLockspace) || errors.Is(err, dlm.ErrNoDLM) || errors.Is(err, dlm.ErrPermission)
}

// joinLeave joins a lockspace and leaves it.
func (t *tool) joinLeave(ctx context.Context) (any, error) {
	joined, err := t.join(ctx)
	if err != nil {
		return joined, err
	}
	left, err := t.leave(ctx)
	r := left.(spaceResult)
	r.Joined = true
	return r, err
}

// errno is the number that libdlm would have left. Where the kernel was not asked, that is
// what finding no node leaves, or 0 where /proc/misc has no DLM.
func errno(err error) int {
	var n syscall.Errno
	switch {
	case errors.As(err, &n):
		return int(n)
	case errors.Is(err, dlm.ErrNoLockspace):
		return int(syscall.ENOENT)
	case errors.Is(err, dlm.ErrInvalid):
		return int(syscall.EINVAL)
	}
	return 0
}
