package plan

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// TestRunner shows that a dry run takes no step, and that another one takes all
// of them or takes back those it has taken.
func TestRunner(t *testing.T) {
	var did []string
	step := func(name string, err error) Step {
		return NewStep(StepInfo{Kind: KindIoctl, Target: name, What: "step"},
			func(context.Context) error { did = append(did, name); return err },
			func(context.Context) error { did = append(did, "undo "+name); return nil })
	}
	broken := errors.New("broken")
	for _, c := range []struct {
		name    string
		dry     bool
		last    error
		applied bool
		shown   int
		did     []string
	}{
		{name: "dry", dry: true, last: broken, shown: 2},
		{name: "wet", applied: true, did: []string{"a", "b"}},
		{name: "failing", last: broken, applied: true, did: []string{"a", "b", "undo a"}},
	} {
		did = nil
		shown := 0
		r := Runner{DryRun: c.dry, Show: func(steps []StepInfo) { shown += len(steps) }}
		applied, err := r.Run(t.Context(), &Plan{Steps: []Step{step("a", nil), step("b", c.last)}})
		wantErr := c.last
		if c.dry {
			wantErr = nil
		}
		if applied != c.applied || !errors.Is(err, wantErr) || shown != c.shown || !slices.Equal(did, c.did) {
			t.Errorf("%s: applied %v, %v, %d steps shown, did %q", c.name, applied, err, shown, did)
		}
	}
}
