package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mdkit/mdkit/dlm"
)

// saved is the file by which a controller goes on where the one before it was.
type saved struct {
	Schema  string         `json:"schema"`
	Cluster string         `json:"cluster"`
	State   State          `json:"state"`
	Comms   map[int]string `json:"comms"`
}

const savedSchema = "mdkit.cluster.state/1"

func trimmed(s string) string { return strings.TrimSpace(s) }

func (s *server) statePath() string { return filepath.Join(s.req.Dir, "state.json") }

// save writes the state down if anything has changed that counts after a restart.
func (s *server) save() error {
	short := s.state
	short.Peers, short.Age, short.Since, short.Seq = nil, short.Age/16, 0, short.Seq/256
	comms := s.kernel.lives()
	b, err := json.Marshal(saved{savedSchema, s.req.File.Cluster, short, comms})
	if err != nil || string(b) == s.written {
		return err
	}
	s.written = string(b)
	if b, err = json.Marshal(saved{savedSchema, s.req.File.Cluster, s.state, comms}); err != nil {
		return err
	}
	next := s.statePath() + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("save the state of the cluster: %w", err)
	}
	return os.Rename(next, s.statePath())
}

// restore takes up the state of a controller that has run since this boot. Lockspaces
// that none of ours knows belong to somebody else.
func (s *server) restore() error {
	there, err := dlm.Lockspaces(s.req.Root)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(s.statePath())
	var old saved
	if err == nil {
		err = json.Unmarshal(b, &old)
	}
	rules := s.state.Rules
	present, _ := s.kernel.config.Present()
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", s.statePath(), err)
	case err != nil, old.Schema != savedSchema, old.State.Rules.Self != rules.Self, !present:
		if len(there) > 0 {
			return fmt.Errorf("%w: %s: leave them, or start this machine anew", ErrUncontrolled, there[0].Name)
		}
		return s.clear(present)
	case old.Cluster != s.req.File.Cluster:
		return s.req.File.wrong(-1, "cluster", "the cluster that is up is %s: take it down first", old.Cluster)
	}
	s.state, s.kernel.comms = old.State, old.Comms
	s.state.Rules = rules
	s.state.Seq += 1024 // more than can have been sent since
	for name, r := range s.state.Spaces {
		r.Busy, r.Dropped = JobNone, false // it is done once more
		s.state.Spaces[name] = r
	}
	s.compare(there)
	return nil
}

// clear removes what somebody has left in the tree without any lockspace.
func (s *server) clear(present bool) error {
	if !present {
		return nil
	}
	return s.kernel.config.Remove()
}

// compare finds what the kernel has asked for while no controller listened.
func (s *server) compare(there []dlm.Lockspace) {
	names := map[string]bool{}
	for _, ls := range there {
		names[ls.Name] = true
		if _, known := s.state.Spaces[ls.Name]; !known {
			s.state, _ = Step(s.state, Event{Kind: Wanted, Space: ls.Name, Wish: Join})
		}
	}
	for name := range s.state.Spaces {
		if !names[name] {
			s.state, _ = Step(s.state, Event{Kind: Vanished, Space: name})
		}
	}
}
