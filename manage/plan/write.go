package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mdkit/mdkit/engine/block"
)

// NewWrite returns a step that writes data at a byte offset of the device or image at
// path, which it opens exclusively, and makes it durable. Its undo restores the previous
// contents. what says what the bytes are, such as "superblock 1.2".
func NewWrite(path, what string, off int64, data []byte) Step {
	return &writeStep{path: path, what: what, off: off, data: data}
}

// NewIoctl returns a step that sends a request to the driver of the device at target;
// value is its argument, as text. A nil undo means that there is nothing to undo.
func NewIoctl(target, request, value string, do, undo func() error) Step {
	var patientUndo func(context.Context) error
	if undo != nil {
		patientUndo = func(context.Context) error { return undo() }
	}
	return NewPatientIoctl(target, request, value, func(context.Context) error { return do() }, patientUndo)
}

// NewPatientIoctl is NewIoctl for a request, or an undo, that may have to be repeated
// for a while: the context says for how long.
func NewPatientIoctl(target, request, value string, do, undo func(context.Context) error) Step {
	return NewStep(StepInfo{Kind: KindIoctl, Target: target, What: request, Value: value}, do, undo)
}

// NoUndo is the undo of what cannot be undone.
func NoUndo() error { return ErrNoUndo }

// NewSharedWrite is NewWrite for devices that may be in use: it does not open them
// exclusively.
func NewSharedWrite(path, what string, off int64, data []byte) Step {
	return &writeStep{path: path, what: what, off: off, data: data, shared: true}
}

// NewDataWrite is NewWrite or, if shared, NewSharedWrite for what is part of an array's
// data: a Backup does not save what it replaces.
func NewDataWrite(path, what string, off int64, data []byte, shared bool) Step {
	return &writeStep{path: path, what: what, off: off, data: data, shared: shared, ofArray: true}
}

type writeStep struct {
	path, what string
	off        int64
	data       []byte
	old        []byte // nil until read
	shared     bool   // do not open the device exclusively
	ofArray    bool   // it is not metadata
}

// maxShown is how many bytes of data a description includes in full.
const maxShown = 64 << 10

func (s *writeStep) Describe() StepInfo {
	info := StepInfo{
		Kind: KindWrite, Target: s.path, What: s.what,
		Offset: s.off, Length: int64(len(s.data)), data: s.ofArray,
	}
	switch fill, uniform := uniform(s.data); {
	case uniform:
		info.Fill = fmt.Sprintf("%02x", fill)
	case len(s.data) <= maxShown:
		info.Data = s.data
	}
	return info
}

// uniform reports whether all bytes are the same, and returns that byte.
func uniform(b []byte) (byte, bool) {
	if len(b) == 0 {
		return 0, false
	}
	return b[0], bytes.Count(b, b[:1]) == len(b)
}

func (s *writeStep) Apply(context.Context) error {
	return s.with(func(d *block.File) error {
		old := make([]byte, len(s.data))
		if err := block.ReadFull(d, old, s.off); err != nil {
			return err
		}
		s.old = old
		_, err := d.WriteAt(s.data, s.off)
		return errors.Join(err, d.Sync())
	})
}

// Undo also reverts a write that failed half way.
func (s *writeStep) Undo(context.Context) error {
	if s.old == nil {
		return nil
	}
	return s.with(func(d *block.File) error {
		now := make([]byte, len(s.old))
		if err := block.ReadFull(d, now, s.off); err == nil && bytes.Equal(now, s.old) {
			return d.Sync() // the write did not get that far
		}
		_, err := d.WriteAt(s.old, s.off)
		return errors.Join(err, d.Sync())
	})
}

func (s *writeStep) with(use func(*block.File) error) error {
	flag := block.ForWriting
	if !s.shared {
		flag |= block.Exclusive
	}
	d, err := block.OpenFile(s.path, flag)
	if err != nil {
		return err
	}
	return errors.Join(use(d), d.Close())
}

// RemoveIfThere removes a file; it is not an error if the file does not exist.
func RemoveIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
