package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/sysfs"
)

// Controller is whoever controls the DLM of this machine.
type Controller interface {
	// Status returns how the cluster stands; [Look] adds what the kernel shows.
	Status() (*Status, error)
	// Join makes this node a member of a lockspace, and waits until it is.
	Join(ctx context.Context, space string) error
	// Leave ends the membership that Join began. Locks that are held in the lockspace
	// are an error, unless it is to go by force.
	Leave(ctx context.Context, space string, force bool) error
	// Down ends the control, if no lockspace is joined.
	Down() error
}

// Find returns the controller of this machine: ours if one serves in dir, otherwise
// what there is.
func Find(root sysfs.FS, dir string) Controller {
	b := beside{root}
	if c, err := net.Dial("unix", filepath.Join(dir, doorSocket)); err == nil {
		c.Close()
		return static{b, dir}
	}
	return b
}

// beside is a controller that is none of ours, or none at all: membership is its
// business, and lockspaces are made and removed through the kernel.
type beside struct{ root sysfs.FS }

// controlSocket is dlm_controld's (DLMC_QUERY_SOCK_PATH), an abstract one.
const controlSocket = "@dlmc_query_sock"

// daemon is the controller on top of corosync.
const daemon = "dlm_controld"

func (b beside) name() string {
	if list, err := sysfs.ReadProc(b.root.Proc("net", "unix")); err == nil && strings.Contains(list, controlSocket) {
		return daemon
	}
	return "none"
}

func (b beside) Status() (*Status, error) {
	st, err := b.kernelStatus()
	if err == nil && st.Controller == daemon && st.Cluster != "" {
		err = askDaemon(st)
	}
	return st, err
}

// kernelStatus is what the kernel was told.
func (b beside) kernelStatus() (*Status, error) {
	st := &Status{Controller: b.name(), Nodes: []NodeStatus{}, Spaces: []SpaceStatus{}, Arrays: []ArrayStatus{}}
	config := dlm.NewConfig(b.root)
	present, err := config.Present()
	if err != nil || !present {
		return st, err
	}
	if st.Cluster, err = config.ClusterName(); err != nil {
		return nil, err
	}
	comms, err := config.Comms()
	if err != nil {
		return nil, err
	}
	for _, c := range comms {
		n := NodeStatus{ID: c.Node, Local: c.Local, State: NodeUnknown}
		if len(c.Addrs) > 0 {
			n.Addr = c.Addrs[0].String()
		}
		if c.Local {
			st.Node = c.Node
		}
		st.Nodes = append(st.Nodes, n)
	}
	spaces, err := dlm.Lockspaces(b.root)
	for _, ls := range spaces {
		st.Spaces = append(st.Spaces, spaceStatus(config, ls, st.Node))
	}
	return st, err
}

// spaceStatus reads what the kernel shows of a lockspace, which may go meanwhile. That
// all nodes are through is noted by the lowest of them alone (recover.c wait_status); the
// others note their own part.
func spaceStatus(config dlm.Config, ls dlm.Lockspace, self int) SpaceStatus {
	s := SpaceStatus{Name: ls.Name, Members: []int{}, State: "unknown", Locks: []LockStatus{}}
	s.ID, _ = ls.ID()
	members, _ := config.Members(ls.Name)
	for _, m := range members {
		s.Members = append(s.Members, m.Node)
	}
	rs, _ := ls.RecoverStatus()
	s.Recovery = rs.String()
	through := dlm.RecoveryDone
	if len(s.Members) > 0 && slices.Min(s.Members) == self {
		through = dlm.RecoveryAll
	}
	if s.Settled = rs&through != 0; !s.Settled {
		s.WaitsFor, _ = ls.RecoverNode()
	}
	return s
}

func (b beside) Join(ctx context.Context, space string) error {
	if b.name() == "none" {
		return fmt.Errorf("join %s: %w; start one with cluster up", space, ErrNotRunning)
	}
	return b.create(ctx, space)
}

func (b beside) create(ctx context.Context, space string) error {
	control, err := dlm.OpenControl(b.root)
	if err != nil {
		return err
	}
	defer control.Close()
	if _, err = control.Create(ctx, space, true); errors.Is(err, dlm.ErrExist) {
		return fmt.Errorf("%w; leave it before it is joined anew", err)
	}
	return err
}

func (b beside) Leave(ctx context.Context, space string, force bool) error {
	control, err := dlm.OpenControl(b.root)
	if err != nil {
		return err
	}
	defer control.Close()
	err = control.Remove(ctx, space, force)
	switch {
	case errors.Is(err, dlm.ErrNoLockspace):
		return fmt.Errorf("%w; cluster status lists those that are there", err)
	case errors.Is(err, dlm.ErrBusy):
		return fmt.Errorf("%w; end who holds them, or leave with --force", err)
	}
	return err
}

