package dlm_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
)

const clusterName = "lab"

// node is what a test's controller has to do with the kernel on one node.
type node struct {
	t      *testing.T
	ctx    context.Context
	id     int
	config dlm.Config
	events *dlm.Events
	ctl    *dlm.Control
}

// address is a node's on the lab's network.
func address(id int) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, byte(id)}) }

// bringUp makes a cluster of these nodes known to the kernel of node id.
func bringUp(t *testing.T, id int, all ...int) *node {
	t.Helper()
	// Not t.Context: what is brought up is taken down when that has ended.
	ctx, stop := context.WithTimeout(context.Background(), lab.Stretched(200*time.Second)) // so that a hang says where
	t.Cleanup(stop)
	n := &node{t: t, ctx: ctx, id: id, config: dlm.NewConfig(sysfs.Host)}
	var err error
	if n.events, err = dlm.ListenEvents(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.events.Close() })
	if present, err := n.config.Present(); present || err != nil {
		t.Fatalf("a cluster is there already: %v, %v", present, err)
	}
	n.must(n.config.Make())
	t.Cleanup(func() { n.must(n.config.Remove()) })
	n.must(n.config.Set(dlm.Protocol, 0))
	n.must(n.config.Set(dlm.RecoverCallbacks, 1))
	n.must(n.config.SetClusterName(clusterName))
	monitor, err := dlm.OpenMonitor(sysfs.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { monitor.Close() })
	for _, k := range all {
		n.must(n.config.AddComm(dlm.Comm{Node: k, Local: k == id, Addrs: []netip.Addr{address(k)}}))
	}
	if n.ctl, err = dlm.OpenControl(sysfs.Host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.ctl.Close() })
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// next waits for an event of that kind.
func (n *node) next(want dlm.Action, space string) {
	n.t.Helper()
	e, err := n.events.Next(n.ctx)
	if err != nil || e.Action != want || e.Space != space {
		n.t.Errorf("event %+v, %v; want %s of %s", e, err, want, space)
	}
}

// join makes a lockspace and serves the kernel's request to join it with these members.
func (n *node) join(space string, members ...int) {
	n.t.Helper()
	made := make(chan error, 1)
	go func() {
		_, err := n.ctl.Create(n.ctx, space, true)
		made <- err
	}()
	n.next(dlm.Added, space)
	n.next(dlm.Joining, space)
	ls := dlm.NewLockspace(sysfs.Host, space)
	n.must(ls.SetID(n.ctx, dlm.GlobalID(space)))
	for _, m := range members {
		n.must(n.config.AddMember(space, dlm.Member{Node: m}))
	}
	n.must(ls.Start(n.ctx))
	n.must(ls.Done(n.ctx, 0))
	n.must(lab.Receive(n.t, "the lockspace to be joined", made))
}

// leave removes a lockspace and serves the kernel's request to leave it.
func (n *node) leave(space string) {
	n.t.Helper()
	gone := make(chan error, 1)
	go func() { gone <- n.ctl.Remove(n.ctx, space, false) }()
	n.next(dlm.Leaving, space)
	ls := dlm.NewLockspace(sysfs.Host, space)
	n.must(ls.Stop(n.ctx))
	n.must(n.config.RemoveSpace(space))
	n.must(ls.Done(n.ctx, 0))
	n.next(dlm.Removed, space)
	n.must(lab.Receive(n.t, "the lockspace to be left", gone))
}

// TestNode is everything that one node can show.
func TestNode(t *testing.T) {
	spec := lab.Spec{Modules: []string{"dlm"}, NICs: []*lab.Port{lab.NewSwitch(t).Port("10.9.0.1/24")}}
	lab.Run(
		t, spec,
		lab.Case{Name: "no cluster", Run: labNoCluster},
		lab.Case{Name: "config", Run: labConfig},
		lab.Case{Name: "locks", Run: labLocks},
		lab.Case{Name: "value", Run: labValue},
		lab.Case{Name: "waiting", Run: labWaiting},
		lab.Case{Name: "stopped", Run: labStopped},
		lab.Case{Name: "orphans", Run: labOrphans},
		lab.Case{Name: "dumps", Run: labDumps},
	)
}

