package clustered

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/sysfs"
)

// ErrLocked marks a lock that another node has kept until the context ended.
var ErrLocked = errors.New("another node is changing arrays of this cluster")

// LockError says why the cluster's lock was not to be had.
type LockError struct {
	Cluster  string
	Resource string // the lock's name
	Holders  string // who has it, as far as this node can see; empty if that was not the question
	Err      error  // the cause, of class [ErrLocked] or one of package dlm's
}

// Error returns one line that names the lock and its holder.
func (e *LockError) Error() string {
	s := fmt.Sprintf("lock %s of cluster %s: %v", e.Resource, e.Cluster, e.Err)
	if e.Holders != "" {
		s += "; it is held by " + e.Holders
	}
	return s
}

// Unwrap returns the cause.
func (e *LockError) Unwrap() error { return e.Err }

// Lock is the lock that one program in a cluster holds while it changes arrays that the
// cluster shares. mdadm takes the same one (util.c, cluster_get_dlmlock), so that the two
// wait for each other.
type Lock struct {
	cluster string
	ctl     *dlm.Control
	space   *dlm.Space
	lock    *dlm.Lock
}

// resource is the lock's name. mdadm builds it in 64 bytes, the last of which is a zero.
func resource(cluster string) string {
	name := "bitmap" + cluster
	return name[:min(len(name), dlm.MaxName-1)]
}

// Acquire joins the lockspace that has the cluster's name, takes the lock, and waits for
// it until the context ends. Where mdadm asks again every ten seconds, this stands in the
// queue.
func Acquire(ctx context.Context, fs sysfs.FS, cluster string) (*Lock, error) {
	l := &Lock{cluster: cluster}
	fail := func(err error, holders string) (*Lock, error) {
		return nil, &LockError{Cluster: cluster, Resource: resource(cluster), Holders: holders, Err: err}
	}
	ours, err := dlm.NewConfig(fs).ClusterName()
	switch {
	case err != nil:
		return fail(err, "")
	case ours == "":
		return fail(dlm.ErrNoController, "")
	case ours != cluster:
		return fail(fmt.Errorf("%w: this node is in cluster %q", dlm.ErrClusterName, ours), "")
	}
	if l.ctl, err = dlm.OpenControl(fs); err != nil {
		return fail(err, "")
	}
	// The kernel counts how often a lockspace has been created, and removes it when it
	// has been removed as often: it does not matter who else uses it.
	if _, err := l.ctl.Create(ctx, cluster, false); err != nil {
		return fail(errors.Join(err, l.ctl.Close()), "")
	}
	if l.space, err = dlm.Open(fs, cluster); err != nil {
		return fail(errors.Join(err, l.leave(ctx)), "")
	}
	who, err := l.take(ctx, fs)
	if err != nil {
		return fail(errors.Join(err, l.leave(ctx)), who)
	}
	return l, nil
}

// take waits for the lock. If the context ends before, it returns who holds the lock,
// which is seen only as long as this node stands in the queue.
func (l *Lock) take(ctx context.Context, fs sysfs.FS) (who string, err error) {
	waiting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	seen := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(seen)
		who = holders(fs, l.cluster)
		cancel(context.Cause(ctx))
	})
	l.lock, err = l.space.Lock(waiting, resource(l.cluster), dlm.PW)
	if !stop() {
		<-seen
	}
	if errors.Is(err, dlm.ErrCancelled) {
		return who, fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return "", err
}

// leavePatience bounds the wait for the controller to answer a leave, which goes on even
// when the context that the lock was taken in has ended.
const leavePatience = 30 * time.Second

// Release gives the lock and the lockspace up.
func (l *Lock) Release(ctx context.Context) error {
	err := l.lock.Unlock(ctx)
	if err = errors.Join(err, l.leave(ctx)); err != nil {
		return &LockError{Cluster: l.cluster, Resource: resource(l.cluster), Err: err}
	}
	return nil
}

// leave closes what is open and takes this user of the lockspace out of its count. A
// lockspace that others still have locks in stays.
func (l *Lock) leave(ctx context.Context) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), leavePatience)
	defer stop()
	var err error
	if l.space != nil {
		err = l.space.Close()
	}
	if rerr := l.ctl.Remove(ctx, l.cluster, false); !errors.Is(rerr, dlm.ErrBusy) {
		err = errors.Join(err, rerr)
	}
	return errors.Join(err, l.ctl.Close())
}

// holders says who holds the lock, as far as the kernel shows it.
func holders(fs sysfs.FS, cluster string) string {
	locks, err := dlm.NewDebug(fs).Locks(cluster)
	if err != nil {
		return oneOf(append(others(fs, cluster), "another program on this node"), "which one is not visible here")
	}
	var who []string
	for _, k := range locks {
		if k.Resource != resource(cluster) || k.Queue == dlm.Waiting {
			continue
		}
		switch {
		case k.Copy():
			who = append(who, fmt.Sprintf("node %d", k.Node))
		case k.Held > dlm.NL:
			who = append(who, fmt.Sprintf("thread %d of this node", k.Thread))
		}
	}
	if len(who) == 0 {
		return oneOf(others(fs, cluster), "its master, node "+master(locks, cluster)+", knows which one")
	}
	return strings.Join(who, ", ")
}

// others names the other nodes that are in the lockspace.
func others(fs sysfs.FS, cluster string) []string {
	config := dlm.NewConfig(fs)
	nodes, _ := config.Members(cluster)
	comms, _ := config.Comms()
	var names []string
	for _, m := range nodes {
		if !slices.ContainsFunc(comms, func(c dlm.Comm) bool { return c.Local && c.Node == m.Node }) {
			names = append(names, fmt.Sprintf("node %d", m.Node))
		}
	}
	return names
}

// oneOf names all that may hold a lock; why it is not known which matters only if there
// are several.
func oneOf(names []string, why string) string {
	switch len(names) {
	case 0:
		return "a node of the cluster (" + why + ")"
	case 1:
		return names[0]
	}
	return "one of " + strings.Join(names, ", ") + " (" + why + ")"
}

func master(locks []dlm.LockInfo, cluster string) string {
	for _, k := range locks {
		if k.Resource == resource(cluster) && k.Master > 0 {
			return fmt.Sprint(k.Master)
		}
	}
	return "unknown"
}
