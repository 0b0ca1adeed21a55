package plan

import (
	"context"
	"slices"
	"time"
)

// Runner takes the steps of plans or, in a dry run, only lists them. Whether the
// run is dry is asked here and nowhere else: what must not happen in a dry run
// is a step, if need be one that is not shown (AsideStep, SayStep), and what
// planning has to know of a step that a dry run leaves out the step itself
// foresees (Foreseen).
//
// The zero Runner is ready for use.
type Runner struct {
	DryRun   bool
	Progress func(StepInfo) // each step before it starts; nil for none
	// Backup saves what steps of KindWrite overwrite, before the first of those
	// that are taken together; nil for none. One that nobody has asked for goes
	// again once they have succeeded: with Run at its end, with Do by Keep.
	Backup *Backup
	// Steps are those taken so far, with one that failed; in a dry run those that
	// would be.
	Steps []StepInfo

	done []Step // by Do, and can still be taken back
}

// Run takes the steps of a plan: all of them, or none. At the first failure, or
// when ctx ends, it takes back what was done in reverse order and returns a
// *PlanError. It says whether it took any: in a dry run it did not.
func (r *Runner) Run(ctx context.Context, p *Plan) (applied bool, err error) {
	var done []Step
	unsaved := r.writes(p.Steps)
	for _, s := range p.Steps {
		started, err := r.take(ctx, s, &unsaved)
		if started {
			done = append(done, s)
		}
		if err != nil {
			return !r.DryRun, &PlanError{Step: s.Describe(), Err: err, Left: append(takeBack(ctx, done), r.Backup.takenBack()...)}
		}
	}
	r.Backup.succeeded()
	return !r.DryRun, nil
}

// Try is Run for steps that may well be refused, where there is another way
// then. A dry run that foresees the refusal does not list them.
func (r *Runner) Try(ctx context.Context, steps ...Step) error {
	before := len(r.Steps)
	applied, err := r.Run(ctx, &Plan{Steps: steps})
	if err != nil && !applied {
		r.Steps = r.Steps[:before]
	}
	return err
}

// Do takes steps of a change that is planned bit by bit, as more is known of it.
// What was done stays when one fails, until TakeBack or Keep. The error is the
// step's own.
func (r *Runner) Do(ctx context.Context, steps ...Step) error {
	unsaved := r.writes(steps)
	for _, s := range steps {
		// What it takes itself is taken back before it.
		at := len(r.done)
		started, err := r.take(ctx, s, &unsaved)
		if started {
			r.done = slices.Insert(r.done, min(at, len(r.done)), s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TakeBack takes back what Do has done since the last Keep, in reverse order, and
// names what it could not.
func (r *Runner) TakeBack(ctx context.Context) []Leftover {
	done := r.done
	r.done = nil
	return append(takeBack(ctx, done), r.Backup.takenBack()...)
}

// Keep makes what Do has done final: from there on is no way back.
func (r *Runner) Keep() {
	r.done = nil
	r.Backup.succeeded()
}

// writes lists the steps of KindWrite, if somebody saves what they overwrite.
func (r *Runner) writes(steps []Step) (list []StepInfo) {
	if r.Backup == nil {
		return nil
	}
	for _, s := range steps {
		if info := s.Describe(); info.Kind == KindWrite && !info.data {
			list = append(list, info)
		}
	}
	return list
}

// take takes one step, after the backup of what is unsaved if it is the first that
// writes. It says whether there may be something to take back of
// it. What is not shown does not end a plan whose time is over: the next step
// does, if there is one.
func (r *Runner) take(ctx context.Context, s Step, unsaved *[]StepInfo) (started bool, err error) {
	if info := s.Describe(); info.Kind != "" {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if info.Kind == KindWrite && !info.data && len(*unsaved) > 0 {
			r.show(r.Backup.describe())
			if !r.DryRun {
				err = r.Backup.Save(*unsaved)
			}
			if *unsaved = nil; err != nil {
				return false, err
			}
		}
		r.show(info)
	}
	if !r.DryRun {
		return true, s.Apply(ctx)
	}
	if f, ok := s.(foreseer); ok {
		return false, f.foresee()
	}
	return false, nil
}

// show lists a step.
func (r *Runner) show(info StepInfo) {
	r.Steps = append(r.Steps, info)
	if r.Progress != nil {
		r.Progress(info)
	}
}

// undoTime is how long taking back may last: it has to happen even when the
// time for the work itself is over.
const undoTime = 30 * time.Second

func takeBack(ctx context.Context, done []Step) (left []Leftover) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	for _, s := range slices.Backward(done) {
		if err := s.Undo(ctx); err != nil {
			left = append(left, Leftover{Step: s.Describe(), Err: err})
		}
	}
	return left
}

// Foreseen gives a step what a dry run does in place of its Apply: to note what
// the step would change where planning looks for it, or to fail as the step
// would. When the step is taken it is not called.
func Foreseen(s Step, foresee func() error) Step { return &foreseenStep{Step: s, as: foresee} }

type foreseer interface{ foresee() error }

type foreseenStep struct {
	Step
	as func() error
}

func (s *foreseenStep) foresee() error { return s.as() }

// AsideStep is a step that changes nothing to speak of, as a look at what the
// steps before have led to, or a lock: it is not shown, and left out of dry
// runs.
func AsideStep(do func(context.Context) error) Step { return NewStep(StepInfo{}, do, nil) }

// SayStep is an AsideStep that only says something when its turn comes.
func SayStep(say func()) Step {
	return AsideStep(func(context.Context) error { say(); return nil })
}