// is checks that an error belongs to a class and says so in one line.
func is(t *testing.T, err, class error) {
	t.Helper()
	t.Log(err)
	if !errors.Is(err, class) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v; want %v, in one line", err, class)
	}
}

func labNoCluster(t *testing.T, _ *lab.Guest) {
	ctx := lab.Patient(t)
	c, err := dlm.OpenControl(sysfs.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Create(ctx, "x", true)
	is(t, err, dlm.ErrNoController)
	is(t, c.Remove(ctx, "x", false), dlm.ErrNoLockspace)
	_, err = dlm.Open(sysfs.Host, "x")
	is(t, err, dlm.ErrNoLockspace)
	is(t, dlm.NewLockspace(sysfs.Host, "x").Stop(ctx), dlm.ErrNoLockspace)
	_, err = dlm.NewLockspace(sysfs.Host, "x").ID()
	is(t, err, dlm.ErrNoLockspace)
	if all, err := dlm.Lockspaces(sysfs.Host); len(all) != 0 || err != nil {
		t.Errorf("lockspaces %v, %v", all, err)
	}
	if name, err := dlm.NewConfig(sysfs.Host).ClusterName(); name != "" || err != nil {
		t.Errorf("cluster %q, %v", name, err)
	}
	if w, err := dlm.ListenWarnings(); err == nil { // no kernel of the lab has them
		over, stop := context.WithCancel(ctx)
		stop()
		_, err = w.Next(over)
		is(t, err, dlm.ErrStillWaiting)
		w.Close()
	} else {
		is(t, err, dlm.ErrUnsupported)
	}
	is(t, dlm.NewConfig(sysfs.Host).Set(dlm.LogDebug, 1), dlm.ErrUnsupported)
}

func labConfig(t *testing.T, _ *lab.Guest) {
	n := bringUp(t, 1, 1, 2)
	if name, err := n.config.ClusterName(); name != clusterName || err != nil {
		t.Errorf("cluster %q, %v", name, err)
	}
	is(t, n.config.SetClusterName("two\n"), dlm.ErrInvalid)
	comms, err := n.config.Comms()
	if err != nil || len(comms) != 2 || !comms[0].Local || comms[1].Local || comms[1].Node != 2 || !slices.Equal(comms[1].Addrs, []netip.Addr{address(2)}) {
		t.Errorf("nodes %+v, %v", comms, err)
	}
	settings, err := n.config.Settings()
	if err != nil || settings[dlm.TCPPort] != 21064 || settings[dlm.RecoverCallbacks] != 1 {
		t.Errorf("settings %v, %v", settings, err)
	}
	is(t, n.config.Set(dlm.BufferSize, 100), dlm.ErrInvalid)
	is(t, n.config.Set(dlm.Protocol, 7), dlm.ErrInvalid)
	is(t, n.config.AddComm(dlm.Comm{Node: 2, Addrs: []netip.Addr{address(2)}}), dlm.ErrExist)
	is(t, n.config.AddComm(dlm.Comm{Node: 0, Addrs: []netip.Addr{address(2)}}), dlm.ErrInvalid)
	is(t, n.config.AddComm(dlm.Comm{Node: 3}), dlm.ErrInvalid)
	is(t, n.config.AddMember("a", dlm.Member{Node: 3}), dlm.ErrNoSuchNode)
	is(t, n.config.AddMember("a/b", dlm.Member{Node: 1}), dlm.ErrInvalid)
	v6 := netip.MustParseAddr("fd00::3")
	n.must(n.config.AddComm(dlm.Comm{Node: 3, Mark: 5, Addrs: []netip.Addr{v6}}))
	comms, err = n.config.Comms()
	if err != nil || len(comms) != 3 || comms[2].Mark != 5 || !slices.Equal(comms[2].Addrs, []netip.Addr{v6}) {
		t.Errorf("nodes %+v, %v", comms, err)
	}
	n.must(n.config.RemoveComm(3))
	n.must(n.config.AddMember("a", dlm.Member{Node: 2, Weight: 3}))
	n.must(n.config.AddMember("a", dlm.Member{Node: 1}))
	members, err := n.config.Members("a")
	if want := []dlm.Member{{Node: 1, Weight: 1}, {Node: 2, Weight: 3}}; err != nil || !slices.Equal(members, want) {
		t.Errorf("members %v, %v", members, err)
	}
	n.must(n.config.RemoveMember("a", 2))
	n.must(n.config.RemoveMember("a", 2)) // as often as one likes
	if spaces, err := n.config.Spaces(); err != nil || !slices.Equal(spaces, []string{"a"}) {
		t.Errorf("spaces %v, %v", spaces, err)
	}
}

// alone brings node 1 up, alone in a lockspace.
func alone(t *testing.T) (*node, *dlm.Space) {
	t.Helper()
	n := bringUp(t, 1, 1)
	n.join("tst", 1)
	t.Cleanup(func() { n.leave("tst") })
	return n, open(t, "tst")
}

func open(t *testing.T, name string) *dlm.Space {
	t.Helper()
	s, err := dlm.Open(sysfs.Host, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func labLocks(t *testing.T, _ *lab.Guest) {
	n, a := alone(t)
	_, err := n.ctl.Create(n.ctx, "tst", true)
	is(t, err, dlm.ErrExist)
	ls := dlm.NewLockspace(sysfs.Host, "tst")
	// What dlm_controld 4.2.0 was seen to compute for this name.
	if id, err := ls.ID(); id != 720911623 || err != nil {
		t.Errorf("id %d, %v", id, err)
	}
	if done, err := ls.Recovered(); !done || err != nil {
		t.Errorf("recovered: %v, %v", done, err)
	}
	if nodir, err := ls.NoDirectory(); nodir || err != nil {
		t.Errorf("nodir: %v, %v", nodir, err)
	}
	if node, err := ls.RecoverNode(); node != 1 || err != nil {
		t.Errorf("recovery waited for node %d, %v", node, err)
	}
	b := open(t, "tst")
	// Every pair of modes, as the kernel takes it.
	for held := dlm.NL; held <= dlm.EX; held++ {
		first, err := a.Lock(n.ctx, "r", held)
		if err != nil {
			t.Fatal(err)
		}
		for wanted := dlm.NL; wanted <= dlm.EX; wanted++ {
			second, err := b.Lock(n.ctx, "r", wanted, dlm.With(dlm.NoQueue))
			if granted := err == nil; granted != dlm.Compatible(held, wanted) {
				t.Errorf("%v beside %v: %v", wanted, held, err)
			}
			if err != nil {
				if !errors.Is(err, dlm.ErrWouldBlock) {
					t.Error(err)
				}
				continue
			}
			if second.Mode() != wanted || second.ID() == 0 {
				t.Errorf("granted %v as %v, %d", wanted, second.Mode(), second.ID())
			}
			n.must(second.Unlock(n.ctx))
			is(t, second.Unlock(n.ctx), dlm.ErrNotHeld)
		}
		n.must(first.Unlock(n.ctx))
	}
	for _, name := range []string{"", strings.Repeat("x", dlm.MaxName+1)} {
		_, err := a.Lock(n.ctx, name, dlm.NL)
		is(t, err, dlm.ErrInvalid)
	}
	_, err = a.Lock(n.ctx, "r", dlm.ModeNone)
	is(t, err, dlm.ErrInvalid)
	// What a descriptor holds goes with it.
	if _, err := b.Lock(n.ctx, "r", dlm.EX); err != nil {
		t.Fatal(err)
	}
	n.must(b.Close())
	_, err = b.Lock(n.ctx, "r", dlm.EX)
	is(t, err, dlm.ErrClosed)
	l, err := a.Lock(n.ctx, "r", dlm.EX, dlm.WithTransaction(7))
	if err != nil {
		t.Fatal(err)
	}
	is(t, n.ctl.Remove(n.ctx, "tst", false), dlm.ErrBusy)
	n.must(l.Convert(n.ctx, dlm.NL))
	n.must(l.Unlock(n.ctx))
}

// labValue moves a value block in every way there is, and compares with what Value says.
func labValue(t *testing.T, _ *lab.Guest) {
	n, s := alone(t)
	value := func(b byte) (v [dlm.ValueSize]byte) {
		for i := range v {
			v[i] = b
		}
		return v
	}
	// The lock that keeps the resource, and so its value.
	keep, err := s.Lock(n.ctx, "r", dlm.NL)
	if err != nil {
		t.Fatal(err)
	}
	for from := dlm.NL; from <= dlm.EX; from++ {
		for to := dlm.NL; to <= dlm.EX; to++ {
			n.must(keep.Convert(n.ctx, dlm.EX))
			n.must(keep.Convert(n.ctx, dlm.NL, dlm.WithValue(value('r'))))
			l, err := s.Lock(n.ctx, "r", from)
			if err != nil {
				t.Fatal(err)
			}
			n.must(l.Convert(n.ctx, to, dlm.WithValue(value('w'))))
			got, valid := l.Value()
			n.must(l.Unlock(n.ctx))
			n.must(keep.Convert(n.ctx, dlm.CR, dlm.WithValue(value('-'))))
			now, _ := keep.Value()
			n.must(keep.Convert(n.ctx, dlm.NL))
			want := dlm.Value(from, to)
			if want == dlm.ValueWritten && got != value('w') || !valid || (got == value('r')) != (want == dlm.ValueRead) || (now == value('w')) != (want == dlm.ValueWritten) {
				t.Errorf("%v to %v: got %q (valid %v), the resource has %q; want %v", from, to, got[:1], valid, now[:1], want)
			}
		}
	}
	n.must(keep.Unlock(n.ctx))
}

// labWaiting is about requests that have to wait, and what ends them.
func labWaiting(t *testing.T, _ *lab.Guest) {
	n, a := alone(t)
	b := open(t, "tst")
	blocked := make(chan dlm.Mode, 10)
	held, err := a.Lock(n.ctx, "r", dlm.EX, dlm.OnBlocking(func(m dlm.Mode) { blocked <- m }))
	if err != nil {
		t.Fatal(err)
	}
	granted := make(chan error, 1)
	go func() {
		l, err := b.Lock(n.ctx, "r", dlm.PR)
		if err == nil {
			err = l.Unlock(n.ctx)
		}
		granted <- err
	}()
	if m := lab.Receive(t, "the holder to hear of the other", blocked); m != dlm.PR {
		t.Errorf("somebody waits for %v", m)
	}
	n.must(held.Convert(n.ctx, dlm.NL))
	n.must(lab.Receive(t, "the other to be granted", granted))

	// A request whose context ends is taken back, and nothing of it is left.
	n.must(held.Convert(n.ctx, dlm.EX))
	brief, stop := context.WithCancel(n.ctx)
	go func() {
		<-blocked
		stop()
	}()
	_, err = b.Lock(brief, "r", dlm.CR)
	is(t, err, dlm.ErrCancelled)
	is(t, err, context.Canceled)
	_, err = b.Lock(brief, "r", dlm.CR)
	is(t, err, dlm.ErrCancelled)

	// So is a conversion; the lock stays as it was.
	n.must(held.Convert(n.ctx, dlm.PR))
	l, err := b.Lock(n.ctx, "r", dlm.CR)
	if err != nil {
		t.Fatal(err)
	}
	brief, stop = context.WithCancel(n.ctx)
	converted := make(chan error, 1)
	go func() { converted <- l.Convert(brief, dlm.EX) }()
	lab.Receive(t, "the holder to hear of the conversion", blocked)
	is(t, l.Convert(n.ctx, dlm.NL), dlm.ErrBusy)
	stop()
	is(t, lab.Receive(t, "the conversion to be taken back", converted), dlm.ErrCancelled)
	if l.Mode() != dlm.CR {
		t.Errorf("after a conversion that was taken back: %v", l.Mode())
	}
	is(t, l.Convert(n.ctx, dlm.EX, dlm.With(dlm.NoQueue)), dlm.ErrWouldBlock)
	n.must(l.Unlock(n.ctx))

	// Two that convert past each other.
	l, err = b.Lock(n.ctx, "r", dlm.PR)
	if err != nil {
		t.Fatal(err)
	}
	n.must(held.Convert(n.ctx, dlm.PR)) // or it would not hear of EX a second time
	go func() { converted <- l.Convert(n.ctx, dlm.EX) }()
	lab.Receive(t, "the holder to hear of the conversion", blocked)
	is(t, held.Convert(n.ctx, dlm.EX), dlm.ErrDeadlock)
	n.must(held.Unlock(n.ctx))
	n.must(lab.Receive(t, "the other conversion", converted))
	n.must(l.Unlock(n.ctx))

	// A descriptor that is closed ends what waits on it.
	held, err = a.Lock(n.ctx, "r", dlm.EX, dlm.OnBlocking(func(m dlm.Mode) { blocked <- m }))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := b.Lock(n.ctx, "r", dlm.EX)
		granted <- err
	}()
	lab.Receive(t, "the holder to hear of the last", blocked)
	n.must(b.Close())
	is(t, lab.Receive(t, "the request to end with its descriptor", granted), dlm.ErrClosed)
	n.must(held.Unlock(n.ctx))
}

// labStopped is about a lockspace that nobody starts again, and a join that nobody
// answers.
func labStopped(t *testing.T, _ *lab.Guest) {
	n, s := alone(t)
	ls := dlm.NewLockspace(sysfs.Host, "tst")
	n.must(ls.Stop(n.ctx))
	soon := func() context.Context {
		ctx, stop := context.WithTimeout(n.ctx, 100*time.Millisecond) // nothing comes, however long one waits
		t.Cleanup(stop)
		return ctx
	}
	_, err := s.Lock(soon(), "r", dlm.EX)
	is(t, err, dlm.ErrStillWaiting)
	is(t, err, context.DeadlineExceeded)
	n.must(ls.Start(n.ctx))
	// The request that was given up is undone once the kernel has it.
	l, err := s.Lock(n.ctx, "r", dlm.EX)
	if err != nil {
		t.Fatal(err)
	}
	n.must(l.Unlock(n.ctx))

	_, err = n.ctl.Create(soon(), "unanswered", false)
	is(t, err, dlm.ErrStillWaiting)
	n.next(dlm.Added, "unanswered")
	n.next(dlm.Joining, "unanswered")
	n.must(dlm.NewLockspace(sysfs.Host, "unanswered").Done(n.ctx, -int(unix.EPERM)))
	n.next(dlm.Removed, "unanswered")
	_, err = n.events.Next(soon())
	is(t, err, dlm.ErrStillWaiting)
}

// labOrphans is about locks that outlive their descriptor.
func labOrphans(t *testing.T, _ *lab.Guest) {
	n, _ := alone(t)
	take := func(resource string) {
		t.Helper()
		s := open(t, "tst")
		if _, err := s.Lock(n.ctx, resource, dlm.PW, dlm.With(dlm.Persistent)); err != nil {
			t.Fatal(err)
		}
		n.must(s.Close())
	}
	s := open(t, "tst")
	_, err := s.Adopt(n.ctx, "r", dlm.PW)
	is(t, err, dlm.ErrNotHeld)
	take("r")
	_, err = s.Lock(n.ctx, "r", dlm.PR, dlm.With(dlm.NoQueue))
	is(t, err, dlm.ErrWouldBlock)
	_, err = s.Adopt(n.ctx, "r", dlm.EX)
	is(t, err, dlm.ErrBusy)
	l, err := s.Adopt(n.ctx, "r", dlm.PW)
	if err != nil {
		t.Fatal(err)
	}
	if l.Mode() != dlm.PW {
		t.Errorf("adopted as %v", l.Mode())
	}
	n.must(l.Unlock(n.ctx))
	take("q")
	n.must(s.Purge(n.ctx, 0, 0))
	if l, err = s.Lock(n.ctx, "q", dlm.PR, dlm.With(dlm.NoQueue)); err != nil {
		t.Fatal(err)
	}
	n.must(l.Unlock(n.ctx))
}

// labDumps: user-mode Linux has no CONFIG_DLM_DEBUG.
func labDumps(t *testing.T, _ *lab.Guest) {
	_, _ = alone(t)
	if _, err := os.Stat("/sys/kernel/debug/dlm"); err == nil {
		t.Skip("this kernel shows its locks: TestTwinsOfLocks of internal/cli/dlmtool reads them")
	}
	d := dlm.NewDebug(sysfs.Host)
	_, err := d.Locks("tst")
	is(t, err, dlm.ErrNotVisible)
	_, err = d.Waiters("tst")
	is(t, err, dlm.ErrNotVisible)
	_, err = d.Resources("tst")
	is(t, err, dlm.ErrNotVisible)
}
