package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// Dir is where a controller keeps what it has to know after a restart.
const Dir = "/run/mdkit/cluster"

// Request asks for a controller of our own.
type Request struct {
	Root      sysfs.FS
	Dir       string // Dir unless in tests
	File      *File
	NoFencing bool     // go on after a crash without fencing
	Holder    []string // a command that calls Hold with its last two arguments
	Report    func(Note)
	DryRun    bool
	Progress  func(plan.StepInfo) // called with each step of bringing the cluster up
}

// server is a controller at work.
type server struct {
	req     Request
	self    Node
	kernel  *kernel
	wire    *transport
	uevents *dlm.Events
	unlock  func()
	state   State
	written string // the state that was saved last, in short
	holder  net.Conn
	events  chan Event
	asked   chan question
	heard   map[int]bool
	quorate bool
}

// Serve brings the cluster up and controls it until ctx ends, or until it is taken
// down. When ctx ends, everything stays as it is, for the next controller.
func Serve(ctx context.Context, req Request) error {
	s, err := prepare(req)
	if err != nil {
		return err
	}
	runner := &plan.Runner{DryRun: req.DryRun, Progress: req.Progress}
	defer s.close()
	if err := runner.Do(ctx, plan.AsideStep(s.begin)); err != nil {
		return err
	}
	if err := runner.Do(ctx, s.steps()...); err != nil {
		runner.TakeBack(context.WithoutCancel(ctx))
		return err
	}
	return runner.Do(ctx, plan.AsideStep(s.serve))
}

// begin takes up what is there, as the only controller. It hears the kernel before
// anything is done that could make it ask.
func (s *server) begin(context.Context) (err error) {
	if s.unlock, err = lockDir(s.req.Dir); err != nil {
		return err
	}
	if s.uevents, err = dlm.ListenEvents(); err != nil {
		return err
	}
	if s.wire, err = listen(s.req.File, s.self); err != nil {
		return err
	}
	return s.restore()
}

// close ends what has been begun, and leaves the kernel as it is.
func (s *server) close() {
	if s.holder != nil {
		s.holder.Close()
	}
	if s.wire != nil {
		s.wire.conn.Close()
	}
	if s.uevents != nil {
		s.uevents.Close()
	}
	if s.unlock != nil {
		s.unlock()
	}
}

// prepare finds out who we are; nothing is changed.
func prepare(req Request) (*server, error) {
	if len(req.File.Fence) == 0 && !req.NoFencing && len(req.File.Nodes) > 1 {
		return nil, req.File.wrong(-1, "fence", "%v", ErrNoFence)
	}
	own, err := ownAddrs()
	if err != nil {
		return nil, err
	}
	self, err := req.File.Local(own)
	if err != nil {
		return nil, err
	}
	boot, err := sysfs.ReadProc(req.Root.Proc("sys", "kernel", "random", "boot_id"))
	if err != nil {
		return nil, err
	}
	s := &server{
		req: req, self: self, events: make(chan Event, 64), asked: make(chan question),
		heard: map[int]bool{},
	}
	s.kernel = &kernel{root: req.Root, config: dlm.NewConfig(req.Root), file: req.File, self: self.ID, comms: map[int]string{}}
	s.state = Begin(req.File.rules(Life{self.ID, trimmed(boot)}, !req.NoFencing))
	return s, nil
}

func ownAddrs() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	var all []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all, nil
}

// lockDir makes this the only controller.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w; ask it with status, or take it down", dir, ErrRunning)
	}
	return func() { f.Close() }, nil
}

// steps bring the cluster up, in the order that the kernel needs: the monitor is open
// before it learns which node is the local one. What is so already is not done again.
func (s *server) steps() []plan.Step {
	c, f := s.kernel.config, s.req.File
	present, _ := c.Present() // an error comes again with the first step
	var steps []plan.Step
	add := func(target, what, value string, do func(context.Context) error, undo func(context.Context) error) {
		steps = append(steps, plan.NewStep(plan.StepInfo{Kind: plan.KindSysfs, Target: target, What: what, Value: value}, do, undo))
	}
	const tree = "/sys/kernel/config/dlm/cluster"
	if !present {
		add(tree, "make", "", func(context.Context) error { return c.Make() }, func(context.Context) error { return c.Remove() })
		add(tree, "protocol", "0", func(context.Context) error { return c.Set(dlm.Protocol, 0) }, nothing)
		add(tree, "recover_callbacks", "1", func(context.Context) error { return c.Set(dlm.RecoverCallbacks, 1) }, nothing)
		add(tree, "cluster_name", f.Cluster, func(context.Context) error { return c.SetClusterName(f.Cluster) }, nothing)
	}
	steps = append(steps, plan.NewStep(plan.StepInfo{Kind: plan.KindDevice, Target: "dlm-monitor", What: "hold open"}, s.hold, s.letGo))
	for _, n := range f.Nodes {
		if _, known := s.kernel.comms[n.ID]; known && present {
			continue
		}
		add(tree, fmt.Sprintf("node %d", n.ID), n.Addrs[0].String(), func(context.Context) error {
			s.kernel.comms[n.ID] = ""
			return s.kernel.addComm(n.ID)
		}, nothing)
	}
	return steps
}

// nothing undoes what goes away with the tree.
func nothing(context.Context) error { return nil }

// hold makes sure that the monitor is open. If nobody has held it, the kernel has
// stopped all lockspaces.
func (s *server) hold(ctx context.Context) error {
	conn, found, err := hold(ctx, s.req.Dir, s.req.Holder, s.req.File.dead()/2)
	if err != nil {
		return err
	}
	s.holder = conn
	if found {
		return nil
	}
	for name, r := range s.state.Spaces {
		r.Running = false
		s.state.Spaces[name] = r
	}
	return nil
}

func (s *server) letGo(context.Context) error {
	_, err := s.holder.Write([]byte{letGo})
	return errors.Join(err, s.holder.Close())
}
