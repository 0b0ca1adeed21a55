package plan

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestBackup: what a plan overwrites is kept until it has succeeded, or for
// good if a folder was named, and can be put back.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	old := bytes.Repeat([]byte("old!"), 2048)
	if err := os.WriteFile(disk, old, 0o600); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "kept")
	files := func() []string {
		list, _ := filepath.Glob(filepath.Join(kept, "*.json"))
		return list
	}
	plan := func(keep bool, last error) *Plan {
		writes := []Step{NewWrite(disk, "superblock", 4096, []byte("new?")), NewWrite(disk, "superblock", 4098, []byte("er"))}
		b := NewBackup(kept, "uuid", writes)
		b.keep = keep
		steps := append(b.Before(), writes...)
		steps = append(steps, NewStep(StepInfo{What: "start"}, func(context.Context) error { return last }, nil))
		return &Plan{Steps: append(steps, b.After()...)}
	}
	content := func() []byte {
		b, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := plan(false, errors.New("no")).Apply(t.Context(), nil); err == nil || !bytes.Equal(content(), old) || len(files()) != 0 {
		t.Errorf("a failed plan: %v, %v left", err, files())
	}
	if err := plan(false, nil).Apply(t.Context(), nil); err != nil || len(files()) != 0 {
		t.Errorf("a plan that succeeds: %v, %v left", err, files())
	}
	if err := os.WriteFile(disk, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plan(true, nil).Apply(t.Context(), nil); err != nil || len(files()) != 1 || bytes.Equal(content(), old) {
		t.Fatalf("a plan with a folder of its own: %v, %v", err, files())
	}
	restore, err := PlanRestore(files()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := restore.Apply(t.Context(), nil); err != nil || !bytes.Equal(content(), old) {
		t.Errorf("restored: %v, %q", err, content()[4096:4104])
	}
	if _, err := PlanRestore(disk); !errors.Is(err, ErrBackup) {
		t.Errorf("a disk taken for a backup: %v", err)
	}
}
