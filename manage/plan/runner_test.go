package plan

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// world is what the steps of a test change: it records what happened.
type world struct{ did []string }

// step returns a step that records that it is done and undone, or fails if fail is set.
func (w *world) step(name string, fail error) Step {
	return NewStep(StepInfo{Kind: KindIoctl, Target: name, What: "step"},
		func(context.Context) error {
			w.did = append(w.did, name)
			return fail
		},
		func(context.Context) error {
			w.did = append(w.did, "undo "+name)
			return nil
		})
}

func targets(steps []StepInfo) (names []string) {
	for _, s := range steps {
		names = append(names, s.Target)
	}
	return names
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

var errBroken = errors.New("broken")

// TestRunner shows that a dry run carries out no step, and that a real run carries out
// all of them or undoes those that it did.
func TestRunner(t *testing.T) {
	for _, c := range []struct {
		name    string
		dry     bool
		last    error
		applied bool
		listed  []string
		did     []string
	}{
		{name: "dry", dry: true, last: errBroken, listed: []string{"a", "b"}},
		{name: "wet", applied: true, listed: []string{"a", "b"}, did: []string{"a", "said", "b"}},
		{name: "failing", last: errBroken, applied: true, listed: []string{"a", "b"}, did: []string{"a", "said", "b", "undo a"}},
	} {
		var w world
		var seen []string
		r := Runner{DryRun: c.dry, Progress: func(s StepInfo) { seen = append(seen, s.Target) }}
		applied, err := r.Run(t.Context(), &Plan{Steps: []Step{
			w.step("a", nil),
			SayStep(func() { w.did = append(w.did, "said") }), // not listed among the steps
			w.step("b", c.last),
		}})
		wantErr := c.last
		if c.dry {
			wantErr = nil
		}
		if applied != c.applied || !errors.Is(err, wantErr) {
			t.Errorf("%s: applied %v, %v", c.name, applied, err)
		}
		same(t, c.name+" listed", targets(r.Steps), c.listed...)
		same(t, c.name+" saw", seen, c.listed...)
		same(t, c.name+" did", w.did, c.did...)
	}
}

// TestRunnerBitByBit: what Do has done stays when a step fails, until it is undone in
// reverse order; after Keep it is not undone.
func TestRunnerBitByBit(t *testing.T) {
	var w world
	var r Runner
	inner := AsideStep(func(ctx context.Context) error { return r.Do(ctx, w.step("c", nil)) })
	if err := r.Do(t.Context(), w.step("a", nil)); err != nil {
		t.Fatal(err)
	}
	r.Keep()
	if err := r.Do(t.Context(), w.step("b", nil), inner); err != nil {
		t.Fatal(err)
	}
	if err := r.Do(t.Context(), w.step("d", errBroken), w.step("never", nil)); !errors.Is(err, errBroken) || errors.As(err, new(*PlanError)) {
		t.Errorf("got %v", err)
	}
	same(t, "did", w.did, "a", "b", "c", "d")
	same(t, "listed", targets(r.Steps), "a", "b", "c", "d")
	w.did = nil
	if left := r.TakeBack(t.Context()); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	same(t, "taken back", w.did, "undo c", "undo b")
	w.did = nil
	r.TakeBack(t.Context())
	same(t, "taken back twice", w.did)
}

// TestRunnerTakesBackAfterTheDeadline: the deadline ends the work but not its undoing,
// and what cannot be undone is named.
func TestRunnerTakesBackAfterTheDeadline(t *testing.T) {
	var w world
	var r Runner
	ctx, cancel := context.WithCancel(t.Context())
	stuck := NewStep(StepInfo{Kind: KindMap, Target: "map", What: "enter"},
		func(context.Context) error { return nil }, func(context.Context) error { return ErrNoUndo })
	late := NewStep(StepInfo{Kind: KindDevice, Target: "late"},
		func(context.Context) error {
			cancel()
			return nil
		},
		func(ctx context.Context) error { return ctx.Err() })
	err := r.Do(ctx, stuck, late, SayStep(func() { w.did = append(w.did, "said") }), w.step("never", nil))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	same(t, "did", w.did, "said")
	left := r.TakeBack(ctx)
	if len(left) != 1 || left[0].Step.Kind != KindMap || !errors.Is(left[0].Err, ErrNoUndo) {
		t.Errorf("left: %v", left)
	}
}

// TestDryRunForesees: in a dry run, and only there, planning learns what a step would
// change, or that it would be refused.
func TestDryRunForesees(t *testing.T) {
	for _, dry := range []bool{true, false} {
		var w world
		foreseen := 0
		r := Runner{DryRun: dry}
		add := Foreseen(w.step("add", nil), func() error {
			foreseen++
			return nil
		})
		want := 0
		if dry {
			want = 1
		}
		if err := r.Do(t.Context(), add); err != nil || foreseen != want {
			t.Errorf("dry %v: %v, foreseen %d times", dry, err, foreseen)
		}
		refused := Foreseen(w.step("refused", errRefused), func() error { return errRefused })
		if err := r.Try(t.Context(), w.step("first", nil), refused); !errors.Is(err, errRefused) {
			t.Errorf("dry %v, tried: %v", dry, err)
		}
		if dry {
			same(t, "tried in vain", targets(r.Steps), "add")
		} else {
			same(t, "tried", targets(r.Steps), "add", "first", "refused")
		}
		before := len(r.Steps)
		_, err := r.Run(t.Context(), &Plan{Steps: []Step{w.step("first", nil), refused, w.step("never", nil)}})
		var failed *PlanError
		if !errors.As(err, &failed) || failed.Step.Target != "refused" || len(failed.Left) != 0 {
			t.Errorf("dry %v: %v", dry, err)
		}
		same(t, "up to the refusal", targets(r.Steps[before:]), "first", "refused")
		if dry {
			same(t, "did", w.did)
		}
		if !strings.Contains(err.Error(), "refused") {
			t.Errorf("dry %v: %v", dry, err)
		}
	}
}
