// Package ondisk judges what targets find on their devices: the superblocks and headers
// that the constructors of drivers/md read before a table is taken.
package ondisk

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/dm"
)

// World is what an examination asks about the machine.
type World interface {
	dm.World
	// Read fills b from that byte of the device that a table names. Whatever it cannot
	// read stays unchecked.
	Read(ref string, b []byte, at int64) error
}

// Examine reads what is on the devices of a table, and returns the notes that are left:
// those of dm.Examine, without what has been looked at, and what was found. The error
// joins one *dm.Error for each line that the kernel would refuse for what is there.
func Examine(t dm.Table, w World, notes []dm.Note) ([]dm.Note, error) {
	var failed []error
	for i, l := range t {
		args, err := dm.ParseArgs(l.Type, l.Params)
		if err != nil {
			continue // refused before anything is read
		}
		e := &exam{world: w, line: l, notes: notes, number: i + 1}
		if err := e.look(args); err != nil {
			failed = append(failed, err)
		}
		notes = e.notes
	}
	return notes, errors.Join(failed...)
}

// exam is the examination of a line.
type exam struct {
	world  World
	line   dm.Line
	number int
	notes  []dm.Note
}

func (e *exam) look(args dm.Args) error {
	switch a := args.(type) {
	case dm.Snapshot:
		return e.snapshot(a)
	case dm.ThinPool:
		return e.thinPool(a)
	case dm.Cache:
		return e.cache(a)
	case dm.Era:
		return e.era(a)
	case dm.Integrity:
		return e.integrity(a)
	case dm.Writecache:
		return e.writecache(a)
	case dm.Verity:
		return e.verity(a)
	}
	return nil
}

// read returns bytes of a device, or nil and a note why they cannot be read.
func (e *exam) read(field, ref string, size int, at int64) []byte {
	b := make([]byte, size)
	if err := e.world.Read(ref, b, at); err != nil {
		e.open(field, fmt.Sprintf("what is on this device: %v", err))
		return nil
	}
	return b
}

// settle drops what was noted as not checked of a field.
func (e *exam) settle(field string) {
	var left []dm.Note
	for _, n := range e.notes {
		if n.Line != e.number || n.Field != field || n.Seen {
			left = append(left, n)
		}
	}
	e.notes = left
}

// open replaces what was noted as not checked of a field.
func (e *exam) open(field, text string) {
	e.settle(field)
	e.notes = append(e.notes, dm.Note{Line: e.number, Target: e.line.Type, Field: field, Text: text})
}

// saw notes what was found, which leaves nothing open.
func (e *exam) saw(field, text string) {
	e.notes = append(e.notes, dm.Note{Line: e.number, Target: e.line.Type, Field: field, Text: text, Seen: true})
}

// refuse refuses the line for what is on a device, in the kernel's words; why is what it
// logs or keeps to itself.
func (e *exam) refuse(field, reason, why string) error {
	e.settle(field)
	var class error = dm.ErrInvalid
	if why != "" {
		class = &detailError{why}
	}
	return &dm.Error{Op: "check", Line: e.number, Target: e.line.Type, Field: field, Reason: reason, Err: class}
}

// detailError is of class [dm.ErrInvalid] and adds detail.
type detailError struct{ why string }

// Error returns the detail.
func (e *detailError) Error() string { return e.why }

// Unwrap returns the class.
func (e *detailError) Unwrap() error { return dm.ErrInvalid }

var le = binary.LittleEndian

// blank reports whether there are zero bytes only.
func blank(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func powerOfTwo(n uint32) bool { return n != 0 && n&(n-1) == 0 }
