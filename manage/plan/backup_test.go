package plan

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackup: what a plan overwrites is saved until it has succeeded, or for good if a
// folder was given, and can be restored.
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
	run := func(keep bool, last error) error {
		r := &Runner{Backup: NewBackup(kept, "uuid")}
		r.Backup.keep = keep
		_, err := r.Run(t.Context(), &Plan{Steps: []Step{
			NewStep(StepInfo{Kind: KindIoctl, What: "before"}, func(context.Context) error { return nil }, nil),
			NewWrite(disk, "superblock", 4096, []byte("new?")),
			NewDataWrite(disk, "data", 0, []byte("data"), false),
			NewWrite(disk, "superblock", 4098, []byte("er")),
			NewStep(StepInfo{What: "start"}, func(context.Context) error {
				if len(files()) != 1 {
					t.Error("nothing is saved while the plan is at work")
				}
				return last
			}, nil),
		}})
		if kinds := kindsOf(r.Steps); kinds != "ioctl backup write write write" {
			t.Errorf("steps: %s", kinds)
		}
		return err
	}
	content := func() []byte {
		b, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := run(false, errors.New("no")); err == nil || !bytes.Equal(content(), old) || len(files()) != 0 {
		t.Errorf("a failed plan: %v, %v left", err, files())
	}
	if err := run(false, nil); err != nil || len(files()) != 0 {
		t.Errorf("a plan that succeeds: %v, %v left", err, files())
	}
	if err := os.WriteFile(disk, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(true, nil); err != nil || len(files()) != 1 || bytes.Equal(content(), old) {
		t.Fatalf("a plan with a folder of its own: %v, %v", err, files())
	}
	restore, err := PlanRestore(files()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := restore.Apply(t.Context(), nil); err != nil || !bytes.Equal(content()[4:], old[4:]) {
		t.Errorf("restored: %v, %q", err, content()[4096:4104])
	}
	if _, err := PlanRestore(disk); !errors.Is(err, ErrBackup) {
		t.Errorf("a disk taken for a backup: %v", err)
	}
}

func kindsOf(steps []StepInfo) string {
	var kinds []string
	for _, s := range steps {
		if s.Kind != "" {
			kinds = append(kinds, s.Kind)
		}
	}
	return strings.Join(kinds, " ")
}

// TestBackupBitByBit: what Do overwrites remains saved, all of it in one file, until it
// can no longer be undone, or everything has been undone.
func TestBackupBitByBit(t *testing.T) {
	dir := t.TempDir()
	disk, kept := filepath.Join(dir, "disk"), filepath.Join(dir, "kept")
	old := bytes.Repeat([]byte("old!"), 2048)
	if err := os.WriteFile(disk, old, 0o600); err != nil {
		t.Fatal(err)
	}
	files := func() int {
		list, _ := filepath.Glob(filepath.Join(kept, "*"))
		return len(list)
	}
	r := &Runner{Backup: NewBackup(kept, "uuid")}
	r.Backup.keep = false
	write := func(off int64) {
		t.Helper()
		if err := r.Do(t.Context(), NewWrite(disk, "superblock", off, []byte("new?"))); err != nil {
			t.Fatal(err)
		}
		if n := files(); n != 1 {
			t.Errorf("%d files while there is a way back", n)
		}
	}
	write(0)
	write(4096)
	write(0) // once more: what was there first has to come back
	if left := r.TakeBack(t.Context()); len(left) != 0 || files() != 0 {
		t.Errorf("taken back: %v, %d files left", left, files())
	}
	write(0)
	r.Keep()
	if n := files(); n != 0 {
		t.Errorf("%d files once it is final", n)
	}
	write(4096)
	// What was written is not undone, so the file stays.
	r.done = nil
	if left := r.TakeBack(t.Context()); len(left) != 1 || !errors.Is(left[0].Err, ErrNoUndo) || files() != 1 {
		t.Errorf("not as it was: %v, %d files", left, files())
	}
	dry := &Runner{DryRun: true, Backup: NewBackup(kept, "uuid")}
	if err := dry.Do(t.Context(), NewWrite(disk, "superblock", 0, []byte("dry"))); err != nil || kindsOf(dry.Steps) != "backup write" || files() != 1 {
		t.Errorf("dry: %v, %s, %d files", err, kindsOf(dry.Steps), files())
	}
	nobody := filepath.Join(disk, "no folder")
	refused := &Runner{Backup: NewBackup(nobody, "uuid")}
	before, _ := os.ReadFile(disk)
	if err := refused.Do(t.Context(), NewWrite(disk, "superblock", 0, []byte("bad!"))); err == nil || !strings.Contains(err.Error(), "--backup-metadata") {
		t.Errorf("without a place to save to: %v", err)
	}
	if after, _ := os.ReadFile(disk); !bytes.Equal(before, after) {
		t.Error("it was written all the same")
	}
}
