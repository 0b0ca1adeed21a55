package plan

import "testing"

type someSetting struct{ written *bool }

func (someSetting) Name() string  { return "sync_max" }
func (someSetting) Path() string  { return "/sys/block/md0/md/sync_max" }
func (someSetting) Value() string { return "0" }
func (s someSetting) Write() error {
	*s.written = true
	return nil
}

// TestSetting: a setting has the same description in every plan, and is written when the
// step is carried out.
func TestSetting(t *testing.T) {
	written := false
	step := NewSetting(someSetting{&written}, nil)
	if got, want := step.Describe().String(), "sysfs /sys/block/md0/md/sync_max: sync_max (0)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if written {
		t.Error("written before its time")
	}
	if err := step.Apply(t.Context()); err != nil || !written {
		t.Errorf("%v, written %v", err, written)
	}
	if err := step.Undo(t.Context()); err != nil {
		t.Error(err)
	}
}
