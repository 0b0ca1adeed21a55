package plan

import (
	"context"
	"slices"
	"time"
)

// Runner carries out the steps of plans or, in a dry run, only lists them. Nothing else
// asks whether the run is dry: what must not happen in a dry run is a step, if necessary
// one that is not shown (AsideStep, SayStep), and what planning needs to know about a
// step that a dry run leaves out is foreseen by the step itself (Foreseen).
//
// The zero Runner is ready for use.
type Runner struct {
	DryRun   bool
	Progress func(StepInfo) // called with each step before it starts; may be nil
	// Backup saves what steps of KindWrite overwrite, before the first of the steps that
	// are carried out together; nil for none. A backup that was not requested is removed
	// once they have succeeded: by Run at its end, or by Keep after Do.
	Backup *Backup
	// Steps are those carried out so far, including one that failed; in a dry run those
	// that would be carried out.
	Steps []StepInfo

	done []Step // by Do, and can still be undone
}

// Run carries out the steps of a plan: all of them, or none. At the first failure, or
// when ctx ends, it undoes those that were done in reverse order and returns a
// *PlanError. It returns whether it carried out any: a dry run does not.
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

// Try is Run for steps that may well fail because there is an alternative. A dry run
// does not list them if it foresees the failure.
func (r *Runner) Try(ctx context.Context, steps ...Step) error {
	before := len(r.Steps)
	applied, err := r.Run(ctx, &Plan{Steps: steps})
	if err != nil && !applied {
		r.Steps = r.Steps[:before]
	}
	return err
}

// Do carries out steps of a change that is planned bit by bit, as more becomes known. If
// one fails, those before it stay until TakeBack or Keep. The error is that of the step.
func (r *Runner) Do(ctx context.Context, steps ...Step) error {
	unsaved := r.writes(steps)
	for _, s := range steps {
		// What the step itself does through this Runner is undone before the step.
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

// TakeBack undoes what Do has done since the last Keep, in reverse order, and returns
// what it could not undo.
func (r *Runner) TakeBack(ctx context.Context) []Leftover {
	done := r.done
	r.done = nil
	return append(takeBack(ctx, done), r.Backup.takenBack()...)
}

// Keep makes what Do has done final: it can no longer be undone.
func (r *Runner) Keep() {
	r.done = nil
	r.Backup.succeeded()
}

// writes lists the steps of KindWrite, if there is a Backup to save what they overwrite.
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

// take carries out one step. If it is the first that writes, the backup of unsaved comes
// before. started says whether there may be something to undo. A step that is not shown
// does not fail because ctx has ended: the next one does, if there is one.
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

// undoTime limits how long undoing may take: it must happen even if the time for the
// work itself is over.
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

// Foreseen makes a dry run call foresee in place of the step's Apply: it records what
// the step would change where planning looks for it, or fails as the step would. It is
// not called when the step is carried out.
func Foreseen(s Step, foresee func() error) Step { return &foreseenStep{Step: s, as: foresee} }

type foreseer interface{ foresee() error }

type foreseenStep struct {
	Step
	as func() error
}

func (s *foreseenStep) foresee() error { return s.as() }

// AsideStep returns a step that changes nothing worth mentioning, such as taking a lock,
// or looking at the result of the steps before: it is not shown, and left out of dry
// runs.
func AsideStep(do func(context.Context) error) Step { return NewStep(StepInfo{}, do, nil) }

// SayStep returns an AsideStep that only reports something when its turn comes.
func SayStep(say func()) Step {
	return AsideStep(func(context.Context) error { say(); return nil })
}
