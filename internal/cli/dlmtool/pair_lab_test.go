package dlmtool

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
	"github.com/mdkit/mdkit/manage/array/clustered"
	"github.com/mdkit/mdkit/sysfs"
)

// TestTwinsOfLocksOfTwo has one node hold the lock that arrays of a cluster are changed
// under, and the other wait for it: the refusal names the holder, and on both nodes the
// dumps are read as the original reads them.
func TestTwinsOfLocksOfTwo(t *testing.T) {
	if !lab.InGuest() && !lab.Soak() {
		t.Skip("two machines under emulation: MDKIT_SOAK=1 runs them")
	}
	set := lab.Cases(t, lab.Case{Name: "holder", Run: holder}, lab.Case{Name: "waiter", Run: waiter})
	sw := lab.NewSwitch(t)
	start := func(node int, name string) *lab.Machine {
		return set.Start(t, lab.Spec{
			Backend: "qemu", Modules: []string{"dlm"}, Files: corosync.Files(t, 2), Memory: 1 << 30,
			NICs: []*lab.Port{sw.Port(corosync.Address(node))},
		}, name)
	}
	a, b := start(1, "holder"), start(2, "waiter")
	for _, what := range []struct {
		from, to *lab.Machine
		name     string
	}{{a, b, "a up"}, {b, a, "b up"}, {a, b, "held"}, {b, a, "waits"}, {a, b, "seen"}, {b, a, "had"}} {
		what.to.Tell(what.name, what.from.Await(what.name))
	}
	a.Wait()
	b.Wait()
}

// dumpLines are the commands that read the kernel's dumps of the lockspace.
var dumpLines = []string{
	"lockdebug " + corosync.Cluster, "lockdebug -vsw " + corosync.Cluster, "lockdump " + corosync.Cluster, "lockdump -M " + corosync.Cluster,
}

// inTwo starts this node of the cluster, and waits for the other.
func inTwo(t *testing.T, g *lab.Guest, own, other string) {
	t.Helper()
	if err := os.MkdirAll("/sys/kernel/debug", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("debugfs", "/sys/kernel/debug", "debugfs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		t.Fatal(err)
	}
	corosync.Start(t)
	g.Publish(own+" up", nil)
	g.Await(other + " up")
}

// waiting reports whether a lock of the lockspace waits.
func waiting(t *testing.T) bool {
	t.Helper()
	locks, err := dlm.NewDebug(sysfs.Host).Locks(corosync.Cluster)
	if err != nil && !errors.Is(err, dlm.ErrNoLockspace) { // not joined yet
		t.Fatal(err)
	}
	for _, k := range locks {
		if k.Queue == dlm.Waiting {
			return true
		}
	}
	return false
}

func holder(t *testing.T, g *lab.Guest) {
	inTwo(t, g, "a", "b")
	l, err := clustered.Acquire(t.Context(), sysfs.Host, corosync.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	g.Publish("held", nil)
	g.Await("waits")
	if !waiting(t) {
		t.Error("nobody waits, as this node sees it")
	}
	tell(t, dumpLines)
	if o := ours(t, "lockdump", corosync.Cluster); !strings.Contains(o.out, "bitmap"+corosync.Cluster) {
		t.Errorf("the lock is not shown: %v", o)
	}
	g.Publish("seen", nil)
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
	g.Await("had")
}

func waiter(t *testing.T, g *lab.Guest) {
	inTwo(t, g, "b", "a")
	g.Await("held")
	brief, stop := context.WithTimeout(t.Context(), 3*time.Second) // it is not granted, however long one waits
	defer stop()
	_, err := clustered.Acquire(brief, sysfs.Host, corosync.Cluster)
	var refused *clustered.LockError
	if !errors.Is(err, clustered.ErrLocked) || !errors.As(err, &refused) || !strings.Contains(refused.Holders, "node 1") {
		t.Errorf("refused: %v", err)
	}
	t.Log(err)

	type had struct {
		lock *clustered.Lock
		err  error
	}
	got := make(chan had, 1)
	go func() {
		l, err := clustered.Acquire(t.Context(), sysfs.Host, corosync.Cluster)
		got <- had{l, err}
	}()
	lab.Until(t, "the lock to wait", func() bool { return waiting(t) })
	tell(t, dumpLines)
	g.Publish("waits", nil)
	g.Await("seen")
	h := lab.Receive(t, "the lock", got)
	if h.err != nil {
		t.Fatal(h.err)
	}
	if err := h.lock.Release(t.Context()); err != nil {
		t.Error(err)
	}
	g.Publish("had", nil)
}
