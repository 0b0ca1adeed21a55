package dm

import (
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Device is one device of a concise specification: what `dmsetup create
// --concise` and the kernel parameter dm-mod.create take.
type Device struct {
	Name     string
	UUID     string // empty for none
	Minor    int    // -1 lets the kernel choose
	ReadOnly bool
	Table    Table
}

// NoMinor is Device.Minor where the kernel chooses.
const NoMinor = -1

// ConciseFields are the fields of one device of a concise specification: name,
// UUID, minor, flags and table, whose lines are separated by newlines. There
// are fewer if some are missing.
type ConciseFields struct {
	Fields []string
	// Open means that the text ends in a comma or in an escaped character.
	// dmsetup takes neither for the end of a device.
	Open bool
}

// Complete reports whether no field is missing.
func (f ConciseFields) Complete() bool { return len(f.Fields) == conciseFields }

// ErrBackslash is a backslash at the end of a concise specification.
var ErrBackslash = conciseError("Backslash must be followed by another character at end of string.")

// SplitConcise splits a concise specification:
// `<name>,<uuid>,<minor>,<flags>,<table>[,<table>...]`, any number of them
// separated by semicolons. A backslash makes the next character literal, and
// white space after a separator is skipped. If it fails with [ErrBackslash],
// the last device is the one in which the backslash is.
func SplitConcise(text string) ([]ConciseFields, error) {
	var devices []ConciseFields
	for text != "" {
		var f ConciseFields
		var err error
		f, text, err = splitDevice(text)
		devices = append(devices, f)
		if err != nil {
			return devices, err
		}
	}
	return devices, nil
}

// conciseFields is the number of fields before the second line of a table.
const conciseFields = 5

// splitDevice takes the fields of the first device; rest is what follows it.
func splitDevice(text string) (f ConciseFields, rest string, err error) {
	var b strings.Builder
	done := func() { f.Fields = append(f.Fields, b.String()); b.Reset() }
	defer func() { done() }()
	for text != "" {
		ch := text[0]
		text = text[1:]
		f.Open = false
		switch {
		case ch == '\\':
			if text == "" {
				return f, "", ErrBackslash
			}
			b.WriteByte(text[0])
			text = text[1:]
			f.Open = true
		case ch == ',' && len(f.Fields) < conciseFields-1:
			done()
			text = strings.TrimLeftFunc(text, lex.IsSpace)
			f.Open = true
		case ch == ',':
			b.WriteByte('\n')
			f.Open = true
		case ch == ';':
			return f, strings.TrimLeftFunc(text, lex.IsSpace), nil
		default:
			b.WriteByte(ch)
		}
	}
	return f, "", nil
}

// ParseConcise reads the format that [SplitConcise] splits. UUID, minor and
// flags ("ro" or "rw") may be empty.
func ParseConcise(text string) ([]Device, error) {
	list, err := SplitConcise(text)
	var devices []Device
	for i, f := range list {
		if err != nil && i == len(list)-1 {
			break
		}
		if !f.Complete() {
			return nil, conciseError("Five comma-separated fields are required for each device: %d in %q", len(f.Fields), strings.Join(f.Fields, ","))
		}
		d, err := conciseDevice(f.Fields)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	if err != nil {
		return nil, err
	}
	return devices, nil
}

func conciseError(format string, args ...any) error {
	return &Error{Op: "parse", Field: "concise", Reason: fmt.Sprintf(format, args...), Err: ErrSyntax}
}

func conciseDevice(f []string) (Device, error) {
	d := Device{Name: f[0], UUID: f[1], Minor: NoMinor}
	if f[2] != "" {
		n, ok := lex.Kstrtou(f[2], 20)
		if !ok {
			return d, conciseError("device %s: minor %q is not a number below 1048576", d.Name, f[2])
		}
		d.Minor = int(n)
	}
	switch f[3] {
	case "ro":
		d.ReadOnly = true
	case "", "rw":
	default:
		return d, conciseError("Invalid flags parameter '%s' must be 'ro' or 'rw' or empty.", f[3])
	}
	var err error
	if d.Table, err = ParseTable(f[4]); err != nil {
		return d, fmt.Errorf("device %s: %w", d.Name, err)
	}
	return d, nil
}

var conciseQuoter = strings.NewReplacer(",", `\,`, ";", `\;`, `\`, `\\`)

// FormatConcise prints devices as `dmsetup table --concise` does: on one line,
// separated by semicolons and without a newline at the end.
func FormatConcise(devices []Device) string {
	var b strings.Builder
	for i, d := range devices {
		if i > 0 {
			b.WriteByte(';')
		}
		mode, minor := "rw", ""
		if d.ReadOnly {
			mode = "ro"
		}
		if d.Minor >= 0 {
			minor = fmt.Sprint(d.Minor)
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s", conciseName(d.Name), conciseName(d.UUID), minor, mode)
		for _, l := range d.Table {
			fmt.Fprintf(&b, ",%d %d %s %s", l.Start, l.Length, conciseQuoter.Replace(l.Type), conciseQuoter.Replace(l.Params))
		}
	}
	return b.String()
}

// conciseName quotes a name; leading white space has to be quoted or it would
// be skipped.
func conciseName(s string) string {
	quoted := conciseQuoter.Replace(s)
	if rest := strings.TrimLeftFunc(s, lex.IsSpace); rest != s {
		return `\` + quoted
	}
	return quoted
}
