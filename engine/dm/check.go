package dm

import (
	"errors"
	"fmt"
	"math"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Check judges a table that is to be loaded for reading and writing, in the
// kernel's order and with its reasons; a nil world leaves out what depends on
// the machine. The error joins one *Error per line that is wrong; the first is
// the one at which the kernel would stop.
func Check(t Table, w World) error {
	_, err := Examine(t, w, false)
	return err
}

// CheckReadOnly is Check for a table that is to be loaded read-only, which some
// targets demand and others forbid.
func CheckReadOnly(t Table, w World) error {
	_, err := Examine(t, w, true)
	return err
}

// area is a run of sectors that a target maps to a device.
type area struct {
	device        string
	start, length uint64 // sectors
}

// areaLister is implemented by arguments whose target tells the kernel which
// sectors it uses (target_type.iterate_devices).
type areaLister interface {
	areas(length uint64) []area
}

// maxSectors is LLONG_MAX >> SECTOR_SHIFT: no table may end beyond it.
const maxSectors = math.MaxInt64 >> 9

// maxTypeName is DM_MAX_TYPE_NAME less the NUL.
const maxTypeName = 15

func (tc *tableCheck) check() error {
	if len(tc.table) == 0 {
		return &Error{Op: "check", Reason: "no target specified: the table is empty", Err: ErrInvalid}
	}
	var errs []error
	for i, l := range tc.table {
		if err := tc.line(l); err != nil {
			errs = append(errs, atLine(err, i+1))
		}
		tc.end, tc.count = l.Start+l.Length, tc.count+1
	}
	if len(errs) == 0 && tc.world != nil {
		errs = tc.complete()
	}
	return errors.Join(errs...)
}

// atLine puts the number of the line into the error.
func atLine(err error, n int) error {
	var e *Error
	if errors.As(err, &e) {
		e.Line = n
	}
	return err
}

// tableCheck is what dm_table_add_target carries from line to line.
type tableCheck struct {
	world    World
	readOnly bool
	count    int    // number of lines before this one
	end      uint64 // where the line before ended
	table    Table
	single   string // a singleton among the previous lines
	fixed    string // the immutable target type of the table
	used     []usedArea
	notes    []Note
}

// usedArea is an area and the line that uses it.
type usedArea struct {
	area
	line int
	typ  string
}

func (tc *tableCheck) refuse(target, reason string, class error) error {
	return &Error{Op: "check", Target: target, Reason: reason, Err: class}
}

// line judges one line as dm_table_add_target does.
func (tc *tableCheck) line(l Line) error {
	if tc.single != "" {
		return tc.refuse("", "target type "+tc.single+" must appear alone in table", ErrInvalid)
	}
	if l.Length == 0 {
		return tc.refuse(l.Type, "zero-length target", ErrInvalid)
	}
	if l.Start+l.Length < l.Start || l.Start+l.Length > maxSectors {
		return tc.refuse(l.Type, "too large device", ErrInvalid)
	}
	t, known := findTarget(l.Type)
	has := Has
	if tc.world != nil {
		_, has = tc.world.Target(l.Type)
	}
	if has == Lacks || !known || len(l.Type) > maxTypeName {
		return tc.refuse(l.Type, "unknown target type", ErrUnknownTarget)
	}
	if err := tc.mix(t); err != nil {
		return err
	}
	if l.Start != tc.end {
		return tc.refuse(l.Type, "Gap in table", ErrInvalid)
	}
	c := &ctr{
		op: "check", target: l.Type, raw: l.Params, args: lex.Fields(l.Params),
		start: l.Start, length: l.Length, world: tc.world, readOnly: tc.readOnly,
	}
	if has == Unknown {
		c.unchecked("", "whether the kernel has this target: it is not among those that are loaded")
	}
	args, err := t.parse(c)
	if err != nil {
		return err
	}
	if tc.world != nil {
		c.metadata(args)
	}
	for _, n := range c.notes {
		n.Line = tc.count + 1
		tc.notes = append(tc.notes, n)
	}
	if a, ok := args.(areaLister); ok {
		for _, ar := range a.areas(l.Length) {
			tc.used = append(tc.used, usedArea{ar, tc.count + 1, l.Type})
		}
	}
	return nil
}

// mix judges which targets may be combined in one table.
func (tc *tableCheck) mix(t target) error {
	if t.features&singleton != 0 {
		if tc.count > 0 {
			return tc.refuse(t.name, "singleton target type must appear alone in table", ErrInvalid)
		}
		tc.single = t.name
	}
	if t.features&alwaysWritable != 0 && tc.readOnly {
		return tc.refuse(t.name, "target type may not be included in a read-only table", ErrInvalid)
	}
	switch {
	case tc.fixed != "" && tc.fixed != t.name, tc.fixed == "" && t.features&immutable != 0 && tc.count > 0:
		return tc.refuse(t.name, "immutable target type cannot be mixed with other target types", ErrInvalid)
	case t.features&immutable != 0:
		tc.fixed = t.name
	}
	return nil
}

// complete judges the areas as dm_calculate_queue_limits does once all lines
// are there (dm-table.c, device_area_is_invalid). The kernel uses its own name
// for the device; here it is named as in the table.
func (tc *tableCheck) complete() []error {
	var errs []error
	for _, u := range tc.used {
		info, err := tc.world.Device(u.device)
		if err != nil {
			continue // the constructor has judged it
		}
		if reason := invalidArea(u, info); reason != "" {
			errs = append(errs, &Error{Op: "check", Line: u.line, Target: u.typ, Reason: reason, Err: ErrDevice})
		}
	}
	if len(errs) == 0 {
		if err := tc.aligned(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// aligned judges whether a request that crosses from one line to the next can
// be cut there (validate_hardware_logical_block_alignment).
func (tc *tableCheck) aligned() error {
	blocks := make([]uint64, len(tc.table))
	whole := uint64(1)
	for i := range blocks {
		blocks[i] = 1
		for _, u := range tc.used {
			if info, err := tc.world.Device(u.device); u.line == i+1 && err == nil {
				blocks[i] = max(blocks[i], info.blockSectors())
			}
		}
		whole = max(whole, blocks[i])
	}
	var next, left uint64
	i := 0
	for ; i < len(tc.table); i++ {
		if left < tc.table[i].Length && left%blocks[i] != 0 {
			break
		}
		next = (next + tc.table[i].Length) % whole
		left = 0
		if next != 0 {
			left = whole - next
		}
	}
	if left == 0 {
		return nil
	}
	last := min(i, len(tc.table)-1)
	l := tc.table[last]
	return &Error{
		Op: "check", Line: last + 1, Target: l.Type, Err: ErrInvalid,
		Reason: fmt.Sprintf("table line %d (start sect %d len %d) not aligned to h/w logical block size %d", i, l.Start, l.Length, whole<<9),
	}
}

func invalidArea(u usedArea, info DeviceInfo) string {
	block := info.blockSectors()
	switch {
	case info.Size == 0: // some devices begin without a size
		return ""
	case u.start >= info.Size || u.start+u.length > info.Size:
		return fmt.Sprintf("%s too small for target: start=%d, len=%d, dev_size=%d", u.device, u.start, u.length, info.Size)
	case u.start%block != 0:
		return fmt.Sprintf("start=%d not aligned to h/w logical block size %d of %s", u.start, block<<9, u.device)
	case u.length%block != 0:
		return fmt.Sprintf("len=%d not aligned to h/w logical block size %d of %s", u.length, block<<9, u.device)
	}
	return ""
}
