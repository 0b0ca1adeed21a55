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
	Quorate    bool          `json:"quorate"`    // as the controller says
	Leader     int           `json:"leader"`     // known of mdkit only
	Epoch      uint64        `json:"epoch"`      // the same
	Nodes      []NodeStatus  `json:"nodes"`
	Spaces     []SpaceStatus `json:"lockspaces"`
	Arrays     []ArrayStatus `json:"arrays"` // of [Look] only
}

// NodeState says how a node stands to the cluster.
type NodeState string

// The states of nodes.
const (
	NodeMember      NodeState = "member"       // it is in the cluster
	NodeHeard       NodeState = "heard"        // it lives, but there is no quorum, or it has not been taken in
	NodeDead        NodeState = "dead"         // nothing is heard of it
	NodeFencing     NodeState = "fencing"      // it is being fenced
	NodeFenceFailed NodeState = "fence failed" // the command has failed; it is tried again
	NodeUnknown     NodeState = "unknown"      // no controller says
)

// NodeStatus is how a node stands.
type NodeStatus struct {
	ID    int       `json:"id"`
	Name  string    `json:"name,omitempty"`
	Addr  string    `json:"addr,omitempty"`
	Local bool      `json:"local"`
	Alive bool      `json:"alive"` // heard of lately, or a member beside dlm_controld
	State NodeState `json:"state"`
}

// SpaceStatus is how a lockspace of this node stands.
type SpaceStatus struct {
	Name         string       `json:"name"`
	ID           uint32       `json:"id"`
	Members      []int        `json:"members"`
	State        string       `json:"state"`               // running, stopped, joining, leaving, stopping, updating, starting; unknown without a controller
	Recovery     string       `json:"recovery"`            // the kernel's stages, joined by "|"
	Settled      bool         `json:"settled"`             // the kernel's last recovery is through
	WaitsFor     int          `json:"waits_for,omitempty"` // the node that the recovery waits for, if it is not through
	LocksVisible bool         `json:"locks_visible"`       // the kernel shows its locks; of [Look] only
	Locks        []LockStatus `json:"locks"`               // those that it shows
}

// LockStatus is a lock that this node's kernel knows: its own, and of other nodes those on
// resources that it is the master of.
type LockStatus struct {
	Resource string `json:"resource"`
	Node     int    `json:"node"`             // who has it
	Thread   int    `json:"thread"`           // which of its processes, 0 for the kernel
	Queue    string `json:"queue"`            // granted, converting or waiting
	Held     string `json:"held,omitempty"`   // the mode, unless it is waiting
	Wanted   string `json:"wanted,omitempty"` // the mode, unless it is granted
}

// ArrayStatus is how a clustered array that runs on this node stands.
type ArrayStatus struct {
	Name     string       `json:"name"`            // the kernel's
	Space    string       `json:"lockspace"`       // its uuid as md-cluster writes it; empty if no member can be read
	Slot     int          `json:"slot"`            // this node's, from 1 as the kernel counts; 0: not visible here
	Degraded int          `json:"degraded"`        // how many members are missing
	Sync     string       `json:"sync,omitempty"`  // resync, recovery, ...; empty if nothing is to be done
	Where    SyncPlace    `json:"where,omitempty"` // the same
	Done     uint64       `json:"done"`            // bytes, of a sync that runs here
	Total    uint64       `json:"total"`           // the same
	Slots    []SlotStatus `json:"slots"`
}

// SyncPlace says where an array is being synced.
type SyncPlace string

// The places.
const (
	SyncHere    SyncPlace = "here"
	SyncRemote  SyncPlace = "another node"
	SyncWaiting SyncPlace = "waiting" // for another array, or for a first write
)

// SlotStatus is a slot of a clustered array: a node's copy of the bitmap. What is dirty
// in the slot of a node that is gone still has to be resynced.
type SlotStatus struct {
	Slot  int    `json:"slot"` // from 1
	Node  int    `json:"node"` // who has it; 0: nobody, or not visible here
	Dirty uint64 `json:"dirty_chunks"`
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