func (b beside) Down() error {
	if name := b.name(); name != "none" {
		return fmt.Errorf("%w that mdkit did not start: %s; stop it as it was started", ErrRunning, name)
	}
	return ErrNotRunning
}

// static is a controller of ours, in another process.
type static struct {
	beside
	dir string
}

func (c static) Join(ctx context.Context, space string) error { return c.create(ctx, space) }

func (c static) Status() (*Status, error) {
	a, err := c.ask("status")
	return a.Status, err
}

func (c static) Down() error {
	_, err := c.ask("down")
	return err
}

// doorSocket is where a controller answers questions, in its folder.
const doorSocket = "control"

// question is one of those, with the place for its answer.
type question struct {
	word   string
	answer chan answer
}

// answer is what comes back, as a line of JSON.
type answer struct {
	Status *Status `json:"status,omitempty"`
	InUse  string  `json:"in_use,omitempty"` // why it cannot be taken down
	Error  string  `json:"error,omitempty"`
}

func (c static) ask(word string) (answer, error) {
	conn, err := net.Dial("unix", filepath.Join(c.dir, doorSocket))
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, word); err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return a, fmt.Errorf("ask the controller for %s: %w", word, err)
	}
	switch {
	case a.InUse != "":
		return a, fmt.Errorf("%w: %s; leave them first", ErrInUse, a.InUse)
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// openDoor lets other processes ask.
func (s *server) openDoor(ctx context.Context) (net.Listener, error) {
	path := filepath.Join(s.req.Dir, doorSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.attend(ctx, conn)
		}
	}()
	return l, nil
}

func (s *server) attend(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	q := question{strings.TrimSpace(line), make(chan answer, 1)}
	select {
	case s.asked <- q:
	case <-ctx.Done():
		return
	}
	_ = json.NewEncoder(conn).Encode(<-q.answer) // whoever asked may be gone
}

// answer answers; over says that the controller has been taken down.
func (s *server) answer(q question) (over bool, err error) {
	switch q.word {
	case "status":
		st, err := s.status()
		if err != nil {
			q.answer <- answer{Error: err.Error()}
			return false, nil
		}
		q.answer <- answer{Status: st}
	case "down":
		there, err := dlm.Lockspaces(s.req.Root)
		if err == nil && len(there) > 0 {
			var names []string
			for _, ls := range there {
				names = append(names, ls.Name)
			}
			q.answer <- answer{InUse: strings.Join(names, ", ")}
			return false, nil
		}
		if err = errors.Join(err, s.takeDown()); err != nil {
			q.answer <- answer{Error: err.Error()}
			return true, err
		}
		q.answer <- answer{}
		return true, nil
	default:
		q.answer <- answer{Error: "there is no question " + q.word}
	}
	return false, nil
}

// takeDown removes what Serve has made.
func (s *server) takeDown() error {
	return errors.Join(s.kernel.config.Remove(), s.letGo(context.Background()), os.Remove(s.statePath()))
}

// status is what the protocol knows, and what the kernel shows.
func (s *server) status() (*Status, error) {
	st, err := beside{s.req.Root}.kernelStatus()
	if err != nil {
		return nil, err
	}
	st.Controller, st.Quorate, st.Node = "mdkit", s.state.Quorate(), s.self.ID
	if s.state.Order.Gathered {
		st.Leader, st.Epoch = s.state.Order.Epoch.Leader, s.state.Order.Epoch.Number
	}
	alive := s.state.alive()
	st.Nodes = st.Nodes[:0]
	for _, n := range s.req.File.Nodes {
		st.Nodes = append(st.Nodes, NodeStatus{
			ID: n.ID, Name: n.Name, Addr: n.Addrs[0].String(), Local: n.ID == s.self.ID,
			Alive: slices.ContainsFunc(alive, func(l Life) bool { return l.Node == n.ID }),
			State: s.state.nodeState(n.ID),
		})
	}
	for i := range st.Spaces {
		st.Spaces[i].State = s.stateOf(st.Spaces[i].Name)
	}
	return st, nil
}

func (s *server) stateOf(space string) string {
	r, ok := s.state.Spaces[space]
	o := s.state.Order.space(space)
	switch {
	case !ok || r.Wish == Join:
		return "joining"
	case r.Wish == Leave:
		return "leaving"
	case r.Running:
		return "running"
	case o != nil && o.Phase < Running:
		return o.Phase.String()
	}
	return "stopped"
}
