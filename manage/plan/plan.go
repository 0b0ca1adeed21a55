// Package plan changes live devices by plans: first all steps are laid down, and can be
// shown; then a Runner carries them out in order, and at the first failure undoes those
// that were done.
package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kinds of steps, in StepInfo.Kind and in JSON.
const (
	KindWrite   = "write"   // bytes on a device
	KindIoctl   = "ioctl"   // a request to a driver
	KindSysfs   = "sysfs"   // a value written to an attribute
	KindMknod   = "mknod"   // make a device node
	KindSymlink = "symlink" // make a name in /dev/md
	KindMap     = "map"     // add a line to mdadm's map of arrays
	KindDevice  = "device"  // request or open an md device
	KindUdev    = "udev"    // wait for udev
)

// StepInfo says what a step does, for people and for scripts. It includes everything
// that the step is going to use, so that two plans are equal if their descriptions are.
type StepInfo struct {
	Kind   string `json:"kind"`             // one of the Kind constants; "" if the step changes nothing and is not shown
	Target string `json:"target"`           // device, attribute or path
	What   string `json:"what"`             // one line, such as "superblock 1.2" or "RUN_ARRAY"
	Value  string `json:"value,omitempty"`  // what is sent or written, as text
	Offset int64  `json:"offset,omitempty"` // write: bytes from the device's start
	Length int64  `json:"length,omitempty"` // write: bytes
	Data   []byte `json:"data,omitempty"`   // write: the bytes, unless they all are Fill
	Fill   string `json:"fill,omitempty"`   // write: the value of every byte, as two hexadecimal digits

	data bool // write: to an array's data, which a Backup does not save
}

// String returns a single line.
func (s StepInfo) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", s.Kind, s.Target, s.What)
	if s.Length > 0 {
		fmt.Fprintf(&b, ", %d bytes at %d", s.Length, s.Offset)
	}
	if s.Value != "" {
		fmt.Fprintf(&b, " (%s)", s.Value)
	}
	return b.String()
}

// Step is one change. Apply makes it; Undo reverts an Apply that succeeded, or one that
// failed if it can leave something behind. Undo fails with ErrNoUndo if the change
// cannot be undone.
type Step interface {
	Describe() StepInfo
	Apply(ctx context.Context) error
	Undo(ctx context.Context) error
}

// ErrNoUndo is the error of Undo for changes that cannot be undone.
var ErrNoUndo = errors.New("cannot be undone")

// Plan is an ordered list of steps. Applying it runs these and no others.
type Plan struct {
	Steps []Step
}

// Describe returns the steps in order, without those that change nothing.
func (p *Plan) Describe() []StepInfo {
	infos := make([]StepInfo, 0, len(p.Steps))
	for _, s := range p.Steps {
		if i := s.Describe(); i.Kind != "" {
			infos = append(infos, i)
		}
	}
	return infos
}

// Apply carries out the plan: see Runner.Run.
func (p *Plan) Apply(ctx context.Context, progress func(StepInfo)) error {
	r := Runner{Progress: progress}
	_, err := r.Run(ctx, p)
	return err
}

// Leftover is a step that was done and could not be undone.
type Leftover struct {
	Step StepInfo
	Err  error
}

// PlanError says which step failed and why, and which of the steps before it could not
// be undone. If Left is empty, everything is as it was.
type PlanError struct {
	Step StepInfo
	Err  error
	Left []Leftover
}

// Error returns a single line.
func (e *PlanError) Error() string {
	s := e.Err.Error()
	if e.Step.Kind != "" {
		s = fmt.Sprintf("%s %s: %s", e.Step.What, e.Step.Target, s)
	}
	if len(e.Left) == 0 {
		return s + "; everything is as it was before"
	}
	var left []string
	for _, l := range e.Left {
		left = append(left, fmt.Sprintf("%s (%v)", l.Step, l.Err))
	}
	return s + "; not taken back: " + strings.Join(left, ", ")
}

// Unwrap returns the reason of the failure.
func (e *PlanError) Unwrap() error { return e.Err }

// NewStep makes a step from two functions. A nil undo means that there is nothing to
// undo.
func NewStep(info StepInfo, apply, undo func(context.Context) error) Step {
	return &funcStep{info: info, apply: apply, undo: undo}
}

type funcStep struct {
	info  StepInfo
	apply func(context.Context) error
	undo  func(context.Context) error
	done  bool
}

// Describe says what the step does.
func (s *funcStep) Describe() StepInfo { return s.info }

// Apply makes the change.
func (s *funcStep) Apply(ctx context.Context) error {
	err := s.apply(ctx)
	s.done = err == nil
	return err
}

// Undo reverts the change.
func (s *funcStep) Undo(ctx context.Context) error {
	if !s.done || s.undo == nil {
		return nil
	}
	return s.undo(ctx)
}
