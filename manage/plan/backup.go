package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mdkit/mdkit/engine/block"
)

// KindBackup is a step that saves what later steps overwrite.
const KindBackup = "backup"

// backupDirs are where metadata is saved during a command with --force or --update,
// unless another folder is requested: the first that can be written to. Early at boot
// that is the second.
var backupDirs = [...]string{"/var/lib/mdkit/metadata", "/run/mdkit/metadata"}

// Backup saves what the write steps of a Runner are going to replace, in a file that
// PlanRestore reads. Unlike the undo of a plan, it survives a power cut. A nil Backup
// saves nothing.
type Backup struct {
	dirs  []string // to be tried in order
	array string   // uuid
	keep  bool     // even after success
	path  string   // of the current file
	saved []backupArea
}

// backupFile is the format of the file: JSON with the schema
// "mdkit.metadata-backup/1".
type backupFile struct {
	Schema string       `json:"schema"`
	Array  string       `json:"array"` // its uuid
	Time   time.Time    `json:"time"`
	Areas  []backupArea `json:"areas"` // in the order in which they were to be written
}

// backupArea is the previous contents of part of a device.
type backupArea struct {
	Device string `json:"device"`
	Offset int64  `json:"offset"` // bytes
	What   string `json:"what"`
	Data   []byte `json:"data"`
}

const backupSchema = "mdkit.metadata-backup/1"

// NewBackup saves to the folder dir; if dir is "", the file is removed once the command
// has succeeded. array is the uuid of the array concerned, by which people can recognise
// the file.
func NewBackup(dir, array string) *Backup {
	if dir == "" {
		return &Backup{array: array, dirs: backupDirs[:]}
	}
	return &Backup{array: array, dirs: []string{dir}, keep: true}
}

// BackupFor returns NewBackup if a folder is requested or a backup is due anyway; else
// nil.
func BackupFor(dir, array string, due bool) *Backup {
	if dir == "" && !due {
		return nil
	}
	return NewBackup(dir, array)
}

// describe describes the step that saves.
func (b *Backup) describe() StepInfo {
	return StepInfo{Kind: KindBackup, Target: b.dirs[0], What: "save what is overwritten"}
}

// Path returns the path of the current file; "" for none.
func (b *Backup) Path() string { return b.path }

// Save adds to the file what the writes are going to replace, and makes it durable. A
// Runner calls it by itself. The devices are read even if they are claimed.
func (b *Backup) Save(writes []StepInfo) error {
	areas := append([]backupArea(nil), b.saved...)
	for _, w := range writes {
		if saves(areas, w) {
			continue // what was there first counts, not what we have written since
		}
		area := backupArea{Device: w.Target, Offset: w.Offset, What: w.What, Data: make([]byte, w.Length)}
		if err := withDevice(w.Target, block.ForReading, func(d *block.File) error {
			return block.ReadFull(d, area.Data, area.Offset)
		}); err != nil {
			return fmt.Errorf("back up %s: %w", w.Target, err)
		}
		areas = append(areas, area)
	}
	now := time.Now().UTC()
	text, err := json.MarshalIndent(backupFile{Schema: backupSchema, Array: b.array, Time: now, Areas: areas}, "", "  ")
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.json", b.array, now.Format("20060102T150405.000000000"))
	for _, dir := range b.dirs {
		path := filepath.Join(dir, name)
		if err = writeDurably(path, append(text, '\n')); err == nil {
			old := b.path
			b.path, b.saved = path, areas
			return RemoveIfThere(old) // the new file has its contents
		}
	}
	return fmt.Errorf("back up metadata: %w; name a folder that can be written to with --backup-metadata", err)
}

// saves reports whether an area has all that a write is going to replace.
func saves(areas []backupArea, w StepInfo) bool {
	return slices.ContainsFunc(areas, func(a backupArea) bool {
		return a.Device == w.Target && a.Offset <= w.Offset && w.Offset+w.Length <= a.Offset+int64(len(a.Data))
	})
}

// succeeded removes the file unless it was requested: later steps make their own.
func (b *Backup) succeeded() {
	if b == nil {
		return
	}
	if !b.keep && b.path != "" {
		_ = RemoveIfThere(b.path) // it is no longer useful, nor harmful
	}
	b.path, b.saved = "", nil
}

// takenBack removes the file if everything has been undone, and otherwise names it.
func (b *Backup) takenBack() []Leftover {
	if b == nil || b.path == "" {
		return nil
	}
	for _, area := range b.saved {
		now := make([]byte, len(area.Data))
		err := withDevice(area.Device, block.ForReading, func(d *block.File) error {
			return block.ReadFull(d, now, area.Offset)
		})
		if err != nil || !bytes.Equal(now, area.Data) {
			return []Leftover{{Step: b.describe(), Err: fmt.Errorf("%s is not as it was: restore it with --restore-metadata=%s: %w", area.Device, b.path, ErrNoUndo)}}
		}
	}
	if err := RemoveIfThere(b.path); err != nil {
		return []Leftover{{Step: b.describe(), Err: err}}
	}
	b.path, b.saved = "", nil
	return nil
}

// writeDurably makes a file that survives a power cut.
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

// ErrBackup marks a file that is not a backup of metadata.
var ErrBackup = errors.New("not a backup of metadata")

// PlanRestore plans to put back what the backup in the file at path holds, last area
// first: the devices must not be in use.
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
