package array

import (
	"context"

	planned "github.com/mdkit/mdkit/manage/plan"
)

// What the operations of this package plan, see package plan.
type (
	Plan      = planned.Plan
	Step      = planned.Step
	StepInfo  = planned.StepInfo
	PlanError = planned.PlanError
)

// Kinds of steps, see package plan.
const (
	KindWrite   = planned.KindWrite
	KindIoctl   = planned.KindIoctl
	KindSysfs   = planned.KindSysfs
	KindMknod   = planned.KindMknod
	KindSymlink = planned.KindSymlink
	KindMap     = planned.KindMap
	KindDevice  = planned.KindDevice
)

// ErrNoUndo is what Undo returns for changes that cannot be taken back.
var ErrNoUndo = planned.ErrNoUndo

// NewStep makes a step of two functions. A nil undo means that nothing needs
// to be taken back.
func NewStep(info StepInfo, apply, undo func(context.Context) error) Step {
	return planned.NewStep(info, apply, undo)
}
