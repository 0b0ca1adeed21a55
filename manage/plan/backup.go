package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mdkit/mdkit/engine/block"
)

// KindBackup is a step that saves what later steps overwrite.
const KindBackup = "backup"

// backupDirs are where metadata is saved while a command with --force or
// --update is at work, unless another folder is asked for: the first that can
// be written to. Early at boot that is the second.
var backupDirs = [...]string{"/var/lib/mdkit/metadata", "/run/mdkit/metadata"}

// Backup saves the bytes that the write steps of a plan are going to replace,
// in one file that Restore reads. It outlives a power cut, which the undo of a
// plan does not.
type Backup struct {
	dirs   []string // to be tried in order
	name   string   // of the file
	array  string   // uuid
	path   string   // once it is written
	keep   bool     // also after success
	saved  []backupArea
	writes []StepInfo
}

// backupFile is the format of the file: JSON with the schema
// "mdkit.metadata-backup/1".
type backupFile struct {
	Schema string       `json:"schema"`
	Array  string       `json:"array"` // its uuid
	Time   time.Time    `json:"time"`
	Areas  []backupArea `json:"areas"` // in the order they were to be written
}

// backupArea is what was on a device.
type backupArea struct {
	Device string `json:"device"`
	Offset int64  `json:"offset"` // bytes
	What   string `json:"what"`
	Data   []byte `json:"data"`
}

const backupSchema = "mdkit.metadata-backup/1"

// NewBackup prepares for the writes among steps. dir is the folder asked for,
// or "" for one that lasts until the plan has succeeded.
func NewBackup(dir, array string, steps []Step) *Backup {
	b := &Backup{array: array, keep: dir != "", dirs: backupDirs[:]}
	if b.keep {
		b.dirs = []string{dir}
	}
	for _, s := range steps {
		if i := s.Describe(); i.Kind == KindWrite {
			b.writes = append(b.writes, i)
		}
	}
	b.name = fmt.Sprintf("%s-%s.json", array, time.Now().UTC().Format("20060102T150405.000000000"))
	return b
}

// Before is the step that saves, if there is anything to save.
func (b *Backup) Before() []Step {
	if len(b.writes) == 0 {
		return nil
	}
	return []Step{NewStep(StepInfo{Kind: KindBackup, Target: b.dirs[0], What: "save what is overwritten"}, b.save, b.undone)}
}

// undone drops the file once everything is as it was, and else names it.
func (b *Backup) undone(context.Context) error {
	for _, area := range b.saved {
		now := make([]byte, len(area.Data))
		err := withDevice(area.Device, block.ForReading, func(d *block.File) error {
			return block.ReadFull(d, now, area.Offset)
		})
		if err != nil || !bytes.Equal(now, area.Data) {
			return fmt.Errorf("%s is not as it was: restore it with --restore-metadata=%s: %w", area.Device, b.path, ErrNoUndo)
		}
	}
	return RemoveIfThere(b.path)
}

// After drops the file of a plan that has succeeded, unless it was asked for.
func (b *Backup) After() []Step {
	if len(b.writes) == 0 || b.keep {
		return nil
	}
	return []Step{SayStep(func() { _ = RemoveIfThere(b.path) })}
}

func (b *Backup) save(context.Context) error {
	file := backupFile{Schema: backupSchema, Array: b.array, Time: time.Now().UTC()}
	for _, w := range b.writes {
		area := backupArea{Device: w.Target, Offset: w.Offset, What: w.What, Data: make([]byte, w.Length)}
		if err := withDevice(w.Target, block.ForReading, func(d *block.File) error {
			return block.ReadFull(d, area.Data, area.Offset)
		}); err != nil {
			return fmt.Errorf("back up %s: %w", w.Target, err)
		}
		file.Areas = append(file.Areas, area)
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	b.saved = file.Areas
	for _, dir := range b.dirs {
		b.path = filepath.Join(dir, b.name)
		if err = writeDurably(b.path, append(text, '\n')); err == nil {
			return nil
		}
	}
	return fmt.Errorf("back up metadata: %w; name a folder that can be written to with --backup-metadata", err)
}

// writeDurably makes a file that a power cut does not take away again.
func writeDurably(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func withDevice(path string, flag block.OpenFlag, use func(*block.File) error) error {
	d, err := block.OpenFile(path, flag)
	if err != nil {
		return err
	}
	return errors.Join(use(d), d.Close())
}

// ErrBackup marks a file that is no backup of metadata.
var ErrBackup = errors.New("not a backup of metadata")

// PlanRestore makes the plan that puts back what the backup in the file at
// path has, last area first: the devices must be free.
func PlanRestore(path string) (*Plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("restore metadata: %w", err)
	}
	var file backupFile
	if err := json.Unmarshal(text, &file); err != nil || file.Schema != backupSchema {
		return nil, fmt.Errorf("restore metadata from %s: %w: want schema %s", path, ErrBackup, backupSchema)
	}
	p := &Plan{}
	for i := len(file.Areas) - 1; i >= 0; i-- {
		area := file.Areas[i]
		if area.Offset < 0 || len(area.Data) == 0 {
			return nil, fmt.Errorf("restore metadata from %s: area %d: %w", path, i, ErrBackup)
		}
		p.Steps = append(p.Steps, NewWrite(area.Device, area.What, area.Offset, area.Data))
	}
	return p, nil
}
