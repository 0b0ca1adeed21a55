package dm

import (
	"fmt"
	"strings"
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

// ParseConcise reads `<name>,<uuid>,<minor>,<flags>,<table>[,<table>...]`, any
// number of them with semicolons between. A backslash takes the next character
// as it is, and white space after a separator is skipped. UUID, minor and flags
// ("ro" or "rw") may be empty.
func ParseConcise(text string) ([]Device, error) {
	var devices []Device
	p := conciseParser{text: text}
	for p.text != "" {
		fields, err := p.device()
		if err != nil {
			return nil, err
		}
		d, err := conciseDevice(fields)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	return devices, nil
}

func conciseError(format string, args ...any) error {
	return &Error{Op: "parse", Field: "concise", Reason: fmt.Sprintf(format, args...), Err: ErrSyntax}
}

// conciseFields is the number of fields before the second line of a table.
const conciseFields = 5

type conciseParser struct{ text string }

// device takes the fields of the next device, the last one holding its table,
// one line a target.
func (p *conciseParser) device() ([]string, error) {
	var done []string
	var b strings.Builder
	c := p.text
scan:
	for c != "" {
		ch := c[0]
		c = c[1:]
		switch {
		case ch == '\\':
			if c == "" {
				return nil, conciseError("Backslash must be followed by another character at end of string.")
			}
			b.WriteByte(c[0])
			c = c[1:]
		case ch == ',' && len(done) < conciseFields-1:
			done = append(done, b.String())
			b.Reset()
			c = strings.TrimLeftFunc(c, isSpace)
		case ch == ',':
			b.WriteByte('\n')
		case ch == ';':
			c = strings.TrimLeftFunc(c, isSpace)
			break scan
		default:
			b.WriteByte(ch)
		}
	}
	p.text = c
	done = append(done, b.String())
	if len(done) != conciseFields {
		return nil, conciseError("Five comma-separated fields are required for each device: %d in %q", len(done), strings.Join(done, ","))
	}
	return done, nil
}

func conciseDevice(f []string) (Device, error) {
	d := Device{Name: f[0], UUID: f[1], Minor: NoMinor}
	if f[2] != "" {
		n, ok := kstrtou(f[2], 20)
		if !ok {
			return d, conciseError("device %s: minor %q is no number below 1048576", d.Name, f[2])
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
// with semicolons between and no newline at the end.
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

// conciseName quotes a name, of which white space in front would be skipped.
func conciseName(s string) string {
	quoted := conciseQuoter.Replace(s)
	if rest := strings.TrimLeftFunc(s, isSpace); rest != s {
		return `\` + quoted
	}
	return quoted
}
