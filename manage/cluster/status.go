package cluster

import "errors"

// Errors of controllers, to be tested with errors.Is.
var (
	ErrRunning      = errors.New("a controller is running already")
	ErrNotRunning   = errors.New("no controller is running")
	ErrInUse        = errors.New("lockspaces are joined")
	ErrNoFence      = errors.New("no fence command")
	ErrUncontrolled = errors.New("lockspaces are there that no controller knows")
)

// Status is how a cluster stands, as this node sees it.
type Status struct {
	Cluster    string        `json:"cluster"`
	Controller string        `json:"controller"` // mdkit, dlm_controld or none
	Node       int           `json:"node"`       // this node's number, 0 if there is none
	Quorate    bool          `json:"quorate"`    // known of mdkit only
	Leader     int           `json:"leader"`     // the same
	Epoch      uint64        `json:"epoch"`      // the same
	Nodes      []NodeStatus  `json:"nodes"`
	Spaces     []SpaceStatus `json:"lockspaces"`
}

// NodeStatus is how a node stands.
type NodeStatus struct {
	ID    int    `json:"id"`
	Name  string `json:"name,omitempty"`
	Addr  string `json:"addr,omitempty"`
	Local bool   `json:"local"`
	Alive bool   `json:"alive"` // heard of lately; known of mdkit only
}

// SpaceStatus is how a lockspace of this node stands.
type SpaceStatus struct {
	Name     string `json:"name"`
	ID       uint32 `json:"id"`
	Members  []int  `json:"members"`
	State    string `json:"state"`    // running, stopped, joining, leaving, stopping, updating, starting; unknown of dlm_controld
	Recovery string `json:"recovery"` // the kernel's stages, joined by "|"
	Settled  bool   `json:"settled"`  // the kernel's last recovery is through
}

// NoteKind says what a [Note] is about.
type NoteKind int

// The notes.
const (
	NoteUp          NoteKind = iota + 1 // the controller serves; Node is this one
	NoteQuorum                          // there is a quorum
	NoteNoQuorum                        // there is none any more
	NoteAlive                           // Node is heard
	NoteDead                            // Node is not heard any more
	NoteFencing                         // Node is being fenced
	NoteFenced                          // Node has been fenced
	NoteFenceFailed                     // Err
	NoteJob                             // Job of Space is done
	NoteJobFailed                       // Err
)

// Note is what a person should know.
type Note struct {
	Kind  NoteKind
	Node  int
	Space string
	Job   Job
	Err   error
}
