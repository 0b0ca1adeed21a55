package dlm_test

import (
	"context"
	"testing"
	"time"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
)

// change stops the lockspace of a node that stays, changes its members, and starts it.
func (n *node) change(space string, do func() error) {
	n.t.Helper()
	ls := dlm.NewLockspace(sysfs.Host, space)
	n.must(ls.Stop(n.ctx))
	n.must(do())
	n.must(ls.Start(n.ctx))
}

// recovered waits until the lockspace runs again.
func (n *node) recovered(space string) {
	n.t.Helper()
	ls := dlm.NewLockspace(sysfs.Host, space)
	lab.Until(n.t, "the recovery of "+space, func() bool {
		done, err := ls.Recovered()
		n.must(err)
		return done
	})
}

// TestPair is two nodes: one joins, both lock, one dies, and what it held comes back.
func TestPair(t *testing.T) {
	set := lab.Cases(
		t,
		lab.Case{Name: "first", Run: pairFirst},
		lab.Case{Name: "second", Run: pairSecond},
	)
	sw := lab.NewSwitch(t)
	spec := func(p *lab.Port) lab.Spec { return lab.Spec{Modules: []string{"dlm"}, NICs: []*lab.Port{p}} }
	a, b := sw.Port("10.9.0.1/24"), sw.Port("10.9.0.2/24")
	first, second := set.Start(t, spec(a), "first"), set.Start(t, spec(b), "second")
	// Each says when it has come to a point, and the other hears of it.
	relay := func(from, to *lab.Machine, what string) {
		t.Helper()
		to.Tell(what, from.Await(what))
	}
	relay(first, second, "alone")
	relay(second, first, "joining")
	relay(first, second, "started")
	relay(second, first, "joined")
	relay(first, second, "held")
	relay(second, first, "got")
	relay(first, second, "read")
	second.Await("holding")
	second.Kill()
	second.Wait()
	first.Tell("dead", nil)
	first.Wait()
}

func pairFirst(t *testing.T, g *lab.Guest) {
	n := bringUp(t, 1, 1, 2)
	n.join("tst", 1)
	t.Cleanup(func() { n.leave("tst") })
	s := open(t, "tst")
	blocked := make(chan dlm.Mode, 10)
	l, err := s.Lock(n.ctx, "r", dlm.EX, dlm.OnBlocking(func(m dlm.Mode) { blocked <- m }))
	n.must(err)
	g.Publish("alone", nil)

	g.Await("joining")
	n.change("tst", func() error { return n.config.AddMember("tst", dlm.Member{Node: 2}) })
	g.Publish("started", nil)
	g.Await("joined")
	n.recovered("tst")

	// The other waits for this one, and gets what it has written.
	g.Publish("held", nil)
	if m := lab.Receive(t, "the other node's wish", blocked); m != dlm.PR {
		t.Errorf("the other node waits for %v", m)
	}
	n.must(l.Convert(n.ctx, dlm.NL, dlm.WithValue([dlm.ValueSize]byte{'1'})))
	g.Await("got")
	n.must(l.Convert(n.ctx, dlm.PR, dlm.WithValue([dlm.ValueSize]byte{})))
	if v, valid := l.Value(); v[0] != '2' || !valid {
		t.Errorf("value %q, valid %v", v[:1], valid)
	}
	n.must(l.Convert(n.ctx, dlm.NL))
	g.Publish("read", nil)

	// It dies with the lock in PW.
	g.Await("dead")
	brief, stop := context.WithTimeout(n.ctx, 100*time.Millisecond) // it is not granted, however long one waits
	defer stop()
	is(t, l.Convert(brief, dlm.EX), dlm.ErrCancelled)
	n.must(n.config.RemoveComm(2))
	n.change("tst", func() error { return n.config.RemoveMember("tst", 2) })
	n.must(l.Convert(n.ctx, dlm.EX, dlm.WithValue([dlm.ValueSize]byte{})))
	if _, valid := l.Value(); valid || l.Status()&dlm.ValueInvalid == 0 {
		t.Errorf("the value of a dead holder is valid: %v", l.Status())
	}
	n.recovered("tst")
	n.must(l.Convert(n.ctx, dlm.NL, dlm.WithValue([dlm.ValueSize]byte{'3'})))
	n.must(l.Convert(n.ctx, dlm.CR, dlm.WithValue([dlm.ValueSize]byte{})))
	if v, valid := l.Value(); v[0] != '3' || !valid {
		t.Errorf("value %q, valid %v", v[:1], valid)
	}
	n.must(l.Unlock(n.ctx))
}

func pairSecond(t *testing.T, g *lab.Guest) {
	n := bringUp(t, 2, 1, 2)
	g.Await("alone")
	made := make(chan error, 1)
	go func() {
		_, err := n.ctl.Create(n.ctx, "tst", false)
		made <- err
	}()
	n.next(dlm.Added, "tst")
	n.next(dlm.Joining, "tst")
	ls := dlm.NewLockspace(sysfs.Host, "tst")
	n.must(ls.SetID(n.ctx, dlm.GlobalID("tst")))
	n.must(n.config.AddMember("tst", dlm.Member{Node: 1}))
	n.must(n.config.AddMember("tst", dlm.Member{Node: 2}))
	g.Publish("joining", nil)
	g.Await("started")
	n.must(ls.Start(n.ctx))
	n.must(ls.Done(n.ctx, 0))
	n.must(lab.Receive(t, "the lockspace to be joined", made))
	g.Publish("joined", nil)

	g.Await("held")
	s := open(t, "tst")
	l, err := s.Lock(n.ctx, "r", dlm.PR, dlm.WithValue([dlm.ValueSize]byte{}))
	n.must(err)
	if v, valid := l.Value(); v[0] != '1' || !valid {
		t.Errorf("value %q, valid %v", v[:1], valid)
	}
	n.must(l.Convert(n.ctx, dlm.EX))
	n.must(l.Convert(n.ctx, dlm.NL, dlm.WithValue([dlm.ValueSize]byte{'2'})))
	g.Publish("got", nil)
	g.Await("read")
	// Only with the value does the kernel count it as lost (fs/dlm/recover.c recover_lvb).
	n.must(l.Convert(n.ctx, dlm.PW, dlm.WithValue([dlm.ValueSize]byte{})))
	g.Publish("holding", nil)
	select {} // until the power goes
}
