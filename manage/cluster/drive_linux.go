package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/dlm"
)

// serve takes events one by one, and does what the protocol says to them.
func (s *server) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	door, err := s.openDoor(ctx)
	if err != nil {
		return err
	}
	defer door.Close()
	lost := make(chan error, 1)
	go s.wire.receive(ctx, s.events)
	go func() { lost <- s.hear(ctx, s.uevents) }()
	ticks := time.NewTicker(s.req.File.tick())
	defer ticks.Stop()
	s.report(Note{Kind: NoteUp, Node: s.self.ID})
	for {
		var err error
		select {
		case <-ctx.Done():
			return s.save()
		case <-ticks.C:
			err = s.take(ctx, Event{Kind: Tick})
		case e := <-s.events:
			err = s.take(ctx, e)
		case q := <-s.asked:
			var over bool
			if over, err = s.answer(q); over {
				return err
			}
		case err = <-lost:
		}
		if err != nil {
			return err
		}
	}
}

func (s *server) report(n Note) {
	if s.req.Report != nil {
		s.req.Report(n)
	}
}

// hear hands on what the kernel asks.
func (s *server) hear(ctx context.Context, uevents *dlm.Events) error {
	wishes := map[dlm.Action]Event{
		dlm.Joining: {Kind: Wanted, Wish: Join},
		dlm.Leaving: {Kind: Wanted, Wish: Leave},
		dlm.Removed: {Kind: Vanished},
	}
	for {
		u, err := uevents.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		e, ok := wishes[u.Action]
		if !ok {
			continue
		}
		e.Space = u.Space
		s.post(ctx, e)
	}
}

func (s *server) post(ctx context.Context, e Event) {
	select {
	case s.events <- e:
	case <-ctx.Done():
	}
}

// take takes a step. The state is on disk before anything is done that it speaks of.
func (s *server) take(ctx context.Context, e Event) error {
	var actions []Action
	s.state, actions = Step(s.state, e)
	if err := s.save(); err != nil {
		return err
	}
	s.tellChanges()
	for _, a := range actions {
		switch {
		case a.Message != nil:
			_ = s.wire.send(a.To, a.Message) // a node that cannot be reached is told again, or dies
		case a.Fence != nil:
			s.report(Note{Kind: NoteFencing, Node: a.Fence.Node})
			go s.fence(ctx, *a.Fence)
		default:
			go s.do(ctx, a)
		}
	}
	return nil
}

// tellChanges reports who has come or gone.
func (s *server) tellChanges() {
	alive := s.state.alive()
	for _, n := range s.req.File.Nodes {
		now := slices.ContainsFunc(alive, func(l Life) bool { return l.Node == n.ID })
		if n.ID == s.self.ID || now == s.heard[n.ID] {
			continue
		}
		s.heard[n.ID] = now
		kind := NoteDead
		if now {
			kind = NoteAlive
		}
		s.report(Note{Kind: kind, Node: n.ID})
	}
	if now := s.state.Quorate(); now != s.quorate {
		s.quorate = now
		kind := NoteNoQuorum
		if now {
			kind = NoteQuorum
		}
		s.report(Note{Kind: kind})
	}
}

// do does a job. One that has failed is tried again after a while.
func (s *server) do(ctx context.Context, a Action) {
	err := s.kernel.work(context.WithoutCancel(ctx), a)
	e := Event{Kind: Finished, Space: a.Space, Job: a.Job, OK: err == nil}
	if err == nil || errors.Is(err, dlm.ErrNoLockspace) && a.Job == JobDepart {
		e.OK = true
		s.report(Note{Kind: NoteJob, Space: a.Space, Job: a.Job})
	} else {
		s.report(Note{Kind: NoteJobFailed, Space: a.Space, Job: a.Job, Err: err})
		select {
		case <-time.After(s.req.File.dead()):
		case <-ctx.Done():
		}
	}
	s.post(ctx, e)
}

// fence runs the user's command.
func (s *server) fence(ctx context.Context, l Life) {
	command := s.req.File.Fence
	args := append(command[1:len(command):len(command)], strconv.Itoa(l.Node), s.req.File.node(l.Node).Name)
	cmd := exec.CommandContext(ctx, command[0], args...)
	cmd.Env = append(os.Environ(), "MDKIT_CLUSTER="+s.req.File.Cluster)
	said, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", command[0], err, strings.Join(strings.Fields(string(said)), " "))
		s.report(Note{Kind: NoteFenceFailed, Node: l.Node, Err: err})
	} else {
		s.report(Note{Kind: NoteFenced, Node: l.Node})
	}
	s.post(ctx, Event{Kind: Fenced, Life: l, OK: err == nil})
}
